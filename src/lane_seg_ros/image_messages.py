"""sensor_msgs/Image to BGR array and back, without cv_bridge (its binary part is not on PyPI).

Every check happens before a byte of the data is touched, so that a message from a broken driver
ends in an `ImageError` with a cause to count, never in a picture of garbage.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError

__all__ = [
    'SUPPORTED_ENCODINGS',
    'check_output',
    'image_from_msg',
    'message_of_bytes',
    'msg_from_image',
]


@dataclass(frozen=True)
class _Layout:
    """How the pixels of one encoding lie in memory, and the way from there to BGR."""

    channels: int
    conversion: int | None
    bytes_per_channel: int = 1
    smallest_side_px: int = 1
    even_width: bool = False


def _bayer(conversion: int) -> _Layout:
    """A colour filter mosaic; interpolation needs a neighbour on each side."""
    return _Layout(1, conversion, smallest_side_px=3)


_GREY = _Layout(1, cv2.COLOR_GRAY2BGR)
_BGRA = _Layout(4, cv2.COLOR_BGRA2BGR)
_UYVY = _Layout(2, cv2.COLOR_YUV2BGR_UYVY, even_width=True)
_YUYV = _Layout(2, cv2.COLOR_YUV2BGR_YUY2, even_width=True)

_LAYOUTS: dict[str, _Layout] = {
    'bgr8': _Layout(3, None),
    '8UC3': _Layout(3, None),
    'rgb8': _Layout(3, cv2.COLOR_RGB2BGR),
    'bgra8': _BGRA,
    '8UC4': _BGRA,
    'rgba8': _Layout(4, cv2.COLOR_RGBA2BGR),
    'mono8': _GREY,
    '8UC1': _GREY,
    # 16UC1 is left out on purpose: in practice it is a depth image in millimetres.
    'mono16': _Layout(1, cv2.COLOR_GRAY2BGR, bytes_per_channel=2),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    # ROS names a mosaic by its first two rows, OpenCV by the second and third pixel of the
    # second row: rggb is OpenCV's BG.
    'bayer_rggb8': _bayer(cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': _bayer(cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': _bayer(cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': _bayer(cv2.COLOR_BayerGB2BGR),
}
SUPPORTED_ENCODINGS: tuple[str, ...] = tuple(_LAYOUTS)

_OUTPUT_CHANNELS = {'bgr8': 3, 'mono8': 1}


def image_from_msg(msg: Image) -> NDArray[np.uint8]:
    """The picture in a message.

    Args:
        msg: any of `SUPPORTED_ENCODINGS`, rows padded or not; any other encoding goes through
            cv_bridge where that is installed.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous. For unpadded bgr8 and 8UC3 it is a view of the message's
        data: do not write to it, and it keeps the message's data alive.

    Raises:
        ImageError: cause 'size', 'encoding', 'step' or 'truncated'.
    """
    height, width, step = msg.height, msg.width, msg.step
    if height == 0 or width == 0:
        raise ImageError(
            f'image of {height} x {width} pixels (height x width): expected at least 1 x 1; '
            'check the camera driver',
            cause='size',
        )
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        return _image_by_cv_bridge(msg)
    _check_size(msg, layout)

    row_bytes = width * layout.channels * layout.bytes_per_channel
    if step < row_bytes:
        raise ImageError(
            f"step is {step} bytes, but {width} pixels of '{msg.encoding}' take {row_bytes}: "
            'width, encoding or step of the camera driver is wrong',
            cause='step',
        )
    if len(msg.data) < step * height:
        raise ImageError(
            f'data has {len(msg.data)} bytes, expected step x height = {step} x {height} = '
            f'{step * height}: the message was cut short',
            cause='truncated',
        )

    # One strided view serves padded and unpadded rows; OpenCV reads such views as they are.
    pixels: NDArray[np.uint8] = np.ndarray(
        (height, width, layout.channels * layout.bytes_per_channel),
        np.uint8,
        buffer=memoryview(msg.data),
        strides=(step, layout.channels * layout.bytes_per_channel, 1),
    )
    if layout.bytes_per_channel == 2:
        pixels = _high_bytes(pixels, big_endian=bool(msg.is_bigendian))
    if layout.conversion is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.cvtColor(pixels, layout.conversion), dtype=np.uint8)


def msg_from_image(image: NDArray[np.uint8], *, encoding: str, header: Header) -> Image:
    """A message with the given picture.

    Args:
        image: (H, W, 3) uint8 for 'bgr8', (H, W) uint8 for 'mono8'.
        encoding: 'bgr8' or 'mono8'.
        header: stamp and frame, taken over unchanged.

    Raises:
        ImageError: cause 'encoding' or 'type'.
    """
    check_output(image, encoding)
    return message_of_bytes(np.ascontiguousarray(image), encoding=encoding, header=header)


def check_output(image: NDArray[np.uint8], encoding: str) -> None:
    """Refuse what no message is made of.

    Args:
        image: (H, W, 3) uint8 for 'bgr8', (H, W) uint8 for 'mono8'.
        encoding: 'bgr8' or 'mono8'.

    Raises:
        ImageError: cause 'encoding' or 'type'.
    """
    channels = _OUTPUT_CHANNELS.get(encoding)
    if channels is None:
        raise ImageError(
            f"cannot make a message of '{encoding}', expected: {', '.join(_OUTPUT_CHANNELS)}",
            cause='encoding',
        )
    shape = image.shape if channels > 1 else (*image.shape, 1)
    if image.dtype != np.uint8 or len(shape) != 3 or shape[2] != channels:
        raise ImageError(
            f"'{encoding}' needs uint8 of shape (H, W{', 3' if channels == 3 else ''}), found "
            f'{image.dtype} of shape {image.shape}',
            cause='type',
        )


def message_of_bytes(
    pixels: NDArray[np.uint8] | NDArray[np.uint32] | NDArray[np.float32],
    *,
    encoding: str,
    header: Header,
) -> Image:
    """A message of an array whose bytes are what the encoding says; that is not checked.

    Args:
        pixels: H rows, C-contiguous.
        encoding: of any kind.
        header: stamp and frame, taken over unchanged.
    """
    height, width = pixels.shape[:2]
    # rosidl takes an array.array over as it is; from anything else (a numpy array, a list) it
    # checks and copies byte by byte: 140 ms instead of 0.1 ms for a 1280x720 image.
    data = array('B')
    data.frombytes(pixels.view(np.uint8).data)
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        step=math.prod(pixels.shape[1:]) * pixels.itemsize,
        data=data,
    )


def _check_size(msg: Image, layout: _Layout) -> None:
    """Raise ImageError('size') where the encoding cannot have the message's size."""
    if min(msg.height, msg.width) < layout.smallest_side_px:
        raise ImageError(
            f"image of {msg.height} x {msg.width} pixels (height x width) in '{msg.encoding}': "
            f'expected at least {layout.smallest_side_px} on each side',
            cause='size',
        )
    if layout.even_width and msg.width % 2:
        raise ImageError(
            f"image of width {msg.width} in '{msg.encoding}': two pixels share their colour, so "
            'the width must be even',
            cause='size',
        )


