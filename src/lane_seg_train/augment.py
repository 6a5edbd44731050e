"""Random changes of a training image and its label: geometry, light, colour, shadow, noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.preprocess import LETTERBOX_GREY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig

__all__ = ['augment']


def augment(
    image: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    ignore_bits: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Change one training example.

    Args:
        image: (H, W, 3) uint8 BGR.
        bits: (H, W) uint8 admissible sets.
        config: ranges and probabilities.
        rng: the only source of chance.
        ignore_bits: bit mask of "any class", for pixels from outside the picture.

    Returns:
        New image and sets of the same shapes. Sets are only ever moved nearest-neighbour.
    """
    image, bits = _move(image, bits, config, rng, ignore_bits)
    if rng.random() < config.shadow:
        image = _shadow(image, rng)
    image = _light(image, config, rng)
    if rng.random() < config.blur:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.4, 1.0))), np.uint8)
    spread = float(rng.uniform(0, config.noise))
    if spread > 1:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        cv2.randn(noise, np.zeros(3), np.full(3, spread))  # a plain number is for blue alone
        image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
    return image, bits


def _move(
    image: NDArray[np.uint8],
    bits: NDArray[np.uint8],
    config: AugmentConfig,
    rng: np.random.Generator,
    ignore_bits: int,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = bits.shape
    zoom = math.exp(rng.uniform(math.log(config.scale[0]), math.log(config.scale[1])))
    aspect = 1 + rng.uniform(-config.stretch, config.stretch)
    zoom_x, zoom_y = zoom * math.sqrt(aspect), zoom / math.sqrt(aspect)
    angle = math.radians(rng.uniform(-config.rotate_deg, config.rotate_deg))
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array(
        [[zoom_x * cosine, -zoom_y * sine, 0.0], [zoom_x * sine, zoom_y * cosine, 0.0]]
    )
    if rng.random() < config.flip:
        matrix[:, 0] *= -1
    # Any part of the enlarged picture may be shown; a shrunk one may lie anywhere in the frame.
    room = np.array([abs(zoom_x - 1) * width, abs(zoom_y - 1) * height]) / 2
    # Pixel centres have whole coordinates, so the middle of 4 pixels is 1.5.
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] = middle + rng.uniform(-1, 1, 2) * room - matrix[:, :2] @ middle
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(LETTERBOX_GREY,) * 3,
    )  # fmt: skip
    moved_bits = cv2.warpAffine(
        bits, matrix, (width, height), flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT, borderValue=ignore_bits,
    )  # fmt: skip
    return np.asarray(moved, np.uint8), np.asarray(moved_bits, np.uint8)


def _light(
    image: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    contrast = 1 + rng.uniform(-config.contrast, config.contrast)
    brightness = rng.uniform(-config.brightness, config.brightness)
    gamma = 1 + rng.uniform(-config.gamma, config.gamma)
    levels = 255 * (np.arange(256) / 255) ** gamma
    levels = contrast * (levels - 128) + 128 + brightness
    gains = 1 + rng.uniform(-config.colour, config.colour, 3)
    table = np.clip(np.rint(levels[:, None] * gains), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[None]), np.uint8)


def _shadow(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    shade = np.ones((height, width), np.float32)
    count = int(rng.integers(3, 7))
    corners = rng.uniform((-0.2, 0.3), (1.2, 1.2), (count, 2)) * (width, height)
    hull = cv2.convexHull(corners.astype(np.int32))
    cv2.fillConvexPoly(shade, hull, float(rng.uniform(0.35, 0.8)))
    soft = cv2.GaussianBlur(shade, (0, 0), float(rng.uniform(0.6, 4)))
    return np.asarray(cv2.multiply(image, cv2.merge([soft] * 3), dtype=cv2.CV_8U), np.uint8)
