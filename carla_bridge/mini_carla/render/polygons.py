"""Measures of many polygons at once: normals, flatness, convexity, width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ['are_convex', 'flat_pieces', 'normals', 'widths']

_FLAT_M = 0.005  # a polygon that bends more is cut into triangles, so that its depth is exact


def _newell(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the area times the normal of polygons (M, n, 3) by Newell's sum, (M, 3)."""
    after = np.roll(polygons, -1, axis=1)
    total: NDArray[np.float64] = np.cross(polygons, after).sum(axis=1)
    return total


def normals(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit normals of polygons (M, n, 3), turned to the sky, (M, 3)."""
    total = _newell(polygons)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.where(length > 1e-12, total / length.clip(1e-12), (0.0, 0.0, 1.0))
    return unit * np.where(unit[:, 2:] < 0, -1.0, 1.0)


def are_convex(polygons: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which polygons (M, n, 3) are convex, seen from above, (M,)."""
    edge = np.roll(polygons, -1, axis=1)[..., :2] - polygons[..., :2]
    after = np.roll(edge, -1, axis=1)
    turn = edge[..., 0] * after[..., 1] - edge[..., 1] * after[..., 0]
    tolerance = 1e-6 * np.abs(turn).max(axis=1, keepdims=True)
    same: NDArray[np.bool_] = (turn >= -tolerance).all(axis=1) | (turn <= tolerance).all(axis=1)
    return same


def widths(polygons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of polygons (M, n, 3) by their longest edge, metres, (M,)."""
    area = np.linalg.norm(_newell(polygons), axis=1) / 2
    longest = np.linalg.norm(np.roll(polygons, -1, axis=1) - polygons, axis=2).max(axis=1)
    return np.asarray(area / longest.clip(1e-6), np.float64)


def flat_pieces(
    polygons: Sequence[NDArray[np.floating]],
) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Sort polygons by their number of corners; those that are not flat become triangles.

    Args:
        polygons: (n, 3) each, metres.

    Returns:
        Groups of (M,) indices into `polygons` and (M, n, 3) float64 corners.
    """
    sizes = np.array([len(polygon) for polygon in polygons], np.intp)
    groups = []
    for size in np.unique(sizes).tolist():
        index = np.flatnonzero(sizes == size)
        corners = np.array([polygons[i] for i in index.tolist()], np.float64)
        middle = corners.mean(axis=1, keepdims=True)
        off = np.einsum('mnj,mj->mn', corners - middle, normals(corners))
        bent = (np.abs(off).max(axis=1) > _FLAT_M) & are_convex(corners) & (size > 3)
        groups.append((index[~bent], corners[~bent]))
        if bent.any():
            fan = [corners[bent][:, [0, k, k + 1]] for k in range(1, size - 1)]
            groups.append((np.tile(index[bent], size - 2), np.concatenate(fan)))
    return groups
