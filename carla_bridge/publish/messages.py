"""CARLA's images as messages of ROS 2, with the encodings of ros-bridge.

The simulator's bytes are copied once, into the message, where ROS has an encoding for them as
they are: rgb, normals and instances are bgra8. Depth is decoded, tags are coloured.
"""

from __future__ import annotations

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
from lane_seg_ros.camera_infos import ideal_camera_info
from lane_seg_ros.image_messages import message_of_bytes

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
        return message_of_bytes(
            np.take(colours, tags_of_image(image)), encoding='bgra8', header=header
        )

    return palette_msg


def camera_info(camera: PinholeCamera, header: Header) -> CameraInfo:
    """Describe a camera without distortion, as ros-bridge does."""
    info = ideal_camera_info(camera.matrix, height=camera.height, width=camera.width)
    info.header = header
    return info


def time_msg(seconds: float) -> Time:
    """Write simulation time as a stamp."""
    sec, nanosec = stamp_parts(seconds)
    return Time(sec=sec, nanosec=nanosec)


def _bgra_msg(image: carla.Image, header: Header) -> Image:
    return message_of_bytes(pixels_of(image), encoding='bgra8', header=header)


def _tags_msg(image: carla.Image, header: Header) -> Image:
    return message_of_bytes(tags_of_image(image), encoding='mono8', header=header)


def _depth_msg(image: carla.Image, header: Header) -> Image:
    return message_of_bytes(metres_from_depth(pixels_of(image)), encoding='32FC1', header=header)


def _packed_bgra(palette: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return (256,) uint32, the four bytes of each tag's colour; black where there is no tag."""
    colours = np.zeros((256, 4), np.uint8)
    colours[: len(palette), :3] = palette[:, ::-1]
    colours[:, 3] = 255
    return colours.view(np.uint32)[:, 0]
