"""CARLA's images as messages of ROS 2, with the encodings of ros-bridge.

The simulator's bytes are copied once, into the message, where ROS has an encoding for them as
they are: rgb, normals and instances are bgra8. Depth is decoded, tags are coloured.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from carla_bridge.camera_images import metres_from_depth, pixels_of, tags_of_image
from carla_bridge.pinhole import PinholeCamera
from carla_bridge.publish.poses import stamp_parts
from lane_seg.carla_tags import palette_of

if TYPE_CHECKING:
    import carla

__all__ = ['MessageFromImage', 'camera_info', 'message_maker', 'time_msg']

MessageFromImage = Callable[['carla.Image', Header], Image]


def message_maker(kind: str, version: str, *, raw_tags: bool) -> MessageFromImage:
    """Return what turns the images of a camera into messages.

    Args:
        kind: of the camera, the last part of its blueprint's name.
        version: of the server; the tags' colours depend on it.
        raw_tags: semantic cameras send mono8 tags instead of the CityScapes palette as bgra8.
    """
    if kind == 'depth':
        return _depth_msg
    if kind != 'semantic_segmentation':
        return _bgra_msg
    if raw_tags:
        return _tags_msg
    colours = _packed_bgra(palette_of(version))

    def palette_msg(image: carla.Image, header: Header) -> Image:
        return _image_msg(np.take(colours, tags_of_image(image)), 'bgra8', header)

    return palette_msg


def camera_info(camera: PinholeCamera, header: Header) -> CameraInfo:
    """Describe a camera without distortion, as ros-bridge does."""
    k = camera.matrix
    return CameraInfo(
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=k.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.column_stack((k, np.zeros(3))).ravel().tolist(),
    )


def time_msg(seconds: float) -> Time:
    """Write simulation time as a stamp."""
    sec, nanosec = stamp_parts(seconds)
    return Time(sec=sec, nanosec=nanosec)


def _bgra_msg(image: carla.Image, header: Header) -> Image:
    return _image_msg(pixels_of(image), 'bgra8', header)


def _tags_msg(image: carla.Image, header: Header) -> Image:
    return _image_msg(tags_of_image(image), 'mono8', header)


def _depth_msg(image: carla.Image, header: Header) -> Image:
    return _image_msg(metres_from_depth(pixels_of(image)), '32FC1', header)


def _packed_bgra(palette: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return (256,) uint32, the four bytes of each tag's colour; black where there is no tag."""
    colours = np.zeros((256, 4), np.uint8)
    colours[: len(palette), :3] = palette[:, ::-1]
    colours[:, 3] = 255
    return colours.view(np.uint32)[:, 0]


def _image_msg(
    pixels: NDArray[np.uint8] | NDArray[np.uint32] | NDArray[np.float32],
    encoding: str,
    header: Header,
) -> Image:
    """Write an array of H rows, C-contiguous, whose bytes are what the encoding says."""
    height, width = pixels.shape[:2]
    data = array('B')
    # rosidl takes an array.array over as it is and checks anything else byte by byte.
    data.frombytes(pixels.view(np.uint8).data)
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.nbytes // height,
        data=data,
    )
