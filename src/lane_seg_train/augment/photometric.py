"""What a camera makes of the light: exposure, contrast, colours, blur and noise."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig

__all__ = ['blur', 'light', 'noise']

_LONGEST_BLUR = 7  # pixels that a moving camera smears a point over
_BANK_SPREAD = 32.0  # standard deviation of the stored noise, grey levels: 4 of them fit in uint8
_BANK_SPARE = 1 << 16  # values of the stored noise beyond those of one image


def light(
    image: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change gamma, contrast, brightness and the balance of the colours, in one table.

    A grey level x in 0..255 becomes gain * (a (g(x) - 128) + 128 + b) + shift, where
    g(x) = 255 (x / 255) ** gamma; gain and shift are drawn for each channel.

    Args:
        image: (H, W, 3) uint8 BGR.
        config: ranges.
        rng: source of chance.

    Returns:
        A new image of the same kind.
    """
    contrast = 1 + rng.uniform(-config.contrast, config.contrast)
    brightness = rng.uniform(-config.brightness, config.brightness)
    gamma = 1 + rng.uniform(-config.gamma, config.gamma)
    gains = 1 + rng.uniform(-config.colour, config.colour, 3)
    shifts = rng.uniform(-config.channel_shift, config.channel_shift, 3)
    levels = 255 * (np.arange(256) / 255) ** gamma
    levels = contrast * (levels - 128) + 128 + brightness
    table = np.clip(np.rint(levels[:, None] * gains + shifts), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[None]), np.uint8)


def blur(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Put the image out of focus, or smear it as a moving camera does; by even chance.

    Args:
        image: (H, W, 3) uint8 BGR.
        rng: source of chance.

    Returns:
        A new image of the same kind; nothing in it is shifted.
    """
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.4, 1.0))), np.uint8)
    angle, length = rng.uniform(0, math.pi), rng.uniform(2, _LONGEST_BLUR)
    reach = _LONGEST_BLUR // 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = np.abs(columns * math.cos(angle) + rows * math.sin(angle))
    across = np.abs(rows * math.cos(angle) - columns * math.sin(angle))
    kernel = np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def noise(image: NDArray[np.uint8], spread: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add Gaussian noise, independent in each pixel and channel.

    Args:
        image: (H, W, 3) uint8 BGR.
        spread: standard deviation in grey levels; 0 adds nothing.
        rng: source of chance: it picks a part of stored noise, as drawing it anew is slow.

    Returns:
        A new image of the same kind.
    """
    share = spread / _BANK_SPREAD
    bank = _noise_bank(image.size + _BANK_SPARE)
    start = int(rng.integers(_BANK_SPARE))
    part = bank[start : start + image.size].reshape(image.shape)
    return np.asarray(cv2.addWeighted(image, 1, part, share, -128 * share), np.uint8)


@functools.lru_cache(maxsize=2)
def _noise_bank(size: int) -> NDArray[np.uint8]:
    values = np.random.default_rng(0).normal(128, _BANK_SPREAD, size)
    bank = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    bank.flags.writeable = False
    return bank
