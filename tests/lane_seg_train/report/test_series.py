"""Smoothing keeps means and gaps; thinning keeps the ends."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg_train.report.series import last_of, smoothed, spans, stretches, thinned

VALUES = npst.arrays(
    np.float64, st.integers(1, 40), elements=st.floats(-100, 100) | st.just(np.nan)
)


@given(VALUES, st.integers(1, 50))
def test_a_smooth_value_is_the_mean_of_the_known_ones_about_it(
    values: np.ndarray, half_width: int
) -> None:
    smooth = smoothed(values, half_width)
    for index, value in enumerate(smooth):
        window = values[max(0, index - half_width) : index + half_width + 1]
        known = window[np.isfinite(window)]
        assert np.isnan(value) if not len(known) else abs(value - known.mean()) < 1e-9


@given(VALUES, st.integers(1, 7))
def test_spans_hold_every_value_of_their_group(values: np.ndarray, size: int) -> None:
    low, high = spans(values, size)
    for index, value in enumerate(values):
        if np.isfinite(value):
            assert low[index // size] <= value <= high[index // size]
    assert len(low) == len(high) == -(-len(values) // size)
    assert np.isnan(low).sum() == sum(
        not np.isfinite(values[start : start + size]).any()
        for start in range(0, len(values), size)
    )


def test_missing_steps_break_a_line_and_a_wider_stride_does_not() -> None:
    assert stretches(np.array([1.0, 2, 3, 50, 51, 52])) == [slice(0, 3), slice(3, 6)]
    assert stretches(np.arange(0.0, 100, 10)) == [slice(0, 10)]
    assert stretches(np.array([7.0])) == [slice(0, 1)]


def test_a_thinned_line_keeps_its_ends() -> None:
    x = np.arange(10_001.0)
    few_x, few_y = thinned(x, x**2, 100)
    assert len(few_x) == 100
    assert (few_x[0], few_x[-1], few_y[-1]) == (0, 10_000, 10_000**2)


def test_the_last_value_is_the_last_known_one() -> None:
    assert last_of(np.array([1.0, 2, np.nan])) == 2
    assert last_of(np.array([np.nan])) is None
