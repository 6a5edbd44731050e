"""What arrives on an image topic, in any of its forms, as a picture with its stamp.

Three forms come in: sensor_msgs/Image as bytes (the fast path), as a message object (where the
middleware writes other bytes), and sensor_msgs/CompressedImage, for which rclpy has no transport
plug-in of its own.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError
from lane_seg_ros.image_cdr import image_from_cdr
from lane_seg_ros.image_messages import image_from_msg

__all__ = ['Payload', 'Picture', 'picture_from', 'stamp_of']

Payload: TypeAlias = bytes | Image | CompressedImage
"""What a subscription hands over."""

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'


@dataclass(frozen=True, eq=False)
class Picture:
    """One camera image.

    Attributes:
        sec: of the stamp, seconds.
        nanosec: of the stamp.
        frame_id: of the header.
        image: (H, W, 3) uint8 BGR; it may be a view of the message, so nobody may write to it.
    """

    sec: int
    nanosec: int
    frame_id: str
    image: NDArray[np.uint8]

    @property
    def stamp_ns(self) -> int:
        """The stamp in nanoseconds; 0 where the driver does not stamp its images."""
        return self.sec * 10**9 + self.nanosec

    @property
    def header(self) -> Header:
        """Stamp and frame as a message."""
        return Header(stamp=Time(sec=self.sec, nanosec=self.nanosec), frame_id=self.frame_id)


def picture_from(payload: Payload) -> Picture:
    """Read an image in whatever form it came.

    Raises:
        ImageError: it is broken; the cause says how.
    """
    if isinstance(payload, bytes):
        received = image_from_cdr(payload)
        return Picture(received.sec, received.nanosec, received.frame_id, image_from_msg(received))
    stamp = payload.header.stamp
    image = (
        _image_from_compressed(payload)
        if isinstance(payload, CompressedImage)
        else image_from_msg(payload)
    )
    return Picture(stamp.sec, stamp.nanosec, payload.header.frame_id, image)


def stamp_of(payload: Payload) -> int:
    """Read the stamp alone, in nanoseconds, before any work is spent on the image.

    Raises:
        ImageError: the message ends before it.
    """
    if not isinstance(payload, bytes):
        return int(payload.header.stamp.sec) * 10**9 + int(payload.header.stamp.nanosec)
    # The reader is cheap: it makes a view of the pixels and copies nothing.
    received = image_from_cdr(payload)
    return received.sec * 10**9 + received.nanosec


def _image_from_compressed(msg: CompressedImage) -> NDArray[np.uint8]:
    """Decode JPEG or PNG.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ImageError: cause 'compressed'.
    """
    data = bytes(msg.data)
    what = f"{len(data)} bytes of format '{msg.format[:40]}'"
    if 'compresseddepth' in msg.format.lower().replace(' ', ''):
        raise ImageError(
            f'expected a JPEG or PNG of a colour image, found {what}: a depth image; remap the '
            "image topic to the colour camera's",
            cause='compressed',
        )
    image = None
    # A JPEG without its end is decoded all the same, its lower part in grey.
    if data and (not data.startswith(_JPEG_START) or data.rstrip(b'\0').endswith(_JPEG_END)):
        # A picture stands as the camera held it: what EXIF says of turning it is left alone.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        with suppress(cv2.error):  # OpenCV refuses sizes beyond 2^30 pixels in this way
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ImageError(
            f'expected a JPEG or PNG that can be decoded, found {what}; the camera or the network '
            'has cut or damaged it',
            cause='compressed',
        )
    return np.asarray(image, dtype=np.uint8)
