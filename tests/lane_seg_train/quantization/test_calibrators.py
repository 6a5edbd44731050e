"""Ranges from histograms: within what was seen, and the best by their own measure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lane_seg_train.quantization.calibrators import (
    BINS,
    CALIBRATORS,
    STRIDE,
    Calibrator,
    Histogram,
    amax_of,
)

calibrators = st.sampled_from(CALIBRATORS)
filled = arrays(np.int64, BINS, elements=st.integers(0, 1000), fill=st.just(0)).filter(
    lambda counts: counts.any()
)
largest_values = st.floats(2.0**-30, 2.0**30)


def of(values: np.ndarray) -> Histogram:
    """The histogram of some values."""
    largest = float(np.abs(values).max())
    counts = np.histogram(np.abs(values), BINS, (0, largest or 1.0))[0]
    return Histogram(counts.astype(np.int64), largest, bool(values.min() < 0))


def candidates(code_max: int) -> list[int]:
    """Bins at which the ranges end among which 'mse' and 'entropy' choose."""
    return [*range(code_max + 1, BINS, STRIDE), BINS]


def long_tail() -> np.ndarray:
    """Like what follows a ReLU: half of it zero, few values far out."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=200_000), 0)
    values[:20] = rng.uniform(20, 40, 20)
    return values


def evenly() -> Histogram:
    return Histogram(np.full(BINS, 1000), 4.0, False)


@given(filled, largest_values, calibrators, st.floats(50.001, 100), st.sampled_from([127, 31, 7]))
def test_every_range_lies_within_what_was_seen(
    counts: np.ndarray, largest: float, calibrator: Calibrator, percentile: float, code_max: int
) -> None:
    histogram = Histogram(counts, largest, False)
    amax = amax_of(histogram, calibrator, percentile=percentile, code_max=code_max)
    assert 0 < amax <= largest * (1 + 1e-12)


@given(filled, largest_values)
def test_max_keeps_everything(counts: np.ndarray, largest: float) -> None:
    assert amax_of(Histogram(counts, largest, False), 'max') == largest


@pytest.mark.parametrize('calibrator', CALIBRATORS)
def test_activations_that_are_all_zero_have_no_range(calibrator: Calibrator) -> None:
    counts = np.zeros(BINS, np.int64)
    assert amax_of(Histogram(counts, 0.0, False), calibrator) == 0


@pytest.mark.parametrize('calibrator', CALIBRATORS)
@pytest.mark.parametrize('value', [1e-6, 1.0, 1e6])
def test_a_single_value_is_kept(calibrator: Calibrator, value: float) -> None:
    assert amax_of(of(np.full(10, value)), calibrator) == pytest.approx(value)


@pytest.mark.parametrize('calibrator', CALIBRATORS)
def test_the_sign_does_not_matter_for_a_symmetric_range(calibrator: Calibrator) -> None:
    values = long_tail()
    signs = np.where(np.arange(len(values)) % 2, 1, -1)
    assert of(values * signs).is_signed
    assert not of(values).is_signed
    assert amax_of(of(values * signs), calibrator) == amax_of(of(values), calibrator)


@given(filled, st.floats(50.001, 100), st.floats(50.001, 100))
def test_a_higher_percentile_never_gives_a_smaller_range(
    counts: np.ndarray, first: float, second: float
) -> None:
    histogram = Histogram(counts, 1.0, False)
    low, high = (
        amax_of(histogram, 'percentile', percentile=percentile)
        for percentile in sorted((first, second))
    )
    assert low <= high


@given(filled, st.floats(50.001, 100))
def test_so_many_per_cent_lie_within_and_with_one_bin_less_they_would_not(
    counts: np.ndarray, percentile: float
) -> None:
    histogram = Histogram(counts, float(BINS), False)  # bins of width 1
    if not counts[1:].any():
        return
    end = round(amax_of(histogram, 'percentile', percentile=percentile))
    wanted = counts.sum() * percentile / 100
    assert counts[:end].sum() >= wanted * (1 - 1e-12)
    assert counts[: end - 1].sum() <= wanted * (1 + 1e-12)


