"""Fog and rain between the street and the camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.augment.view import View, blotches, greyed, relit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['fog', 'rain']

_DROP_SIZES = (0.015, 0.05)  # radius of drops on the glass, of the height of the picture


def fog(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Hide the distance: what is left of the contrast falls as exp(-density * depth).

    The law is Koschmieder's (Theorie der horizontalen Sichtweite, 1924).

    Args:
        image: (H, W, 3) uint8 BGR.
        view: where the street is.
        rng: source of chance.

    Returns:
        A new image of the same kind.
    """
    image = _overcast(image, rng.uniform(90, 150), rng)
    density = math.exp(rng.uniform(math.log(0.06), math.log(0.45)))
    return _hazed(image, view, density, _cloud_colour(image, rng), rng)


def rain(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Wet the street so that it mirrors, dim and haze the day, and let it rain.

    Half of the pictures also have drops on the glass.

    Args:
        image: (H, W, 3) uint8 BGR.
        view: where the street is.
        rng: source of chance.

    Returns:
        A new image of the same kind.
    """
    image = _overcast(image, rng.uniform(65, 115), rng)
    image = _wet(image, view, rng)
    density = math.exp(rng.uniform(math.log(0.01), math.log(0.08)))
    image = _hazed(image, view, density, _cloud_colour(image, rng), rng)
    image = _streaks(image, rng)
    return _drops(image, rng) if rng.random() < 0.5 else image


def _overcast(
    image: NDArray[np.uint8], level: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Take away colour, and bring the mean of the picture near `level`."""
    mean = max(float(np.mean(cv2.mean(image)[:3])), 1.0)
    return greyed(image, rng.uniform(0.1, 0.6), min(max(level / mean, 0.6), 2.0))


def _cloud_colour(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A grey that suits the exposure of the picture, a little blue or warm; (3,) BGR."""
    grey = np.clip(np.mean(cv2.mean(image)[:3]) * rng.uniform(1.0, 1.4) + 20, 50, 225)
    return np.asarray(grey * (1 + rng.uniform(-0.04, 0.04) * np.array([1, 0, -1])), np.float32)


def _hazed(
    image: NDArray[np.uint8],
    view: View,
    density: float,
    colour: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    depth = view.depth(math.exp(rng.uniform(math.log(0.02), math.log(0.12))))
    swathes = 0.6 + 0.8 * blotches(depth.shape, (4, 4), rng)
    stays = np.exp(-density * depth * swathes)
    return relit(image, stays, (1 - stays)[..., None] * colour)


def _wet(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Darken the street and mirror in it what stands above the horizon, drawn out downwards."""
    rows, columns = view.grid()
    height, width = rows.size, columns.size
    small = cv2.resize(image, (width, height))
    # Row y shows row 2 * horizon - y.
    horizon = view.row * height / view.height
    mirror = np.array([[1, 0, 0], [0, -1, 2 * horizon - 1]])
    mirrored = cv2.warpAffine(small, mirror, (width, height), borderMode=cv2.BORDER_REPLICATE)
    mirrored = cv2.blur(mirrored, (3, max(height // 8, 1)))
    below = view.below()
    puddles = blotches((height, width), (10, 6), rng) ** 2
    # A flat angle mirrors most.
    shine = rng.uniform(0.15, 0.4) + rng.uniform(0.1, 0.6) * puddles
    shine = shine * np.clip(below * 8, 0, 1) * (1 - 0.5 * np.clip(below, 0, 1))
    darker = 1 - rng.uniform(0.15, 0.4) * np.clip(below * 8, 0, 1)
    stays = darker * (1 - shine)
    return relit(image, stays.astype(np.float32), shine[..., None] * mirrored)


def _streaks(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Falling drops, drawn out by the exposure: many short ones far away, few long ones near."""
    height, width = image.shape[:2]
    tilt = rng.uniform(-0.35, 0.35)
    amount = rng.uniform(0.3, 1)
    layer = np.zeros((height, width), np.uint8)
    for size, share in ((1, 0.02), (2.5, 0.004)):
        # Chance is drawn on a coarse grid, which the warp draws out to slanting streaks.
        long, wide = size * height * 0.04, max(size * height / 256, 1)
        rows, columns = int(1.2 * height / long) + 2, int(1.5 * width / wide) + 2
        seeds = rng.random((rows, columns), dtype=np.float32)
        bright = np.clip((seeds - 1 + amount * share) / (amount * share), 0, 1)
        bright = (bright * rng.uniform(50, 130)).astype(np.uint8)
        matrix = np.array(
            [
                [wide, tilt * long, -0.25 * width - tilt * height / 2],
                [0, long, -rng.uniform(0, long)],
            ]
        )
        drawn = cv2.warpAffine(bright, matrix, (width, height))
        layer = np.maximum(layer, np.asarray(drawn, np.uint8))
    thick = cv2.merge([layer] * 3)
    glow = int(rng.uniform(170, 230))
    left = cv2.multiply(image, cv2.bitwise_not(thick), scale=1 / 255)
    return np.asarray(cv2.addWeighted(left, 1, thick, glow / 255, 0), np.uint8)


def _drops(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Drops on the glass: blurred lenses that show the whole scene upside down."""
    height, width = image.shape[:2]
    image = image.copy()
    scene = cv2.GaussianBlur(cv2.resize(image[::-1], (32, 32)), (0, 0), 2)
    grid = np.linspace(-1, 1, 17, dtype=np.float32)
    disc = np.clip(2.5 * (1 - np.hypot(grid[:, None], grid)), 0, 1)
    for _ in range(int(rng.integers(5, 25))):
        radius = height * math.exp(rng.uniform(*np.log(_DROP_SIZES)))
        size = (int(2 * radius) + 2, int(2 * radius * rng.uniform(1, 1.4)) + 2)
        if size[0] >= width or size[1] >= height:
            continue
        left, top = rng.integers(0, (width - size[0], height - size[1]))
        part = image[top : top + size[1], left : left + size[0]]
        share = cv2.resize(disc, size) * np.float32(rng.uniform(0.4, 0.95))
        part[:] = cv2.blendLinear(cv2.resize(scene, size), part, share, 1 - share)
    return image
