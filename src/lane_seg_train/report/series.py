"""Series of numbers as a chart shows them: smoothed, broken at gaps, thinned where too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['last_of', 'smoothed', 'spans', 'stretches', 'thinned']


def smoothed(values: NDArray[np.float64], half_width: int) -> NDArray[np.float64]:
    """Mean over a window about each value; not-a-numbers count for nothing.

    Args:
        values: (N,) float64.
        half_width: values on either side; at the ends, those that there are.

    Returns:
        (N,) float64; NaN where the whole window is.
    """
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half_width, 0), np.minimum(index + half_width + 1, len(values))
    count = counts[high] - counts[low]
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.asarray((sums[high] - sums[low]) / count)


def stretches(steps: NDArray[np.float64]) -> list[slice]:
    """The rows between which no step is missing: a line is broken there, and not drawn over."""
    distance = np.diff(steps)
    holes = np.flatnonzero(distance > 3 * np.median(distance)) + 1 if len(distance) else distance
    ends = [0, *(int(hole) for hole in holes), len(steps)]
    return [slice(start, end) for start, end in zip(ends, ends[1:], strict=False)]


def spans(
    values: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the largest of each group of `size` neighbours; NaN where a group has none."""
    padding = (0, -len(values) % size)
    groups = np.pad(values, padding, constant_values=np.nan).reshape(-1, size)
    known = np.isfinite(groups)
    low = np.where(known, groups, np.inf).min(axis=1)
    high = np.where(known, groups, -np.inf).max(axis=1)
    empty = ~known.any(axis=1)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most so many points of a smooth line, evenly chosen, both ends among them."""
    if len(x) <= most:
        return x, y
    kept = np.linspace(0, len(x) - 1, most).astype(int)
    return x[kept], y[kept]


def last_of(values: NDArray[np.float64]) -> float | None:
    """The last finite value; None if there is none."""
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None