def test_the_percentile_of_known_values() -> None:
    values = np.arange(1, 1001) / 10
    assert amax_of(of(values), 'percentile', percentile=99) == pytest.approx(99, abs=0.1)
    assert amax_of(of(values), 'percentile', percentile=100) == pytest.approx(100)


def squared_error(values: np.ndarray, amax: float, code_max: int) -> float:
    """What clipping and rounding to the grid really costs."""
    scale = amax / code_max
    rounded = np.clip(np.rint(values / scale), -code_max, code_max) * scale
    return float(((values - rounded) ** 2).sum())


@given(
    st.lists(st.tuples(st.integers(0, BINS - 1), st.integers(1, 50)), min_size=1, max_size=30),
    st.sampled_from([127, 31]),
)
def test_mse_is_the_range_with_the_least_error_of_all_candidates(
    bins: list[tuple[int, int]], code_max: int
) -> None:
    counts = np.zeros(BINS, np.int64)
    for index, count in bins:
        counts[index] += count
    if not counts[1:].any():
        return
    values = np.repeat(np.arange(BINS) + 0.5, counts)  # each at the centre of its bin
    amax = amax_of(Histogram(counts, float(BINS), False), 'mse', code_max=code_max)
    ends = candidates(code_max)
    costs = [squared_error(values, end, code_max) for end in ends]
    assert round(amax) in ends
    assert squared_error(values, amax, code_max) <= min(costs) * (1 + 1e-9) + 1e-9


def test_mse_of_real_values_is_close_to_the_best_range_of_all() -> None:
    values = long_tail()
    chosen = squared_error(values, amax_of(of(values), 'mse'), 127)
    assert chosen <= 1.02 * min(squared_error(values, end, 127) for end in np.linspace(1, 40, 400))
    assert chosen < squared_error(values, values.max(), 127)


def test_mse_keeps_the_whole_of_an_even_spread() -> None:
    assert amax_of(evenly(), 'mse') == pytest.approx(4.0, rel=0.01)


def test_entropy_clips_a_long_tail() -> None:
    values = long_tail()
    amax = amax_of(of(values), 'entropy')
    assert 2 < amax < 10
    assert np.mean(values > amax) < 0.01


def test_entropy_keeps_the_whole_of_an_even_spread() -> None:
    assert amax_of(evenly(), 'entropy') == pytest.approx(4.0)
    noisy = np.random.default_rng(0).uniform(0, 4, 500_000)
    assert amax_of(of(noisy), 'entropy') > 3.9


def divergence(values: np.ndarray, largest: float, end: int) -> float:
    """As Migacz defines it, value by value: clip, merge to 127 levels, spread again, compare."""
    width = largest / BINS
    bins = np.minimum((values / width).astype(int), end - 1)
    inside = bins[(values / width).astype(int) < end]
    p = np.bincount(bins[bins > 0], minlength=end)[1:].astype(float)
    kept = np.bincount(inside[inside > 0], minlength=end)[1:].astype(float)
    level = np.arange(end - 1) * 127 // (end - 1)
    q = np.zeros(end - 1)
    for one in range(127):
        members = (level == one) & (kept > 0)
        if members.any():
            q[members] = kept[members].mean()
    p, q = p / p.sum(), q / q.sum()
    shared = (p > 0) & (q > 0)
    lost = p[(p > 0) & (q == 0)].sum()
    return float((p[shared] * np.log(p[shared] / q[shared])).sum() + lost * np.log(1e9))


def test_entropy_is_the_range_with_the_least_divergence_of_all_candidates() -> None:
    values = np.minimum(long_tail(), 40.0 - 1e-9)
    histogram = of(np.append(values, 40.0))
    ends = candidates(127)
    costs = [divergence(np.append(values, 40.0 - 1e-9), 40.0, end) for end in ends]
    best = ends[int(np.argmin(costs))] * 40.0 / BINS
    assert amax_of(histogram, 'entropy') == pytest.approx(best)


@pytest.mark.parametrize('calibrator', CALIBRATORS)
def test_the_unit_of_the_values_does_not_matter(calibrator: Calibrator) -> None:
    values = long_tail()
    amax = amax_of(of(values), calibrator)
    assert amax_of(of(values * 1024), calibrator) == pytest.approx(1024 * amax)
