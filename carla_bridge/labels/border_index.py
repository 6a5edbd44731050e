"""Finds, for many points of the ground at once, the nearest painted border.

Borders are cut into chords that stay within two millimetres of them; cells of the ground know the
chords that come near. Everything is done with arrays: a frame asks for ten thousand points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.lane_map import MarkedBorder

__all__ = ['BorderIndex', 'Nearest']

_CELL_M: Final = 1.0
_SAGITTA_M = 0.002
_CHORD_SAMPLES = 16  # of half a metre
_STOREY_M = 2.0
"""A border farther above or below belongs to another storey of the road."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest border of each point that has one near.

    Attributes:
        point: (M,) index of the point.
        border: (M,) index of the border.
        beside: (M,) metres from the middle of its paint, to the right of rising s positive.
        beyond: (M,) metres by which the point lies before its beginning (negative) or past its
            end; 0 along it.
        along: (M, 2) unit vector of the border in the plane, in direction of rising s.
    """

    point: NDArray[np.intp]
    border: NDArray[np.intp]
    beside: NDArray[np.float64]
    beyond: NDArray[np.float64]
    along: NDArray[np.float64]


class BorderIndex:
    """An index of the painted borders of a town.

    Args:
        borders: of the town.
        reach_m: how far from the outer edge of the paint a border is found, metres.
    """

    def __init__(self, borders: Sequence[MarkedBorder], reach_m: float) -> None:
        self._reach = reach_m
        chords = [chord for i, border in enumerate(borders) for chord in _chords(i, border)]
        table = np.array(chords, np.float64).reshape(-1, 9)
        self._start, vector = table[:, :3], table[:, 3:6] - table[:, :3]
        self._length = np.hypot(vector[:, 0], vector[:, 1])
        self._along = vector[:, :2] / np.maximum(self._length, 1e-9)[:, None]
        self._slope = vector[:, 2] / np.maximum(self._length, 1e-9)
        self._border = table[:, 6].astype(np.intp)
        self._first, self._last = table[:, 7] > 0, table[:, 8] > 0
        half = np.array([border.half_m for border in borders])
        self._half = half[self._border] if len(borders) else half
        self._build_cells()

    def nearest(self, points: NDArray[np.float64]) -> Nearest:
        """Find the nearest border of each point, as measured from the edge of its paint.

        Args:
            points: (P, 3) of the ground, world frame, metres.
        """
        cell, inside = self._cell_of(points)
        counts = np.where(inside, self._offsets[cell + 1] - self._offsets[cell], 0)
        point = np.repeat(np.arange(len(points)), counts)
        before = np.cumsum(counts) - counts
        chord = self._members[
            np.arange(len(point)) + np.repeat(self._offsets[cell] - before, counts)
        ]
        offset = points[point] - self._start[chord]
        along = self._along[chord]
        t = offset[:, 0] * along[:, 0] + offset[:, 1] * along[:, 1]
        beside = along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]
        beyond = np.minimum(t, 0.0) + np.maximum(t - self._length[chord], 0.0)
        height = offset[:, 2] - self._slope[chord] * t
        edge = np.maximum(np.abs(beside) - self._half[chord], 0.0)
        distance = np.hypot(edge, beyond)
        # Where bands overlap, the nearer middle decides.
        distance += 1e-3 * np.abs(beside)
        distance[np.abs(height) > _STOREY_M] = np.inf
        starts = np.flatnonzero(np.diff(point, prepend=-1))
        if not len(starts):
            return self._chosen(point, chord, beside, beyond)
        least = np.minimum.reduceat(distance, starts)
        run = np.cumsum(np.diff(point, prepend=-1) > 0) - 1
        best = np.flatnonzero((distance == least[run]) & (distance <= self._reach))
        # Chords that meet in a point are equally near: one is enough.
        best = best[np.diff(point[best], prepend=-1) > 0]
        return self._chosen(point[best], chord[best], beside[best], beyond[best])

    def _chosen(
        self,
        point: NDArray[np.intp],
        chord: NDArray[np.intp],
        beside: NDArray[np.float64],
        beyond: NDArray[np.float64],
    ) -> Nearest:
        # Between two chords of one border there is no end.
        ends = np.where(beyond < 0, self._first[chord], self._last[chord])
        return Nearest(
            point=point,
            border=self._border[chord],
            beside=beside,
            beyond=np.where(ends, beyond, 0.0),
            along=self._along[chord],
        )

    def _build_cells(self) -> None:
        """Note in each cell which chords come near it."""
        margin = self._reach + float(self._half.max(initial=0.0)) + _CELL_M * math.sqrt(0.5)
        ends = self._start[:, :2] + self._along * self._length[:, None]
        if len(ends):
            low = np.minimum(self._start[:, :2], ends).min(axis=0) - margin
            high = np.maximum(self._start[:, :2], ends).max(axis=0) + margin
        else:
            low, high = np.zeros(2), np.zeros(2)
        self._low = low
        self._shape = np.maximum(np.ceil((high - low) / _CELL_M).astype(int), 1) + 1
        steps = np.maximum(np.ceil(self._length / _CELL_M).astype(int), 1) + 1
        chord = np.repeat(np.arange(len(steps)), steps)
        within = np.arange(len(chord)) - np.repeat(np.cumsum(steps) - steps, steps)
        t = self._length[chord] * within / (steps[chord] - 1)
        places = self._start[chord, :2] + self._along[chord] * t[:, None]
        span = math.ceil(margin / _CELL_M)
        pairs = []
        for dx in range(-span, span + 1):
            for dy in range(-span, span + 1):
                cell = np.floor((places - low) / _CELL_M).astype(int) + (dx, dy)
                centre = low + (cell + 0.5) * _CELL_M
                near = np.hypot(*(places - centre).T) <= margin + _CELL_M / 2
                near &= (cell >= 0).all(axis=1) & (cell < self._shape).all(axis=1)
                pairs.append(np.stack([cell[near] @ (self._shape[1], 1), chord[near]], axis=1))
        both = np.unique(np.concatenate(pairs), axis=0)
        self._members = both[:, 1]
        cells = int(self._shape.prod())
        self._offsets = np.searchsorted(both[:, 0], np.arange(cells + 1))

    def _cell_of(self, points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the cell of each point, 0 for points outside, and which are inside."""
        with np.errstate(invalid='ignore', over='ignore'):
            steps = (points[:, :2] - self._low) / _CELL_M
            inside = ((steps >= 0) & (steps < self._shape)).all(axis=1)
        cell = np.floor(np.where(inside[:, None], steps, 0.0)).astype(np.intp)
        return cell[:, 0] * self._shape[1] + cell[:, 1], inside


def _chords(index: int, border: MarkedBorder) -> Iterator[tuple[float, ...]]:
    """Yield start, end, index of the border, whether it begins here and whether it ends here."""
    points = border.points
    last = len(points) - 1
    for begin in range(0, last, _CHORD_SAMPLES):
        for first, second in _straight(points, begin, min(begin + _CHORD_SAMPLES, last)):
            start, end = points[first].tolist(), points[second].tolist()
            yield (*start, *end, index, float(first == 0), float(second == last))


def _straight(points: NDArray[np.float64], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut a run of points into as few chords as halving finds."""
    run = points[first : last + 1] - points[first]
    chord = run[-1]
    square = float(chord @ chord)
    if last - first > 1:
        beside = run - np.outer(run @ chord / max(square, 1e-12), chord)
        if float((beside**2).sum(axis=1).max()) > _SAGITTA_M**2:
            middle = (first + last) // 2
            yield from _straight(points, first, middle)
            yield from _straight(points, middle, last)
            return
    yield first, last
