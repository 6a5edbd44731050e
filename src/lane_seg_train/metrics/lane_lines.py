"""From a mask of painted lane markings to lines: one list of points for each line of the road.

A line is traced row by row. Its points are the middles of the runs of paint; runs of consecutive
rows that touch and are alike in width make a strand; strands that continue each other over a gap
(between dashes, behind a car, where the network missed something) are joined.

Limits: a line is never longer than its outermost paint; lines flatter than one row in twelve
columns are not found; stop lines are dropped for their shape, but lettering, arrows and zebra
crossings may pass as a line or bend one; where lines meet near the horizon, the straightest
continuation wins and the others end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['lines_from_mask']

# Shares of the image's height.
_LEAST_ROWS = 1 / 180  # of a strand
_LEAST_LINE_ROWS = 0.03
_LARGEST_GAP = 0.3
_OVERLAP = 0.03  # of strands that continue each other: ends are ragged
_FIT_ROWS = 1 / 15  # the end of a strand that tells its direction
_STEP = 1 / 72  # between points of a line: 10 pixels of 720, as TuSimple has it
# Shares of the image's diagonal.
_CLOSING = 0.004  # holes and dents that are filled
_LEAST_LENGTH = 0.08
_SIDESTEP = 0.01  # how far a continuation may lie beside the line,
_SIDESTEP_OF_GAP = 0.12  # and in addition this share of the gap
_STEEPEST_TURN = np.cos(np.radians(20))  # between a strand and the way to the next
_LEAST_PAINT = 0.15  # share of the rows of a line that have paint
_FLATTEST = 12  # columns that a strand may move in a row
# A run goes on with one that is at least this share of its width, or so many pixels less.
_ALIKE, _RAGGED = 0.4, 3
# Of a mask full of specks only the longest are looked at: each is compared with each.
_MOST_STRANDS = 300


@dataclass(frozen=True)
class _Strand:
    """Points from the bottom upwards, (N, 2) x, y."""

    points: NDArray[np.float64]

    def direction(self, rows: int, *, top: bool) -> NDArray[np.float64]:
        """Unit vector upwards along the upper or the lower end; least squares of x over y."""
        part = self.points[-rows:] if top else self.points[:rows]
        x, y = part.T
        spread = float(((y - y.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread else 0.0
        vector = np.array([-slope, -1.0])
        return np.asarray(vector / np.linalg.norm(vector))

    @property
    def length(self) -> float:
        """Pixels from end to end."""
        return float(np.linalg.norm(self.points[-1] - self.points[0]))


def lines_from_mask(marking: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Find the lines in a mask.

    Args:
        marking: (H, W) bool, where lane marking is.

    Returns:
        Lines from left to right by their lowest point, each (N, 2) float64 x, y of pixel centres
        from the bottom upwards, rows about H / 72 apart.
    """
    height, width = marking.shape
    diagonal = float(np.hypot(height, width))
    reach = round(_CLOSING * diagonal / 2)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # Padded, for at an edge of the image OpenCV would close up to the edge.
    padded = np.pad(marking.astype(np.uint8), 2 * reach)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, brush) > 0
    inside = closed[2 * reach :, 2 * reach :][:height, :width]
    strands = _joined(_strands(inside), height, diagonal)
    lines = []
    for strand in strands:
        rows = float(strand.points[0, 1] - strand.points[-1, 1])
        painted = len(strand.points) / (rows + 1)
        if (
            rows >= _LEAST_LINE_ROWS * height
            and strand.length >= _LEAST_LENGTH * diagonal
            and painted >= _LEAST_PAINT
        ):
            lines.append(_resampled(strand.points, max(1.0, _STEP * height)))
    return sorted(lines, key=lambda line: float(line[0, 0]))


