"""Cutting roads into pieces that are short enough and follow curves closely enough."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.towns.curve import Curve
from carla_bridge.mini_carla.towns.network import Road, evaluate

__all__ = ['PIECE_M', 'beside', 'curve_runs', 'pieces', 'strip', 'to_world']

Array = NDArray[np.float64]

PIECE_M = 6.0
"""No polygon of a strip is longer, metres."""

_SAGITTA_M = 0.004
"""How far an edge may leave the curve that it stands for: a pixel at 720 rows is wider."""


def pieces(road: Road, begin: float, end: float) -> list[Array]:
    """Cut [begin, end] of a road, metres, into runs of sample positions.

    Each run has shape (N,), N at least 2; its last value is the first of the next one.
    """
    breaks = [s for s in road.curve.starts.tolist() if begin + 1e-6 < s < end - 1e-6]
    bounds = [begin, *breaks, end]
    runs = []
    for first, last in zip(bounds, bounds[1:], strict=False):
        count = max(1, math.ceil((last - first) / PIECE_M - 1e-9))
        cuts = np.linspace(first, last, count + 1)
        step = _step(road, first, last)
        for low, high in zip(cuts, cuts[1:], strict=False):
            runs.append(np.linspace(low, high, max(1, math.ceil((high - low) / step)) + 1))
    return runs


def _step(road: Road, begin: float, end: float) -> float:
    """Return the longest chord in metres that stays within `_SAGITTA_M` of the road."""
    s = np.linspace(begin + 1e-6, end - 1e-6, 9)
    bending = np.hypot(road.curve.curvature(s), evaluate(road.elevation, s, derivative=2))
    most = float(bending.max())
    return PIECE_M if most == 0 else math.sqrt(8 * _SAGITTA_M / most)


def strip(road: Road, s: Array, right: Array, left: Array, up: float = 0.0) -> NDArray[np.float32]:
    """Return the polygon (2 N, 3) between two borders of a road, in the world frame.

    Args:
        road: the road.
        s: (N,) metres, rising.
        right: (N,) t of the right border, metres.
        left: (N,) t of the left border, greater than `right`.
        up: height above the road, metres.
    """
    there = road.points(s, right)
    back = road.points(s, left)[::-1]
    polygon = np.concatenate([there, back])
    polygon[:, 2] += up
    return to_world(polygon).astype(np.float32)


def to_world(points: Array) -> Array:
    """Turn points (N, 3) of OpenDRIVE's frame (y LEFT) into the world frame (y RIGHT)."""
    return points * (1.0, -1.0, 1.0)


def curve_runs(curve: Curve) -> list[Array]:
    """Cut a flat curve, metres, into runs of sample positions like `pieces`."""
    runs = []
    for start, element in zip(curve.starts, curve.elements, strict=True):
        bending = max(abs(element.start), abs(element.end))
        step = math.sqrt(8 * _SAGITTA_M / bending) if bending else PIECE_M
        cuts = np.linspace(0, element.length, max(1, math.ceil(element.length / PIECE_M)) + 1)
        for low, high in zip(cuts, cuts[1:], strict=False):
            runs.append(start + np.linspace(low, high, max(1, math.ceil((high - low) / step)) + 1))
    return runs


def beside(curve: Curve, s: Array, t: float = 0.0) -> Array:
    """Return the points (N, 2) at s (N,), `t` metres to the left of a curve."""
    x, y, heading = curve.at(s)
    return np.stack([x - t * np.sin(heading), y + t * np.cos(heading)], axis=1)
