"""Noise and the ground texture in road coordinates, painted once per seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.road import RoadLayout
from lane_seg_scene.weather import Weather

__all__ = [
    'GRAIN_M',
    'GROUND_COLUMN_M',
    'GROUND_HALF_M',
    'GROUND_PERIOD_M',
    'GROUND_ROW_M',
    'grain_tile',
    'ground_texture',
    'noise',
    'shrunk',
]

GROUND_PERIOD_M = 128.0
"""Length of road in metres after which the ground texture repeats."""
GROUND_HALF_M = 24.0
"""The ground texture covers this many metres left and right of the centre line."""
GROUND_ROW_M = 0.08
GROUND_COLUMN_M = 0.06
GRAIN_M = 0.01
"""Metres per pixel of the grain tile."""


def noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]
) -> NDArray[np.float32]:
    """Smooth noise that repeats in both directions.

    Args:
        rng: where the numbers come from.
        shape: (rows, columns) of the result.
        cells: number of random values along rows and columns; more is finer.

    Returns:
        float32 of the given shape with mean 0 and standard deviation 1.
    """
    grid = rng.standard_normal(cells).astype(np.float32)
    pad = 2
    grid = np.pad(grid, pad, mode='wrap')
    scale_y, scale_x = shape[0] / cells[0], shape[1] / cells[1]
    size = (round(grid.shape[1] * scale_x), round(grid.shape[0] * scale_y))
    big = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    y, x = round(pad * scale_y), round(pad * scale_x)
    part = big[y : y + shape[0], x : x + shape[1]]
    result: NDArray[np.float32] = (part - part.mean()) / (part.std() + 1e-6)
    return result


def grain_tile(rng: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """Small stones of asphalt: repeating uint8 (1024, 1024), 128 is neutral."""
    shape = (1024, 1024)
    field = noise(rng, shape, (1024, 1024)) + noise(rng, shape, (512, 512))
    field += 0.5 * noise(rng, shape, (128, 128)) + 0.25 * noise(rng, shape, (32, 32))
    tile: NDArray[np.uint8] = np.clip(128.0 + field * strength, 0, 255).astype(np.uint8)
    return tile


def shrunk(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture in a smaller size (width, height), every pixel the mean of what it replaces."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def ground_texture(
    rng: np.random.Generator, layout: RoadLayout, weather: Weather
) -> NDArray[np.uint8]:
    """Paint asphalt and verges (no markings) in road coordinates.

    Returns:
        BGR uint8 (rows along the road, columns from left to right, 3) with `GROUND_ROW_M` and
        `GROUND_COLUMN_M` metres per pixel; it repeats after `GROUND_PERIOD_M`.
    """
    rows = round(GROUND_PERIOD_M / GROUND_ROW_M)
    columns = round(2 * GROUND_HALF_M / GROUND_COLUMN_M)
    shape = (rows, columns)
    t = GROUND_HALF_M - (np.arange(columns, dtype=np.float32) + 0.5) * GROUND_COLUMN_M

    texture = _verge(rng, shape, layout)
    asphalt = _asphalt(rng, shape, t, layout, weather)
    first, last = np.searchsorted(-t, [-layout.left, -layout.right])
    texture[:, first:last] = asphalt[:, first:last]
    _borders(rng, texture, t, layout)
    texture *= weather.light.astype(np.float32)
    return np.clip(texture, 0, 250).astype(np.uint8)


def _verge(
    rng: np.random.Generator, shape: tuple[int, int], layout: RoadLayout
) -> NDArray[np.float32]:
    """Grass, soil or pavement everywhere; float32 (rows, columns, 3)."""
    kinds = [(66.0, 108, 98), (58.0, 98, 82), (88.0, 128, 138), (92.0, 120, 148)]
    if layout.urban:
        kinds = [(140.0, 145, 150), (70.0, 110, 100), (120.0, 135, 150)]
    base = np.array(kinds[int(rng.integers(len(kinds)))], np.float32)
    value = 1.0 + 0.05 * noise(rng, shape, (shape[0] // 2, shape[1] // 2))
    value += 0.10 * noise(rng, shape, (180, 90)) + 0.07 * noise(rng, shape, (24, 12))
    tint = ((0.01 if layout.urban else 0.04) * noise(rng, shape, (40, 20)))[..., None]
    texture: NDArray[np.float32] = value[..., None] * base
    texture *= 1.0 + tint * np.array([-0.5, -0.2, 1.0], np.float32)
    return texture


def _asphalt(
    rng: np.random.Generator,
    shape: tuple[int, int],
    t: NDArray[np.float32],
    layout: RoadLayout,
    weather: Weather,
) -> NDArray[np.float32]:
    """Carriageway everywhere; float32 (rows, columns, 3)."""
    concrete = bool(rng.random() < 0.2)
    grey = float(rng.uniform(125, 175) if concrete else rng.uniform(62, 145))
    grey *= 1.0 - 0.42 * weather.wetness
    warm = float(rng.uniform(-0.03, 0.12))
    base = np.array([grey * (1 - warm), grey, grey * (1 + 0.6 * warm)], np.float32)

    value = 1.0 + 0.035 * noise(rng, shape, (shape[0] // 2, shape[1]))
    value += 0.04 * noise(rng, shape, (16, 8)) + 0.025 * noise(rng, shape, (6, 120))
    value += 0.025 * noise(rng, shape, (100, 60))
    polish = float(rng.uniform(-0.10, 0.06))
    for centre, _ in layout.lane_centres:
        for track in (-0.78, 0.78):
            value += polish * np.exp(-(((t - centre - track) / 0.3) ** 2))
        value -= float(rng.uniform(0.0, 0.07)) * np.exp(-(((t - centre) / 0.35) ** 2))
    if concrete:
        every = round(float(rng.uniform(4.0, 6.0)) / GROUND_ROW_M)
        value[::every] *= 0.72
        value *= 1.0 + 0.04 * np.repeat(rng.standard_normal(-(-shape[0] // every)), every)[
            : shape[0], None
        ].astype(np.float32)
    _patches(rng, value, layout)
    return value[..., None] * base


def _patches(rng: np.random.Generator, value: NDArray[np.float32], layout: RoadLayout) -> None:
    """Repairs, sealed cracks and seams, multiplied into `value` (rows, columns)."""
    rows = value.shape[0]

    def column(t: float) -> int:
        return round((GROUND_HALF_M - t) / GROUND_COLUMN_M)

    for _ in range(int(rng.integers(0, 9))):
        length, width = rng.uniform(1.5, 14.0), rng.uniform(0.6, layout.lane_width)
        y = int(rng.integers(rows - 1))
        x = column(float(rng.uniform(layout.right + width, layout.left)))
        part = value[y : y + round(length / GROUND_ROW_M), x : x + round(width / GROUND_COLUMN_M)]
        part *= float(rng.uniform(0.72, 1.12))
        part[:1] *= 0.8
        part[-1:] *= 0.8
        part[:, :1] *= 0.8
        part[:, -1:] *= 0.8
    seal = np.ones_like(value)
    for _ in range(int(rng.integers(0, 12))):
        count = 12
        start = float(rng.uniform(0, rows))
        if rng.random() < 0.5:
            down = start + np.cumsum(rng.normal(0, 8, count))
            across = np.linspace(column(layout.left), column(layout.right), count)
        else:
            down = start + np.linspace(0, rng.uniform(60, 400), count)
            first = column(float(rng.uniform(layout.right, layout.left)))
            across = first + np.cumsum(rng.normal(0, 3, count))
        points = np.stack([across, down], axis=1).astype(np.int32)
        cv2.polylines(seal, [points], False, (float(rng.uniform(0.6, 0.85)),), 1, cv2.LINE_AA)
    value *= seal


def _borders(
    rng: np.random.Generator,
    texture: NDArray[np.float32],
    t: NDArray[np.float32],
    layout: RoadLayout,
) -> None:
    """Gravel shoulder or gutter, kerb and sidewalk beside the carriageway, in place."""
    rows = texture.shape[0]
    for side, border in ((1.0, layout.left), (-1.0, layout.right)):
        out = side * (t - border)  # metres outside of the carriageway
        strip = (out > 0) & (out < layout.shoulder)
        count = int(strip.sum())
        fine = noise(rng, (rows, count), (rows, count))[..., None]
        coarse = noise(rng, (rows, count), (200, max(4, count // 4)))[..., None]
        if layout.urban:
            slab = np.array([158.0, 166, 172], np.float32) * float(rng.uniform(0.8, 1.15))
            texture[:, strip] = slab * (1.0 + 0.03 * fine + 0.03 * coarse)
            every = round(0.9 / GROUND_ROW_M)
            texture[::every, strip] *= 0.85
            joints = strip & (np.mod(out, 0.9) < GROUND_COLUMN_M)
            texture[:, joints] *= 0.85
            texture[:, (out > 0) & (out < 0.2)] = slab * 1.12
            texture[:, (out > -0.3) & (out < -0.02)] *= 0.85
        else:
            gravel = np.array([105.0, 120, 132], np.float32) * float(rng.uniform(0.75, 1.15))
            edge = layout.shoulder * (0.85 + 0.12 * coarse[..., 0])
            inside = (out[strip][None] < edge)[..., None]
            texture[:, strip] = np.where(
                inside, gravel * (1.0 + 0.10 * fine + 0.06 * coarse), texture[:, strip]
            )
