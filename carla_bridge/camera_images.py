"""What the client's images hold, as arrays; and places as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import carla

__all__ = ['metres_from_depth', 'pixels_of', 'plain_transform', 'tags_of_image', 'transform_of']

_RED = 2
_FARTHEST_M, _LARGEST_DEPTH = 1000.0, 2**24 - 1
_NUMBERS = ('x', 'y', 'z', 'pitch', 'yaw', 'roll')


def pixels_of(image: carla.Image) -> NDArray[np.uint8]:
    """View an image as (H, W, 4) uint8 BGRA; it lives no longer than the image."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def tags_of_image(image: carla.Image) -> NDArray[np.uint8]:
    """Return the (H, W) uint8 tags of an image of a semantic camera."""
    return np.asarray(cv2.extractChannel(pixels_of(image), _RED), np.uint8)


def metres_from_depth(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode the picture of a depth camera.

    Args:
        pixels: (H, W, 4) uint8 BGRA; red is the least significant byte of 24 bits.

    Returns:
        (H, W) float32 metres along the optical axis, 0 to 1000.
    """
    little_endian = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA).view('<u4')[..., 0]
    metres = (little_endian & _LARGEST_DEPTH) * (_FARTHEST_M / _LARGEST_DEPTH)
    return np.asarray(metres, np.float32)


def plain_transform(transform: carla.Transform) -> dict[str, float]:
    """Return a transform as numbers: metres and degrees in CARLA's world."""
    place, turn = transform.location, transform.rotation
    numbers = (place.x, place.y, place.z, turn.pitch, turn.yaw, turn.roll)
    return dict(zip(_NUMBERS, numbers, strict=True))


def transform_of(numbers: object) -> carla.Transform:
    """Read what `plain_transform` wrote.

    Raises:
        LaneSegError: it is something else.
    """
    import carla

    if not isinstance(numbers, Mapping) or set(numbers) != set(_NUMBERS):
        raise LaneSegError(
            f'manifest: expected {", ".join(_NUMBERS)} as ego_transform, found {numbers!r}; '
            'copy the recording again'
        )
    return carla.Transform(
        carla.Location(numbers['x'], numbers['y'], numbers['z']),
        carla.Rotation(pitch=numbers['pitch'], yaw=numbers['yaw'], roll=numbers['roll']),
    )
