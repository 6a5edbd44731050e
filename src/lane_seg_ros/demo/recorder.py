"""Listens to the demo's topics, measures, and feeds the video and the score.

Threads: the main thread runs the executor; every callback only notes numbers and passes messages
on. A background thread, at a lower priority where the system allows it, encodes the video and
scores the masks, so that what is measured is not slowed down by what is shown.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from lane_seg_ros.demo.background_work import BackgroundWork
from lane_seg_ros.demo.pictures import LabelScore, OverlayVideo, Portrait
from lane_seg_ros.demo.report import NodeCounts, node_counts
from lane_seg_ros.image_messages import image_from_msg
from lane_seg_ros.middleware import prepare_middleware
from lane_seg_ros.qos import image_qos

__all__ = ['Recorder', 'Window']

_QUEUE_DEPTH = 10
# Labels and pictures that wait for the message that belongs to them.
_WAITING = 30


@dataclass(frozen=True)
class Window:
    """A stretch of time that is measured; a frame belongs to it by its stamp.

    Attributes:
        start_ns: system clock, nanoseconds.
        end_ns: the first moment that no longer belongs to it.
    """

    start_ns: int
    end_ns: int

    def __contains__(self, stamp_ns: int) -> bool:
        return self.start_ns <= stamp_ns < self.end_ns


@dataclass
class Received:
    """What has arrived since the recorder started."""

    camera_stamps_ns: list[int] = field(default_factory=list)
    latency_ms: dict[int, float] = field(default_factory=dict)
    overlay_stamps_ns: list[int] = field(default_factory=list)
    size_hw: tuple[int, int] = (0, 0)
    counts: NodeCounts | None = None
    counts_ns: int = 0
    masks_at_counts: int = 0
    overlays_not_filmed: int = 0


class Recorder:
    """The audience of one camera and one lane_seg_node; a context manager.

    Args:
        domain_id: the ROS domain of both.
        check: is called some times per second; raises where going on makes no sense.
    """

    def __init__(self, *, domain_id: int, check: Callable[[], None]) -> None:
        self.received = Received()
        self.portrait: Portrait | None = None
        self._check = check
        self._video: OverlayVideo | None = None
        self._score: LabelScore | None = None
        self._window = Window(0, 0)
        self._scored = _Matcher(('mask', 'label'))
        self._portraits: _Matcher | None = None
        self._portrait_class = -1
        self._work = BackgroundWork()

        prepare_middleware()
        self._context = rclpy.Context()
        # Ctrl-C is the command's business: it has processes to end.
        rclpy.init(
            context=self._context,
            args=[],
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node: Node = rclpy.create_node(
            'demo_recorder', context=self._context, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        # The camera info stands for its image: it has the same header, and does not cost the
        # receiver 3 MB per frame.
        self._subscribe(CameraInfo, 'camera_info', self._on_camera_info)
        self._subscribe(Image, 'label', self._on_label)
        self._subscribe(Image, 'lane_seg_node/mask', self._on_mask)
        self._subscribe(Image, 'lane_seg_node/overlay', self._on_overlay)
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, _QUEUE_DEPTH
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._work.abandon()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @contextmanager
    def recording(
        self, window: Window, *, video: OverlayVideo, score: LabelScore
    ) -> Iterator[None]:
        """Film and score the frames of a window; at the end of the block both are complete."""
        self._window, self._video, self._score = window, video, score
        try:
            yield
        except BaseException:
            self._work.abandon()  # nobody may touch the video after it was closed
            raise
        self._video = self._score = None
        self._work.finish()

    def watch_for_portraits(self, class_id: int) -> None:
        """Take the camera's pictures too, and keep the frame with most pixels of a class."""
        self._portraits = _Matcher(('image', 'mask', 'overlay'))
        self._portrait_class = class_id
        self._subscribe(Image, 'image', lambda msg: self._offer_portrait('image', msg))

    def listen(self, until: Callable[[], bool], *, timeout_s: float = float('inf')) -> bool:
        """Serve callbacks until something holds; False where the time ran out before."""
        end_s = time.monotonic() + timeout_s
        next_check_s = 0.0
        while not until():
            now_s = time.monotonic()
            if now_s >= end_s:
                return False
            if now_s >= next_check_s:
                self._check()
                next_check_s = now_s + 0.1
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def _subscribe(
        self,
        kind: type[Image] | type[CameraInfo],
        topic: str,
        callback: Callable[[Image], None] | Callable[[CameraInfo], None],
    ) -> None:
        qos = image_qos('reliable', depth=_QUEUE_DEPTH)
        self._node.create_subscription(kind, topic, callback, qos)

    def _on_camera_info(self, msg: CameraInfo) -> None:
        self.received.camera_stamps_ns.append(_nanoseconds(msg.header.stamp))

    def _on_label(self, msg: Image) -> None:
        self._offer_score('label', msg)

    def _on_mask(self, msg: Image) -> None:
        now_ns = time.time_ns()
        stamp_ns = _nanoseconds(msg.header.stamp)
        self.received.latency_ms[stamp_ns] = (now_ns - stamp_ns) * 1e-6
        self.received.size_hw = (msg.height, msg.width)
        self._offer_score('mask', msg)
        self._offer_portrait('mask', msg)

    def _on_overlay(self, msg: Image) -> None:
        stamp_ns = _nanoseconds(msg.header.stamp)
        self.received.overlay_stamps_ns.append(stamp_ns)
        video = self._video
        if video is not None and stamp_ns in self._window:
            filmed = self._work.put(lambda: video.add(image_from_msg(msg), stamp_ns=stamp_ns))
            self.received.overlays_not_filmed += not filmed
        self._offer_portrait('overlay', msg)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.startswith('lane_seg_node'):
                values = {item.key: item.value for item in status.values}
                self.received.counts = node_counts(values)
                self.received.counts_ns = _nanoseconds(msg.header.stamp)
                self.received.masks_at_counts = len(self.received.latency_ms)

    def _offer_score(self, part: str, msg: Image) -> None:
        """Mask or label of a frame; when both are there, they are compared."""
        score = self._score
        if score is None or _nanoseconds(msg.header.stamp) not in self._window:
            return
        pair = self._scored.offer(part, msg)
        if pair is not None:
            mask, label = _plane(pair['mask']), _plane(pair['label'])
            self._work.put(lambda: score.add(mask, label))

    def _offer_portrait(self, part: str, msg: Image) -> None:
        """One of the three pictures of a frame; the best complete frame is kept."""
        if self._portraits is None:
            return
        found = self._portraits.offer(part, msg)
        if found is None:
            return
        mask = _plane(found['mask'])
        pixels = int(np.count_nonzero(mask == self._portrait_class))
        if self.portrait is None or pixels > self.portrait.pixels:
            self.portrait = Portrait(
                camera=image_from_msg(found['image']),
                overlay=image_from_msg(found['overlay']),
                mask=mask,
                pixels=pixels,
            )


class _Matcher:
    """Brings the messages of different topics together that have the same stamp.

    Args:
        parts: what belongs to one frame.
    """

    def __init__(self, parts: tuple[str, ...]) -> None:
        self._parts = parts
        self._waiting: OrderedDict[int, dict[str, Image]] = OrderedDict()

    def offer(self, part: str, msg: Image) -> dict[str, Image] | None:
        """Add a message; the whole frame, {part: message}, once nothing is missing."""
        stamp_ns = _nanoseconds(msg.header.stamp)
        found = self._waiting.setdefault(stamp_ns, {})
        found[part] = msg
        if len(found) == len(self._parts):
            return self._waiting.pop(stamp_ns)
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        return None


def _nanoseconds(stamp: Time) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _plane(msg: Image) -> NDArray[np.uint8]:
    """(H, W) uint8: the pixels of an unpadded mono8 message."""
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width)
