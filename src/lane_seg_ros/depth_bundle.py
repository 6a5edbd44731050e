"""Mask, depth and both camera infos under one stamp, for mapping (RTAB-Map and the like).

A mapper wants four messages that belong together. The mask comes tens of milliseconds after its
image, so that a depth image of the same moment is usually there already and waits; where it comes
later, the mask waits. All four go out under ~/bundle with the stamp and the frame of the mask;
nothing is ever published on a topic that came in.
"""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.errors import ImageError
from lane_seg_ros.outputs import ImageOutput
from lane_seg_ros.pictures import Picture, stamp_of

__all__ = ['BundleOutputs', 'DepthBundle', 'restamped']

_T = TypeVar('_T')
# A second of a 10 Hz depth camera; of 1280x720 in 32FC1 that is 37 MB.
_WAITING = 10
_STAMP_AT = 4


@dataclass(frozen=True)
class BundleOutputs:
    """Where the four messages go out."""

    mask: ImageOutput
    camera_info: Publisher
    depth: Publisher
    depth_camera_info: Publisher

    @property
    def all(self) -> tuple[Publisher, ...]:
        """The publishers, in the order of the fields."""
        return self.mask.publisher, self.camera_info, self.depth, self.depth_camera_info

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to any of them."""
        return any(publisher.get_subscription_count() for publisher in self.all)


class _Waiting(Generic[_T]):
    """What waits for its counterpart, by stamp; the oldest goes where there are too many."""

    def __init__(self) -> None:
        self._items: OrderedDict[int, _T] = OrderedDict()

    def add(self, stamp_ns: int, item: _T) -> None:
        self._items[stamp_ns] = item
        self._items.move_to_end(stamp_ns)
        if len(self._items) > _WAITING:
            self._items.popitem(last=False)

    def take_nearest(self, stamp_ns: int, tolerance_ns: int) -> _T | None:
        """Take out the item of the nearest stamp within the tolerance."""
        nearest = min(self._items, key=lambda other: abs(other - stamp_ns), default=None)
        if nearest is None or abs(nearest - stamp_ns) > tolerance_ns:
            return None
        return self._items.pop(nearest)


@dataclass(frozen=True)
class _Masked:
    """A mask that waits for its depth image."""

    picture: Picture
    mask: NDArray[np.uint8]
    info: CameraInfo | None


class DepthBundle:
    """Brings masks and depth images of one camera together.

    Depth comes in the input thread, masks in the inference thread; one lock guards both queues.

    Args:
        outputs: where the bundles go.
        tolerance_ns: how far the stamps of mask and depth may differ.

    Attributes:
        published: bundles so far.
    """

    def __init__(self, outputs: BundleOutputs, *, tolerance_ns: int) -> None:
        self.outputs = outputs
        self.published = 0
        self._tolerance_ns = tolerance_ns
        self._lock = threading.Lock()
        self._depths: _Waiting[bytes | Image] = _Waiting()
        self._masks: _Waiting[_Masked] = _Waiting()
        self._depth_info: CameraInfo | None = None

    def on_depth_info(self, msg: CameraInfo) -> None:
        """Keep the latest info of the depth camera."""
        self._depth_info = msg

    def on_depth(self, payload: bytes | Image) -> None:
        """Take a depth image; a broken one is nobody's."""
        try:
            stamp_ns = stamp_of(payload)
        except ImageError:
            return
        with self._lock:
            masked = self._masks.take_nearest(stamp_ns, self._tolerance_ns)
            if masked is None:
                self._depths.add(stamp_ns, payload)
        if masked is not None:
            self._publish(masked, payload)

    def on_mask(self, picture: Picture, mask: NDArray[np.uint8], info: CameraInfo | None) -> None:
        """Take a mask.

        Args:
            picture: that it was made from.
            mask: (H, W) uint8; it is copied where it has to wait.
            info: of the camera.
        """
        with self._lock:
            depth = self._depths.take_nearest(picture.stamp_ns, self._tolerance_ns)
            if depth is None:
                self._masks.add(picture.stamp_ns, _Masked(picture, mask.copy(), info))
        if depth is not None:
            self._publish(_Masked(picture, mask, info), depth)

    def _publish(self, masked: _Masked, depth: bytes | Image) -> None:
        picture = masked.picture
        self.outputs.mask.publish(masked.mask, encoding='mono8', picture=picture)
        self.outputs.depth.publish(restamped(depth, sec=picture.sec, nanosec=picture.nanosec))
        for publisher, info in (
            (self.outputs.camera_info, masked.info),
            (self.outputs.depth_camera_info, self._depth_info),
        ):
            if info is not None:
                info.header.stamp = picture.header.stamp
                publisher.publish(info)
        self.published += 1


def restamped(payload: bytes | Image, *, sec: int, nanosec: int) -> bytes | Image:
    """Return an image with another stamp; of bytes only the stamp's eight are touched.

    Args:
        payload: as a subscription hands it over; a message object is changed in place.
        sec: of the new stamp, seconds.
        nanosec: of the new stamp.
    """
    if isinstance(payload, bytes):
        order = '<' if payload[1] & 1 else '>'
        stamp = struct.pack(f'{order}iI', sec, nanosec)
        return b''.join((payload[:_STAMP_AT], stamp, memoryview(payload)[_STAMP_AT + 8 :]))
    payload.header.stamp = Time(sec=sec, nanosec=nanosec)
    return payload
