"""Median and 99th percentile over the last measurements."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.timing import TimingWindow, summarize


def test_nothing_measured_is_nan_and_not_zero() -> None:
    summary = TimingWindow().summary()
    assert summary.count == 0
    assert all(map(math.isnan, (summary.median_ms, summary.p99_ms, summary.max_ms)))


def test_one_measurement_is_its_own_summary() -> None:
    summary = summarize([2.5])
    assert (summary.count, summary.median_ms, summary.p99_ms, summary.max_ms) == (1, 2.5, 2.5, 2.5)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50))
def test_the_figures_are_in_order_and_within_the_measurements(values: list[float]) -> None:
    summary = summarize(values)
    assert summary.count == len(values)
    assert min(values) <= summary.median_ms <= summary.p99_ms <= summary.max_ms == max(values)
    assert summary.median_ms == pytest.approx(np.median(values), rel=1e-12)


def test_only_the_last_measurements_count() -> None:
    window = TimingWindow(3)
    for ms in (1000.0, 1.0, 2.0, 3.0):
        window.add(ms)
    assert window.summary().max_ms == 3.0
    assert window.summary().count == 3


def test_one_thread_may_add_while_another_summarizes() -> None:
    window = TimingWindow(100)
    done = threading.Event()

    def add() -> None:
        for value in range(5000):
            window.add(float(value))
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not done.is_set():
        window.summary()
    thread.join()
    assert window.summary().max_ms == 4999.0