def _strands(marking: NDArray[np.bool_]) -> list[_Strand]:
    """Follow runs of paint from row to row for as long as they keep their width."""
    height = marking.shape[0]
    edges = np.diff(np.pad(marking, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    above = _followers(rows, starts, ends, height)
    strands = []
    for run in sorted(set(range(len(rows))) - set(above.values()), reverse=True):
        chain = [run]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
        strand = _Strand(np.stack([(starts[chain] + ends[chain] - 1) / 2, rows[chain]], axis=1))
        rise = len(chain)
        is_bar = np.median(ends[chain] - starts[chain]) > max(rise, strand.length)
        is_flat = np.ptp(strand.points[:, 0]) > _FLATTEST * rise
        if rise >= max(2.0, _LEAST_ROWS * height) and not is_bar and not is_flat:
            strands.append(strand)
    return sorted(strands, key=lambda strand: -strand.length)[:_MOST_STRANDS]


def _followers(
    rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64], height: int
) -> dict[int, int]:
    """For each run of paint the one of the row above that goes on with it.

    Of runs that touch, also corner to corner, each takes the one that it shares most columns
    with, if that is mutual and their widths are alike: a lane line does not turn into the stop
    line that it ends at.
    """
    firsts = np.searchsorted(rows, np.arange(height + 1))
    widths = ends - starts
    above = {}
    for row in range(1, height):
        upper, lower = slice(*firsts[row - 1 : row + 1]), slice(*firsts[row : row + 2])
        if upper.start == upper.stop or lower.start == lower.stop:
            continue
        shared = np.minimum(ends[upper, None], ends[None, lower]) - np.maximum(
            starts[upper, None], starts[None, lower]
        )
        best_lower, best_upper = shared.argmax(axis=1), shared.argmax(axis=0)
        for one, other in enumerate(best_lower):
            if best_upper[other] != one or shared[one, other] < 0:
                continue
            pair = upper.start + one, lower.start + int(other)
            narrow, wide = sorted(int(widths[run]) for run in pair)
            if wide - narrow <= _RAGGED or narrow >= _ALIKE * wide:
                above[pair[1]] = pair[0]
    return above


def _joined(strands: list[_Strand], height: int, diagonal: float) -> list[_Strand]:
    """Join the best continuations, again and again: longer strands know their direction better."""
    while len(strands) > 1:
        costs = _costs(strands, height, diagonal)
        partners = [
            (lower, int(costs[lower].argmin()))
            for lower in range(len(strands))
            if np.isfinite(costs[lower].min())
        ]
        chosen = {
            lower: upper for lower, upper in partners if int(costs[:, upper].argmin()) == lower
        }
        if not chosen:
            break
        taken = set(chosen.values())
        joined = []
        for index, strand in enumerate(strands):
            if index in taken:
                continue
            points = strand.points
            while index in chosen:
                index = chosen[index]
                upper = strands[index].points
                points = np.concatenate([points[points[:, 1] > upper[0, 1]], upper])
            joined.append(_Strand(points))
        strands = joined
    return strands


def _costs(strands: list[_Strand], height: int, diagonal: float) -> NDArray[np.float64]:
    """How badly strand j continues strand i upwards, (N, N) in pixels; infinite: not at all."""
    rows = max(3, round(_FIT_ROWS * height))
    tops = np.array([strand.points[-1] for strand in strands])
    bottoms = np.array([strand.points[0] for strand in strands])
    upwards = np.array([strand.direction(rows, top=True) for strand in strands])
    entries = np.array([strand.direction(rows, top=False) for strand in strands])
    way = bottoms[None] - tops[:, None]
    gap = np.linalg.norm(way, axis=2)
    leave = np.abs(_cross(upwards[:, None], way))
    arrive = np.abs(_cross(entries[None], way))
    # The direction of a long strand counts more than that of a short one.
    lengths = np.array([strand.length for strand in strands])
    share = lengths[:, None] / (lengths[:, None] + lengths[None] + 1e-9)
    aside = share * leave + (1 - share) * arrive
    unit = way / np.maximum(gap, 1e-9)[..., None]
    turn = np.where(
        lengths[:, None] >= lengths[None],
        (unit * upwards[:, None]).sum(axis=2),
        (unit * entries[None]).sum(axis=2),
    )
    rising = tops[:, None, 1] - bottoms[None, :, 1]
    near = gap <= 3 * _SIDESTEP * diagonal
    # The lower one ends lower at both ends, so that strands cannot follow each other in a circle.
    is_lower = (tops[:, None, 1] > tops[None, :, 1]) & (bottoms[:, None, 1] > bottoms[None, :, 1])
    fits = (
        is_lower
        & (rising >= -_OVERLAP * height)
        & (rising <= _LARGEST_GAP * height)
        & (aside <= _SIDESTEP * diagonal + _SIDESTEP_OF_GAP * gap)
        & (near | (turn >= _STEEPEST_TURN))
    )
    return np.where(fits, aside + _SIDESTEP_OF_GAP * gap, np.inf)


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])


def _resampled(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Points at equal steps of rows, both ends kept; gaps are bridged by straight pieces."""
    bottom, top = points[0, 1], points[-1, 1]
    y = np.linspace(bottom, top, max(2, round((bottom - top) / step) + 1))
    x = np.interp(-y, -points[:, 1], points[:, 0])
    return np.stack([x, y], axis=1)
