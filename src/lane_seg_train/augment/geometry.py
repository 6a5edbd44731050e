"""Where each pixel goes: flips, zoom, crop, stretch, shear and rotation in one warp."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.preprocess import LETTERBOX_GREY
from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig

__all__ = ['random_warp', 'warped']

_ALIASING_ZOOM = 0.75  # bilinear interpolation alone skips pixels of what shrinks more than this


def random_warp(
    shape: tuple[int, ...], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw where the pixels of a picture go.

    Zoom and stretch come first, then shear, then rotation, all about the middle of the picture.
    Any part of a picture that has become larger than the frame may be shown (a random crop); a
    smaller one may lie anywhere in the frame.

    Args:
        shape: (height, width).
        config: ranges and probabilities.
        rng: source of chance.

    Returns:
        (2, 3) float64: (column, row, 1) of an old pixel to (column, row) of a new one. Pixel
        centres have whole coordinates.
    """
    height, width = shape
    zoom = math.exp(rng.uniform(math.log(config.scale[0]), math.log(config.scale[1])))
    aspect = 1 + rng.uniform(-config.stretch, config.stretch)
    zooms = np.array([zoom * math.sqrt(aspect), zoom / math.sqrt(aspect)])
    angle = math.radians(rng.uniform(-config.rotate_deg, config.rotate_deg))
    slope = math.tan(math.radians(rng.uniform(-config.shear_deg, config.shear_deg)))
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    linear = turn @ np.array([[1.0, slope], [0.0, 1.0]]) * zooms
    if rng.random() < config.flip:
        linear[:, 0] *= -1
    if rng.random() < config.vertical_flip:
        linear[:, 1] *= -1
    # With whole pixel centres the middle of 4 pixels is 1.5.
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    room = np.abs(zooms - 1) * (width, height) / 2
    offset = middle + rng.uniform(-1, 1, 2) * room - linear @ middle
    return np.column_stack([linear, offset])


def warped(
    image: NDArray[np.uint8], target: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Move the pixels of an image and its target alike.

    Args:
        image: (H, W, 3) uint8 BGR.
        target: (H, W) uint8 ids.
        matrix: of `random_warp`.

    Returns:
        Image of the same shape, bilinear, grey where it shows nothing of the old one; target of
        the same shape, nearest pixel, 255 there. A mere flip is exact.
    """
    height, width = target.shape
    linear = matrix[:, :2]
    if np.array_equal(np.abs(linear), np.eye(2)):
        steps = np.diag(linear).astype(int)
        mirrored = (slice(None, None, steps[1]), slice(None, None, steps[0]))
        return image[mirrored].copy(), target[mirrored].copy()
    zooms = np.hypot(linear[0], linear[1])
    if zooms.min() < _ALIASING_ZOOM:
        spread = 0.5 * np.sqrt(np.maximum(zooms**-2 - 1, 1e-4))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), spread[0], sigmaY=spread[1]), np.uint8)
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(LETTERBOX_GREY,) * 3,
    )  # fmt: skip
    moved_target = cv2.warpAffine(
        target, matrix, (width, height), flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT, borderValue=ANY_ID,
    )  # fmt: skip
    return np.asarray(moved, np.uint8), np.asarray(moved_target, np.uint8)
