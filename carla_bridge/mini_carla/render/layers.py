"""Order in which ground polygons are drawn: far to near, paint always after what it lies on.

On a ground with hills a near slope hides a far one, so polygons are drawn in order of distance. A
mark, though, lies on road pieces that reach nearer than itself. Each polygon therefore moves as
far towards the viewer as the nearest of the polygons of the layer below that it may lie on; which
ones these are never changes and is found once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ['DrawingOrder', 'overlaps']

_CELL_M = 16.0
_CARPET_M = 64.0  # polygons that reach farther are carpets, drawn before all others


class DrawingOrder:
    """Painter's order of polygons in layers.

    Args:
        low: (N, 2) float64, smallest x and y of each polygon, metres.
        high: (N, 2) float64, largest x and y.
        layer: (N,) layer of each polygon, 0 (lowest) to 2 (paint).
    """

    def __init__(
        self, low: NDArray[np.float64], high: NDArray[np.float64], layer: NDArray[np.intp]
    ) -> None:
        self._layer = layer
        self._middle = (low + high) / 2
        self._radius = np.hypot(*(high - low).T) / 2
        self._carpet = (high - low).max(axis=1, initial=0.0) > _CARPET_M
        small = ~self._carpet
        self._links = []
        for upper in (1, 2):
            above = np.flatnonzero((layer == upper) & small)
            below = np.flatnonzero((layer == upper - 1) & small)
            child, parent = overlaps(low, high, above, below)
            starts = np.flatnonzero(np.diff(child, prepend=-1))
            self._links.append((child[starts], parent, starts))

    def keys(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the distance at which each polygon is drawn, seen from (x, y), metres.

        Returns:
            (N,) float64; draw from the largest to the smallest, equal ones by their layer.
        """
        away = np.hypot(self._middle[:, 0] - x, self._middle[:, 1] - y)
        keys = np.where(self._layer == 2, away - self._radius, away + self._radius)
        for child, parent, starts in self._links:
            if len(child):
                nearest = np.minimum.reduceat(keys[parent], starts)
                keys[child] = np.minimum(keys[child], nearest)
        keys[self._carpet] = np.inf
        return keys

    def sorted(self, keys: NDArray[np.float64], which: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the polygons `which` in the order of drawing; `keys` are all polygons' keys."""
        return which[np.lexsort((which, self._layer[which], -keys[which]))]


def overlaps(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    above: NDArray[np.intp],
    below: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the pairs of rectangles that overlap or touch.

    Args:
        low: (N, 2) lower corner of every rectangle, metres.
        high: (N, 2) upper corner.
        above: indices of rectangles.
        below: indices of rectangles to pair them with.

    Returns:
        Two arrays of the same length: the index from `above` (rising) and that from `below`.
    """
    cells: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
    for side, members in enumerate((above, below)):
        first = np.floor(low[members] / _CELL_M).astype(int).tolist()
        last = np.floor(high[members] / _CELL_M).astype(int).tolist()
        for index, (x0, y0), (x1, y1) in zip(members.tolist(), first, last, strict=True):
            for column in range(x0, x1 + 1):
                for row in range(y0, y1 + 1):
                    cells.setdefault((column, row), ([], []))[side].append(index)
    pairs = [np.empty((0, 2), np.intp)]
    for ours, theirs in cells.values():
        a, b = np.array(ours, np.intp), np.array(theirs, np.intp)
        if not len(a) or not len(b):
            continue
        meet = (low[a, None] <= high[None, b]).all(axis=2) & (low[None, b] <= high[a, None]).all(
            axis=2
        )
        rows, columns = np.nonzero(meet)
        pairs.append(np.stack([a[rows], b[columns]], axis=1))
    found = np.unique(np.concatenate(pairs), axis=0)
    return found[:, 0], found[:, 1]
