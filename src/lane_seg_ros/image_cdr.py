"""sensor_msgs/Image as the bytes that travel: read without a copy, written with one.

rclpy turns received bytes into a message object and back with the interpreter's lock held: 0.3 ms
for a 1280x720 image, in which nothing else of the node runs. A raw subscription hands the bytes
over as they are, and a publisher takes them as they are, so that the pixels are touched by nobody
but OpenCV.

The bytes are plain CDR, as the OMG's DDS-RTPS (DDSI-RTPS 2.5, section 10) lays it out: four
bytes of encapsulation (the second says which end is first), then the fields, each aligned to its
size counted from the end of these four. `rclpy_agrees` finds out whether the middleware of
this process really writes so; where it does not, the node stays with message objects.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError
from lane_seg_ros.image_messages import check_output

__all__ = ['CdrImage', 'cdr_from_image', 'image_from_cdr', 'rclpy_agrees']

_ENCAPSULATION = 4
_ALIGNMENT = 4
_BIG_ENDIAN, _LITTLE_ENDIAN = b'\x00\x00', b'\x00\x01'
# What is no UTF-8 in a frame_id goes out as it came in.
_CODEC, _ERRORS = 'utf-8', 'surrogateescape'


@dataclass(frozen=True)
class CdrImage:
    """An image message as it lies in its bytes; the names are those of sensor_msgs/Image.

    Attributes:
        sec: of the stamp, seconds.
        nanosec: of the stamp.
        frame_id: of the header.
        height: rows.
        width: columns.
        encoding: as the publisher names it.
        is_bigendian: of channels that take more than a byte.
        step: bytes a row.
        data: the pixels, a view of the received bytes, which it keeps alive.
    """

    sec: int
    nanosec: int
    frame_id: str
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview

    @property
    def header(self) -> Header:
        """Stamp and frame as a message."""
        return Header(stamp=Time(sec=self.sec, nanosec=self.nanosec), frame_id=self.frame_id)


class _Reader:
    """Reads fields one after the other and never beyond the end."""

    def __init__(self, buffer: bytes | memoryview) -> None:
        self._buffer = memoryview(buffer)
        kind = bytes(self._buffer[:2])
        if len(self._buffer) < _ENCAPSULATION or kind not in (_BIG_ENDIAN, _LITTLE_ENDIAN):
            raise ImageError(
                f'expected a message in plain CDR (it begins with 00 00 or 00 01), found '
                f'{bytes(self._buffer[:4]).hex(" ") or "nothing"}; start the node with '
                'fast_path:=false',
                cause='truncated' if len(self._buffer) < _ENCAPSULATION else 'encoding',
            )
        order = '<' if kind == _LITTLE_ENDIAN else '>'
        self._unsigned = struct.Struct(f'{order}I')
        self._signed = struct.Struct(f'{order}i')
        self._at = _ENCAPSULATION

    def unsigned(self) -> int:
        """Read a 32-bit number."""
        return int(self._unsigned.unpack(self._take(4, aligned=True))[0])

    def signed(self) -> int:
        """Read a 32-bit number with a sign."""
        return int(self._signed.unpack(self._take(4, aligned=True))[0])

    def octet(self) -> int:
        """Read a byte."""
        return self._take(1, aligned=False)[0]

    def text(self) -> str:
        """Read a string, which ends with a zero that its length counts."""
        content = bytes(self._take(self.unsigned(), aligned=False))
        return content.removesuffix(b'\x00').decode(_CODEC, _ERRORS)

    def octets(self) -> memoryview:
        """Read a sequence of bytes, as a view."""
        return self._take(self.unsigned(), aligned=False)

    def _take(self, count: int, *, aligned: bool) -> memoryview:
        if aligned:
            self._at += -(self._at - _ENCAPSULATION) % _ALIGNMENT
        end = self._at + count
        if end > len(self._buffer):
            raise ImageError(
                f'the message has {len(self._buffer)} bytes, expected at least {end}: it was cut '
                'short on the way',
                cause='truncated',
            )
        taken = self._buffer[self._at : end]
        self._at = end
        return taken


def image_from_cdr(buffer: bytes | memoryview) -> CdrImage:
    """Read a serialized sensor_msgs/Image.

    Args:
        buffer: as a raw subscription hands it over, of either byte order. Bytes after the message
            are left alone: some middlewares pad.

    Raises:
        ImageError: 'truncated': it ends too early; 'encoding': it is not plain CDR.
    """
    reader = _Reader(buffer)
    return CdrImage(
        sec=reader.signed(),
        nanosec=reader.unsigned(),
        frame_id=reader.text(),
        height=reader.unsigned(),
        width=reader.unsigned(),
        encoding=reader.text(),
        is_bigendian=reader.octet(),
        step=reader.unsigned(),
        data=reader.octets(),
    )


def cdr_from_image(
    image: NDArray[np.uint8], *, encoding: str, sec: int, nanosec: int, frame_id: str
) -> bytes:
    """Write a sensor_msgs/Image as little-endian CDR.

    Args:
        image: (H, W, 3) uint8 for 'bgr8', (H, W) uint8 for 'mono8'.
        encoding: 'bgr8' or 'mono8'.
        sec: of the stamp, seconds.
        nanosec: of the stamp.
        frame_id: of the header.

    Returns:
        What `Publisher.publish` takes in place of a message.

    Raises:
        ImageError: cause 'encoding' or 'type'.
    """
    check_output(image, encoding)
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(image)
    frame = frame_id.encode(_CODEC, _ERRORS) + b'\x00'
    name = encoding.encode('ascii') + b'\x00'
    head = _padded(
        _LITTLE_ENDIAN + b'\x00\x00' + struct.pack('<iII', sec, nanosec, len(frame)) + frame
    )
    head = _padded(head + struct.pack('<III', height, width, len(name)) + name + b'\x00')
    head += struct.pack('<II', math.prod(pixels.shape[1:]), pixels.size)
    return b''.join((head, pixels.reshape(-1).data))


def rclpy_agrees() -> bool:
    """Whether the middleware of this process reads and writes images as this module does.

    Not compared byte by byte: what fills the gaps between fields is left to chance by Fast CDR.
    """
    from rclpy.serialization import deserialize_message, serialize_message

    pixels = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    msg = Image(
        header=Header(stamp=Time(sec=-7, nanosec=8), frame_id='camera_1'),
        height=2,
        width=5,
        encoding='bgr8',
        step=15,
        data=pixels.tobytes(),
    )
    theirs = bytes(serialize_message(msg))
    ours = cdr_from_image(pixels, encoding='bgr8', sec=-7, nanosec=8, frame_id='camera_1')
    try:
        found = image_from_cdr(theirs)
    except ImageError:
        return False
    read = (found.header, found.height, found.width, found.encoding, found.step)
    return (
        read == (msg.header, msg.height, msg.width, msg.encoding, msg.step)
        and bytes(found.data) == pixels.tobytes()
        and bool(deserialize_message(ours, Image) == msg)
    )


def _padded(head: bytes) -> bytes:
    """Fill up to where a 32-bit number may stand."""
    return head + b'\x00' * (-(len(head) - _ENCAPSULATION) % _ALIGNMENT)
