"""Choose the range of an activation from the histogram of its magnitudes.

A larger range clips less and rounds more. Four ways to choose:

- max: the largest magnitude that was seen; nothing is clipped.
- percentile: so many per cent of all values lie within (Wu et al., 2020, arXiv:2004.09602).
- mse: the smallest mean squared error of clipping and rounding together (Sung et al., 2015,
  arXiv:1511.06488).
- entropy: the smallest Kullback-Leibler divergence between the values before and after (Migacz,
  "8-bit inference with TensorRT", GTC 2017): what TensorRT's own calibrator does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['BINS', 'CALIBRATORS', 'Calibrator', 'Histogram', 'amax_of']

Calibrator = Literal['max', 'percentile', 'mse', 'entropy']
CALIBRATORS: tuple[str, ...] = get_args(Calibrator)
BINS = 2048
# Candidate ranges of 'mse' and 'entropy' end at every so many bins.
STRIDE = 16


@dataclass(frozen=True)
class Histogram:
    """How often which magnitude was seen.

    Attributes:
        counts: (BINS,) int64; equal bins from 0 to `largest`.
        largest: the largest magnitude, at least 0.
        is_signed: some values were negative.
    """

    counts: NDArray[np.int64]
    largest: float
    is_signed: bool

    @property
    def bin_width(self) -> float:
        """Width of a bin."""
        return self.largest / len(self.counts)


def amax_of(
    histogram: Histogram, calibrator: Calibrator, *, percentile: float = 99.99, code_max: int = 127
) -> float:
    """Return the magnitude that becomes the largest code.

    Args:
        histogram: of one activation.
        calibrator: one of CALIBRATORS.
        percentile: per cent of all values that 'percentile' keeps within.
        code_max: the largest code: 127 for int8.

    Returns:
        Above 0 and up to `histogram.largest`; 0 if all values were 0.
    """
    if calibrator == 'max' or not histogram.largest or not histogram.counts[1:].any():
        return histogram.largest
    if calibrator == 'percentile':
        return _percentile(histogram, percentile)
    ends = np.arange(code_max + 1, len(histogram.counts) + 1, STRIDE)
    if ends[-1] != len(histogram.counts):
        ends = np.append(ends, len(histogram.counts))
    cost = _divergence if calibrator == 'entropy' else _squared_error
    costs = [cost(histogram, int(end), code_max) for end in ends]
    return float(ends[int(np.argmin(costs))]) * histogram.bin_width


def _percentile(histogram: Histogram, percentile: float) -> float:
    share = np.cumsum(histogram.counts) / histogram.counts.sum()
    # A share of 1 is reached at the latest in the last bin; sums of floats may just miss it.
    index = min(int(np.searchsorted(share, percentile / 100)), len(share) - 1)
    return (index + 1) * histogram.bin_width


def _squared_error(histogram: Histogram, end: int, code_max: int) -> float:
    """Sum of squared errors, in units of a bin, if the range ends with bin `end`."""
    centres = np.arange(len(histogram.counts)) + 0.5
    scale = end / code_max
    rounded = np.minimum(np.rint(centres / scale), code_max) * scale
    return float(((centres - rounded) ** 2 * histogram.counts).sum())


def _divergence(histogram: Histogram, end: int, code_max: int) -> float:
    """Kullback-Leibler divergence if the range ends with bin `end`.

    The first bin holds the zeros that a ReLU makes; they are exact in any range and say nothing
    about it, so it is left out.
    """
    inside = histogram.counts[1:end].astype(np.float64)
    reference = inside.copy()
    reference[-1] += histogram.counts[end:].sum()
    # As many groups of bins as there are codes; within a group only its mean is left.
    groups = np.arange(len(inside)) * code_max // len(inside)
    sums = np.bincount(groups, inside, minlength=code_max)
    filled = np.bincount(groups, inside > 0, minlength=code_max)
    means = np.divide(sums, filled, out=np.zeros_like(sums), where=filled > 0)
    quantized = np.where(inside > 0, means[groups], 0.0)
    p, q = reference / max(reference.sum(), 1), quantized / max(quantized.sum(), 1)
    # What the clipping put into an empty last bin has no counterpart.
    both = (p > 0) & (q > 0)
    lost = float(p[(p > 0) & (q == 0)].sum())
    return float((p[both] * np.log(p[both] / q[both])).sum()) + lost * np.log(1 / 1e-9)
