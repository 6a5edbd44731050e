"""Small pictures painted once per seed: trees and house fronts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.textures import shrunk
from lane_seg_scene.weather import Weather

__all__ = ['Gallery', 'Sprite', 'facades', 'trees']


@dataclass(frozen=True)
class Sprite:
    """BGR picture uint8 (h, w, 3) and mask uint8 (h, w), 255 where it is opaque."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class Gallery:
    """Sprites as they look from some distance: hazed, and smaller where that is enough.

    The looks are kept per step of distance, so they are made once and not in every frame.
    """

    _STEP_M = 16.0

    def __init__(self, sprites: tuple[Sprite, ...], weather: Weather) -> None:
        self._sprites = sprites
        self._weather = weather
        self._seen: dict[tuple[int, int], Sprite] = {}

    def look(self, index: int, distance_m: float) -> Sprite:
        """Sprite `index` (taken modulo their number) from `distance_m` metres away."""
        index %= len(self._sprites)
        step = int(max(distance_m, 0.0) / self._STEP_M)
        found = self._seen.get((index, step))
        if found is None:
            found = self._seen[index, step] = self._make(self._sprites[index], step)
        return found

    def _make(self, sprite: Sprite, step: int) -> Sprite:
        picture, mask = sprite.picture, sprite.mask
        for limit_m in (32.0, 80.0):
            if step * self._STEP_M >= limit_m:
                size = (picture.shape[1] // 2, picture.shape[0] // 2)
                picture = shrunk(picture, size)
                mask = shrunk(mask, size)
        left = math.exp(-step * self._STEP_M / self._weather.haze_m)
        hazy = picture.astype(np.float64)
        hazy[..., :3] = hazy[..., :3] * left + self._weather.haze * (1.0 - left)
        return Sprite(hazy.astype(np.uint8), np.where(mask > 127, 255, 0).astype(np.uint8))


def trees(rng: np.random.Generator, weather: Weather) -> tuple[Sprite, ...]:
    """Five trees and a bush in the colours of the season and the light."""
    season = rng.uniform(0.0, 1.0)
    hue = np.array([45.0, 88, 62]) * (1 - season) + np.array([50.0, 100, 95]) * season
    return tuple(
        _tree(rng, weather, hue * rng.uniform(0.75, 1.2), kind)
        for kind in ('round', 'round', 'tall', 'fir', 'fir', 'bush')
    )


def _tree(
    rng: np.random.Generator, weather: Weather, colour: NDArray[np.float64], kind: str
) -> Sprite:
    height, width = 224, 160
    picture = np.zeros((height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.uint8)
    picture[:] = weather.lit(colour * 0.5)

    def disc(x: float, y: float, radius: float, shade: float) -> None:
        centre = (round(x), round(y))
        cv2.circle(picture, centre, round(radius), weather.lit(colour, shade).tolist(), -1)
        cv2.circle(mask, centre, round(radius), 255, -1)

    if kind != 'bush':
        trunk = weather.lit((48.0, 62, 78)).tolist()
        thick = int(rng.integers(4, 8))
        box = ((width // 2 - thick, height * 2 // 5), (width // 2 + thick, height - 1))
        cv2.rectangle(picture, *box, trunk, -1)
        cv2.rectangle(mask, *box, 255, -1)
    leaves = 420
    for step in range(leaves):
        share = step / leaves  # from the back (dark) to the front (bright, upper side)
        if kind == 'fir':
            y = rng.uniform(0.02, 0.86)
            half = 0.05 + 0.38 * y * (0.72 + 0.28 * math.sin(y * 42))
            x = rng.uniform(-half, half)
            light = 0.55 + 0.5 * share + 0.25 * -x
            disc((0.5 + x) * width, y * height, rng.uniform(2, 6), light)
            continue
        centre_y, radius_x, radius_y = {
            'round': (0.36, 0.42, 0.31),
            'tall': (0.42, 0.26, 0.38),
            'bush': (0.78, 0.44, 0.18),
        }[kind]
        angle, radius = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1))
        x, y = math.cos(angle) * radius, math.sin(angle) * radius
        light = 0.5 + 0.55 * share - 0.28 * y - 0.12 * x + rng.normal(0, 0.06)
        size = rng.uniform(3, 11 if share < 0.5 else 7)
        disc((0.5 + x * radius_x) * width, (centre_y + y * radius_y) * height, size, light)
    return Sprite(picture, mask)


def facades(rng: np.random.Generator, weather: Weather) -> tuple[Sprite, ...]:
    """Four houses: each the front (towards the road) and the side wall, lit differently.

    Returns:
        Eight sprites: front, side, front, side, ...; pictures are BGRA (192, 256, 4), opaque.
    """
    walls = ((150.0, 165, 178), (92.0, 110, 165), (170.0, 172, 170), (120.0, 160, 190))
    result: list[Sprite] = []
    for index in range(4):
        wall = np.array(walls[index]) * rng.uniform(0.6, 1.1)
        floors, windows = int(rng.integers(2, 6)), int(rng.integers(3, 8))
        for shade, columns in ((1.0, windows), (0.72, max(2, windows // 2))):
            result.append(_facade(rng, weather, wall * shade, floors, columns))
    return tuple(result)


def _facade(
    rng: np.random.Generator,
    weather: Weather,
    wall: NDArray[np.float64],
    floors: int,
    columns: int,
) -> Sprite:
    height, width = 192, 256
    picture = np.empty((height, width, 3), np.float64)
    picture[:] = weather.lit(wall)
    picture *= 1.0 + rng.normal(0, 0.03, (height, width, 1))
    picture *= np.linspace(1.03, 0.9, height)[:, None, None]
    picture[:5] *= 0.7
    tall, wide = height / floors, width / columns
    glass = weather.lit((95.0, 82, 70))
    share_y, share_x = rng.uniform(0.45, 0.65), rng.uniform(0.35, 0.65)
    for floor in range(floors):
        for column in range(columns):
            y, x = (floor + 0.5) * tall, (column + 0.5) * wide
            y0, y1 = round(y - tall * share_y / 2), round(y + tall * share_y / 2)
            x0, x1 = round(x - wide * share_x / 2), round(x + wide * share_x / 2)
            lamp = weather.lamps and rng.random() < 0.25
            pane = np.array([120.0, 190, 225]) if lamp else glass * rng.uniform(0.5, 1.3)
            picture[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] *= 1.12
            picture[y0:y1, x0:x1] = pane
            picture[y0:y1, (x0 + x1) // 2] *= 0.7
        if rng.random() < 0.5:
            picture[round((floor + 1) * tall) - 3 : round((floor + 1) * tall)] *= 0.8
    opaque = np.full((height, width, 1), 255.0)
    whole = np.concatenate([np.clip(picture, 0, 250), opaque], axis=2).astype(np.uint8)
    return Sprite(whole, whole[..., 3])
