"""Joins stretches of lane border that continue each other into lines."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ['line_numbers']

_MEET_M = 0.3
_MEET_COSINE = math.cos(math.radians(25.0))


class _End(NamedTuple):
    """One end of a stretch: where it is, and the way from there into the stretch."""

    stretch: int
    point: NDArray[np.float64]
    inward: NDArray[np.float64]


def line_numbers(stretches: Sequence[NDArray[np.float64]]) -> list[int]:
    """Number the lines of which stretches are parts, from 1.

    Where exactly two of them meet end to end, without a bend, they are one line; where a line
    splits up, in a junction, each branch is a line of its own.

    Args:
        stretches: (N, 3) points each, metres.

    Returns:
        The number for each stretch.
    """
    ends = [end for index, points in enumerate(stretches) for end in _ends(index, points)]
    cells: dict[tuple[int, ...], list[_End]] = defaultdict(list)
    for end in ends:
        cells[_cell(end.point)].append(end)
    parent = list(range(len(stretches)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for end in ends:
        near = [other for other in _near(end, cells) if other is not end]
        if len(near) == 1 and _straight_on(end, near[0]):
            parent[root(end.stretch)] = root(near[0].stretch)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(index), len(numbers) + 1) for index in range(len(parent))]


def _ends(index: int, points: NDArray[np.float64]) -> tuple[_End, _End]:
    return (
        _End(index, points[0], points[1] - points[0]),
        _End(index, points[-1], points[-2] - points[-1]),
    )


def _cell(point: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(np.rint(point / (2 * _MEET_M)).astype(int).tolist())


def _near(end: _End, cells: dict[tuple[int, ...], list[_End]]) -> Iterator[_End]:
    """Yield the ends at the same place, itself included."""
    cell = np.array(_cell(end.point))
    for offset in np.ndindex(3, 3, 3):
        for other in cells.get(tuple((cell + offset - 1).tolist()), ()):
            if float(np.linalg.norm(other.point - end.point)) < _MEET_M:
                yield other


def _straight_on(one: _End, other: _End) -> bool:
    lengths = float(np.linalg.norm(one.inward) * np.linalg.norm(other.inward))
    return -float(one.inward @ other.inward) > _MEET_COSINE * lengths
