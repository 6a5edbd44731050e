"""Recordings as other tools leave them, small."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.carla_tags import palette_of, tags_of

HEIGHT, WIDTH = 72, 128


def street(version: str, seed: int = 0, *, extra: str = 'Buildings') -> NDArray[np.uint8]:
    """Tags of a street from a car's camera: sky, houses, road, lines, and one class more.

    Returns:
        (72, 128) uint8.
    """
    tags: Mapping[str, int] = tags_of(version)
    image = np.full((HEIGHT, WIDTH), tags['Sky'], np.uint8)
    image[20:36] = tags['Buildings']
    image[36:] = tags['Sidewalks']
    bend = seed % 7 - 3
    road = np.array([[56 + bend, 36], [72 + bend, 36], [128, 71], [0, 71]])
    cv2.fillPoly(image, [road], tags['Roads'])
    cv2.line(image, (64 + bend, 36), (64, 71), tags['RoadLines'], 2)
    image[24:30, 4 + seed % 20 : 12 + seed % 20] = tags[extra]
    return image


def coloured(tags: NDArray[np.uint8], version: str) -> NDArray[np.uint8]:
    """Tags as the CityScapes palette colours them, (H, W, 3) BGR."""
    return np.ascontiguousarray(palette_of(version)[tags][..., ::-1])


def red(tags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tags as the simulator sends them, (H, W, 4) BGRA."""
    nothing = np.zeros_like(tags)
    return np.dstack([nothing, nothing, tags, nothing + 255])


def picture(seed: int) -> NDArray[np.uint8]:
    """A picture unlike those of other seeds, (72, 128, 3) BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)


def write(path: Path, image: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return np.asarray(image, np.uint8)
