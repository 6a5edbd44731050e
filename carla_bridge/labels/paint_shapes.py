"""Paint known by its shape or place: crosswalks of the map, and lines that the map lacks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ['inside_any', 'lane_like']

_LEAST_LENGTH_M = 2.0
_MOST_WIDTH_M = 0.35
"""Straight arrows are as long as dashes, but their heads are wider."""

_LEAST_PIXELS = 12


def inside_any(
    points: NDArray[np.float64],
    polygons: Sequence[NDArray[np.float64]],
    range_m: float,
    origin: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which points lie in one of some polygons, seen from above.

    Args:
        points: (P, 3) or (P, 2), metres.
        polygons: (N, 2) each, metres.
        range_m: polygons farther from `origin` are left out, metres.
        origin: (2,) metres.
    """
    found = np.zeros(len(points), np.bool_)
    for polygon in polygons:
        if np.hypot(*(polygon[0] - origin)) > range_m:
            continue
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        near = np.flatnonzero(((points[:, :2] >= low) & (points[:, :2] <= high)).all(axis=1))
        if not len(near):
            continue
        x, y = points[near, :2].T
        inside = np.zeros(len(near), np.bool_)
        for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if ay != by:
                inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
        found[near[inside]] = True
    return found


def lane_like(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    points: NDArray[np.float64],
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Tell which painted pixels belong to something as long and thin as a lane line.

    Args:
        rows: (P,) of the pixels.
        columns: (P,) of the pixels.
        points: (P, 3) what they show, metres.
        shape: of the image.
    """
    if not len(rows):
        return np.zeros(0, np.bool_)
    mask = np.zeros(shape, np.uint8)
    mask[rows, columns] = 1
    number, labels = cv2.connectedComponents(mask, connectivity=8)
    part = labels[rows, columns].astype(np.intp)
    count = np.maximum(np.bincount(part, minlength=number), 1)
    x, y = points[:, 0], points[:, 1]
    mean_x, mean_y = (np.bincount(part, w, number) / count for w in (x, y))
    x, y = x - mean_x[part], y - mean_y[part]
    xx, xy, yy = (np.bincount(part, w, number) / count for w in (x * x, x * y, y * y))
    angle = np.arctan2(2 * xy, xx - yy)[part] / 2  # of the long axis
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    length, width = (_extent(values, part, number) for values in (along, across))
    thin = (length >= _LEAST_LENGTH_M) & (width <= _MOST_WIDTH_M) & (count >= _LEAST_PIXELS)
    return np.asarray(thin[part])


def _extent(
    values: NDArray[np.float64], part: NDArray[np.intp], number: int
) -> NDArray[np.float64]:
    """Return largest less smallest value of each part, (number,)."""
    low, high = np.full(number, np.inf), np.full(number, -np.inf)
    np.minimum.at(low, part, values)
    np.maximum.at(high, part, values)
    return np.where(np.isfinite(low), high - low, 0.0)