def _high_bytes(pixels: NDArray[np.uint8], *, big_endian: bool) -> NDArray[np.uint8]:
    """(H, W, 2) bytes of 16-bit values -> (H, W, 1) uint8: the more significant byte of each."""
    byte = 0 if big_endian else 1
    return np.ascontiguousarray(pixels[:, :, byte : byte + 1])


def _image_by_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    """An encoding of which we know nothing, through cv_bridge.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous.

    Raises:
        ImageError: cause 'encoding': cv_bridge is not there, or does not know it either.
    """
    supported = f'expected one of: {", ".join(SUPPORTED_ENCODINGS)}'
    try:
        from cv_bridge import CvBridge
    except ImportError as error:
        raise ImageError(
            f"encoding '{msg.encoding}' is not supported: {supported}. cv_bridge (Debian package "
            'ros-<distro>-cv-bridge) converts more of them, but it is not installed here',
            cause='encoding',
        ) from error
    try:
        image = CvBridge().imgmsg_to_cv2(msg, desired_encoding='bgr8')
    except Exception as error:  # foreign code must not end the node, whatever it raises
        raise ImageError(
            f"encoding '{msg.encoding}' is not supported, and cv_bridge failed with: {error}; "
            f'{supported}',
            cause='encoding',
        ) from error
    return np.ascontiguousarray(image, dtype=np.uint8)
