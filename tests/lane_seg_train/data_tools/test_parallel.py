"""The same work in one process and in many."""

from __future__ import annotations

import os

import pytest

from lane_seg.errors import ImageError, LaneSegError
from lane_seg_train.data_tools.parallel import mapped


def scaled(factor: int, item: int) -> tuple[int, int]:
    return factor * item, os.getpid()


def failing(limit: int, item: int) -> int:
    if item >= limit:
        # An error whose class needs more arguments than pickle hands over.
        raise ImageError(f'number {item} is broken', cause='type')
    return item


def dying(_: None, item: int) -> int:
    if item == 30:
        os._exit(9)
    return item


def test_results_come_in_order_from_several_processes() -> None:
    results = list(mapped(scaled, 3, range(100), text='counting', workers=2))
    assert [value for value, _ in results] == [3 * item for item in range(100)]
    assert os.getpid() not in {process for _, process in results}


def test_few_items_and_one_worker_stay_in_this_process() -> None:
    few = list(mapped(scaled, 3, range(5), text='counting', workers=2))
    alone = list(mapped(scaled, 3, range(100), text='counting', workers=1))
    assert {process for _, process in few + alone} == {os.getpid()}


@pytest.mark.parametrize('workers', [1, 2])
def test_the_first_error_ends_the_work(workers: int) -> None:
    done = []
    with pytest.raises(LaneSegError, match='number 60 is broken'):
        for item in mapped(failing, 60, range(200), text='counting', workers=workers):
            done.append(item)
    assert done == list(range(60))


def test_a_killed_process_is_an_error_with_advice() -> None:
    with pytest.raises(LaneSegError, match='fewer --workers'):
        list(mapped(dying, None, range(100), text='counting', workers=2))
