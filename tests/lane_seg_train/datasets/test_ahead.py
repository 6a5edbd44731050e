"""Work in threads keeps its order and its bounds."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.machine import usable_cores
from lane_seg_train.datasets.ahead import mapped_ahead


@settings(max_examples=30)
@given(st.integers(0, 40), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(count: int, workers: int) -> None:
    assert list(mapped_ahead(lambda item: 2 * item, range(count), workers)) == [
        2 * item for item in range(count)
    ]


def test_no_more_is_done_ahead_than_the_threads_need() -> None:
    taken = 0
    farthest = 0

    def count(item: int) -> int:
        nonlocal farthest
        farthest = max(farthest, item - taken)
        return item

    for _ in mapped_ahead(count, range(100), 3):
        taken += 1
    assert 0 < farthest <= 6


def test_one_worker_works_in_this_thread() -> None:
    here = threading.current_thread()
    assert list(mapped_ahead(lambda _: threading.current_thread(), 'ab', 1)) == [here, here]
    assert here not in mapped_ahead(lambda _: threading.current_thread(), 'ab', 2)


def test_an_error_comes_in_its_turn_and_ends_the_work() -> None:
    done = []

    def work(item: int) -> int:
        if item == 5:
            raise ValueError(item)
        done.append(item)
        return item

    results = mapped_ahead(work, range(1000), 2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match='5'):
        next(results)
    assert len(done) < 20


def test_there_is_a_core_to_use() -> None:
    assert usable_cores() >= 1
