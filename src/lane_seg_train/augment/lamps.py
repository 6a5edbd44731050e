"""Lights in the picture and the dark around them: a low sun, head lamps, and night."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.augment.photometric import noise
from lane_seg_train.augment.view import View, blotches, greyed, relit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['glare', 'night']

# Blue, green, red of cold and warm street lamps, sodium lamps and rear lamps.
_LAMPS = np.array([[255, 250, 240], [200, 235, 255], [90, 170, 255], [60, 60, 255]], np.float32)


def glare(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Look into a low sun, or into the head lamps of a car that comes towards us.

    Args:
        image: (H, W, 3) uint8 BGR.
        view: where the street is.
        rng: source of chance.

    Returns:
        A new image of the same kind.
    """
    return _sun(image, view, rng) if rng.random() < 0.5 else _head_lamps(image, view, rng)


def night(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Darken the day but for the street that our head lamps light, and add lamps and noise.

    Args:
        image: (H, W, 3) uint8 BGR.
        view: where the street is.
        rng: source of chance.

    Returns:
        A new image of the same kind.
    """
    image = greyed(_exposed(image, view, rng), rng.uniform(0.2, 0.7))
    rows, columns = view.grid()
    below = np.clip(view.below(), -1, 1)
    # The lit patch ends a little below the horizon and is wider where it is near.
    aim = view.column + rng.uniform(-0.06, 0.06) * view.width
    reach = np.clip((below - 0.02) / rng.uniform(0.1, 0.35), 0, 1)
    width = view.width * (rng.uniform(0.15, 0.3) + rng.uniform(0.1, 0.3) * np.clip(below, 0, 1))
    patch = np.exp(-(((columns - aim) / width) ** 2)) * reach**1.5
    patch = patch * (1 - rng.uniform(0.1, 0.6) * np.clip(below, 0, 1))
    beam = np.exp(-np.maximum(-below, 0) * 8) * np.exp(-(((columns - aim) / width) ** 2))
    power = rng.uniform(0.5, 1.2) * (patch + rng.uniform(0, 0.15) * beam)
    # What the sky and the street lamps still light; the sky itself is the darkest of all.
    dusk = math.exp(rng.uniform(math.log(0.04), math.log(0.4)))
    ambient = dusk * (0.5 + blotches(power.shape, (4, 6), rng))
    ambient = ambient * np.where(below < 0, np.exp(3 * below), 1)
    tint = _tint(rng, 0.25)
    stays = np.clip(power[..., None] * _tint(rng, 0.12) + ambient[..., None] * tint, 0, 1)
    veil = np.zeros(stays.shape, np.float32)
    for _ in range(int(rng.integers(0, 9))):
        # Lamps of streets hang above the horizon, lamps of cars stand just below it.
        side, height = rng.normal(0, 0.25), abs(rng.normal(0, 0.2))
        colour = _LAMPS[rng.integers(len(_LAMPS))]
        place = (view.column + side * view.width, view.row - (height - 0.06) * view.height)
        veil += _halo(view, place, rng.uniform(0.003, 0.01), rng.uniform(0.5, 3)) * colour
    image = relit(image, stays.astype(np.float32), veil)
    return noise(image, float(rng.uniform(1, 9)), rng)


def _exposed(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Give the street the same grey in every picture, and paint more contrast to it.

    Paint sends the light of head lamps back to them, asphalt does not.
    """
    street = image[min(max(int(view.row), 0), image.shape[0] - 1) :]
    middle = max(float(np.mean(cv2.mean(street)[:3])), 45.0)
    contrast = rng.uniform(1, 1.6)
    table = np.clip(rng.uniform(90, 150) * (np.arange(256) / middle) ** contrast, 0, 255)
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)), np.uint8)


def _sun(image: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = view.grid()
    column = rng.uniform(0, 1) * view.width
    row = view.row - rng.uniform(0.05, 0.45) * view.height
    warmth = rng.uniform(0, 0.3)
    colour = np.array([0.95 - warmth, 1 - 0.4 * warmth, 1.0])
    disc = _halo(view, (column, row), rng.uniform(0.03, 0.08), 1)
    wide = _halo(view, (column, row), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.4))
    # The street mirrors the sun in a band that comes towards us.
    below = view.below()
    band = view.width * rng.uniform(0.02, 0.1) * (1 + 2 * np.clip(below, 0, 1))
    glitter = np.exp(-(((columns - column) / band) ** 2)) * np.clip(below * 10, 0, 1)
    glitter = glitter * (1 - 0.7 * np.clip(below, 0, 1)) * blotches(glitter.shape, (24, 6), rng)
    shine = disc + wide + rng.uniform(0.2, 1.2) * glitter[..., None]
    veil = 255 * (shine + rng.uniform(0.03, 0.3)) * colour
    # The camera closes its iris.
    dim = np.full((rows.size, columns.size), rng.uniform(0.4, 0.85), np.float32)
    return relit(image, dim, veil.astype(np.float32))


def _head_lamps(
    image: NDArray[np.uint8], view: View, rng: np.random.Generator
) -> NDArray[np.uint8]:
    rows, columns = view.grid()
    veil = np.zeros((rows.size, columns.size, 3), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        # The height of the camera at that distance, in pixels: a car's lamps are half as high and
        # one such height apart.
        away = view.drop / rng.uniform(2, 15)
        column = view.column + rng.uniform(-4, 4) * away
        row = view.row + 0.55 * away
        colour = np.array([255, 250, 240], np.float32) * _tint(rng, 0.08)
        size, power = 0.12 * away / view.height, rng.uniform(0.6, 1.2)
        for shift in (-0.5, 0.5):
            place = (column + shift * away, row)
            veil += _halo(view, place, size, power) * colour
            veil += _halo(view, place, 6 * size, 0.25 * power) * colour
    veil += np.float32(rng.uniform(0, 40))
    stays = np.full(veil.shape[:2], rng.uniform(0.6, 1), np.float32)
    return relit(image, stays, veil)


def _halo(
    view: View, place: tuple[float, float], size: float, power: float
) -> NDArray[np.float32]:
    """A bright point and the light that the lens scatters around it, (h, w, 1).

    Args:
        view: its smooth layers give the shape.
        place: column and row in pixels.
        size: radius at which it has fallen to 35 %, of the height of the picture; at least that
            of a pixel of the layer, which would miss a smaller one.
        power: brightness in the middle.
    """
    rows, columns = view.grid()
    square = (columns - place[0]) ** 2 + (rows - place[1]) ** 2
    fall = (1 + square / max(size * view.height, 2.5) ** 2) ** -1.5
    return (power * fall[..., None]).astype(np.float32)


def _tint(rng: np.random.Generator, amount: float) -> NDArray[np.float32]:
    """Gains of blue, green, red between bluish and orange."""
    warm = rng.uniform(-amount, amount)
    return np.array([1 - warm, 1.0, 1 + warm], np.float32)
