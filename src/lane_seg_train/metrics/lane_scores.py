"""Lane lines against lane lines: F1 as on CULane, row accuracy as on TuSimple."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg_train.metrics.outcomes import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ['LaneScore', 'culane_counts', 'lane_ious', 'row_hits']

# CULane: lines drawn 30 pixels wide on an image of 1640, a hit above this IoU.
_WIDTH = 30 / 1640
_LEAST_IOU = 0.5
# TuSimple: a point is right within 20 pixels of an image of 1280, on rows 10 of 720 apart.
_ROW_PX = 20 / 1280
_ROW_STEP = 10 / 720
# TuSimple: a line is found if so many of its rows are right.
_LEAST_ROWS = 0.85
# Lines are drawn to a sixteenth of a pixel.
_SHIFT = 4


@dataclass
class LaneScore:
    """Counts over a data set; ratios are of sums over all images, NaN of nothing to nothing.

    F1 is that of CULane (Pan et al., 2018, Spatial as deep: spatial CNN for traffic scene
    understanding), but lines are joined by straight pieces where the benchmark's own program
    draws splines.

    Row accuracy is that of the TuSimple challenge, sum of right points / sum of labelled points,
    with its tolerance: 20 px / cos(angle), the angle of a line against the vertical by least
    squares of x over y. Differences, all to the disadvantage of the prediction: rows without a
    label do not count (the benchmark's own program counts as right what both leave out), a
    predicted line serves one labelled line only, and no labelled line may be missed for free
    (the benchmark forgives one beyond four).
    """

    images: int = 0
    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    rows: int = 0
    right_rows: int = 0
    labelled: int = 0
    predicted: int = 0
    found: int = 0

    def add(
        self,
        labelled: Sequence[NDArray[np.float64]],
        predicted: Sequence[NDArray[np.float64]],
        size: tuple[int, int],
    ) -> None:
        """Count one image.

        Args:
            labelled: lines, (N, 2) float64 x, y in pixels each.
            predicted: lines.
            size: (height, width) of the image.
        """
        true, false, missed = culane_counts(labelled, predicted, size)
        self.true_positives += true
        self.false_positives += false
        self.false_negatives += missed
        right, rows = row_hits(labelled, predicted, size)
        shares = right / np.maximum(rows[:, None], 1)
        pairs = _matches(shares)
        self.rows += int(rows.sum())
        self.right_rows += sum(int(right[one, other]) for one, other in pairs)
        self.found += sum(bool(shares[one, other] >= _LEAST_ROWS) for one, other in pairs)
        self.labelled += len(labelled)
        self.predicted += len(predicted)
        self.images += 1

    @property
    def f1(self) -> float:
        """CULane's F1 at IoU 0.5, 0..1."""
        double = 2 * self.true_positives
        return ratio(double, double + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        """Share of predicted lines that are hits, 0..1."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of labelled lines that are hit, 0..1."""
        return ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def row_accuracy(self) -> float:
        """TuSimple's accuracy: share of labelled points that are right, 0..1."""
        return ratio(self.right_rows, self.rows)

    @property
    def false_positive_rate(self) -> float:
        """TuSimple's FP: share of predicted lines of which less than 85 % of rows are right."""
        return ratio(self.predicted - self.found, self.predicted)

    @property
    def false_negative_rate(self) -> float:
        """TuSimple's FN: share of labelled lines that no predicted line finds."""
        return ratio(self.labelled - self.found, self.labelled)


def culane_counts(
    labelled: Sequence[NDArray[np.float64]],
    predicted: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
) -> tuple[int, int, int]:
    """True positives, false positives and false negatives of one image.

    Lines are matched one to one so that the sum of their IoU is largest; a match counts if its
    IoU is above 0.5.
    """
    ious = lane_ious(labelled, predicted, size)
    hits = sum(bool(ious[one, other] > _LEAST_IOU) for one, other in _matches(ious))
    return hits, len(predicted) - hits, len(labelled) - hits


def lane_ious(
    labelled: Sequence[NDArray[np.float64]],
    predicted: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """IoU of every labelled with every predicted line, drawn 30/1640 of the image's width wide.

    Returns:
        (labelled, predicted) float64, 0..1.
    """
    ious = np.zeros((len(labelled), len(predicted)))
    drawn = [_drawn(line, size) for line in predicted]
    for row, line in enumerate(labelled):
        label = _drawn(line, size)
        for column, other in enumerate(drawn):
            shared = int(np.count_nonzero(label & other))
            ious[row, column] = shared and shared / int(np.count_nonzero(label | other))
    return ious


def row_hits(
    labelled: Sequence[NDArray[np.float64]],
    predicted: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Right points of every labelled with every predicted line, and points of the labelled ones.

    Returns:
        (labelled, predicted) int64 and (labelled,) int64.
    """
    height, width = size
    y = np.arange(0, height, max(1.0, _ROW_STEP * height))
    guesses = [_x_at(line, y) for line in predicted]
    right = np.zeros((len(labelled), len(predicted)), np.int64)
    rows = np.zeros(len(labelled), np.int64)
    for index, line in enumerate(labelled):
        x = _x_at(line, y)
        has_point = ~np.isnan(x)
        rows[index] = has_point.sum()
        if rows[index] == 0:
            continue
        slope = np.polyfit(y[has_point], x[has_point], 1)[0] if rows[index] > 1 else 0.0
        # The secant of the angle whose tangent is the slope.
        tolerance = _ROW_PX * width * math.hypot(1.0, float(slope))
        for column, guess in enumerate(guesses):
            right[index, column] = int((np.abs(guess - x)[has_point] < tolerance).sum())
    return right, rows


def _matches(worth: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs, one to one, of the largest total worth (Kuhn, 1955, Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _drawn(line: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros(size, np.uint8)
    points = np.round(line * (1 << _SHIFT)).astype(np.int32)
    thickness = max(1, round(_WIDTH * size[1]))
    cv2.polylines(canvas, [points], False, 1, thickness, cv2.LINE_8, _SHIFT)
    return canvas > 0


def _x_at(line: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a line crosses rows, NaN outside of it; of several crossings the leftmost."""
    x = np.full(len(y), np.nan)
    for (x0, y0), (x1, y1) in zip(line[:-1], line[1:], strict=True):
        low, high = sorted((y0, y1))
        inside = (y >= low) & (y <= high)
        share = (y[inside] - y0) / (y1 - y0) if y1 != y0 else 0.0
        x[inside] = np.fmin(x[inside], x0 + share * (x1 - x0))
    return x
