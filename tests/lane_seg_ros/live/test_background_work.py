"""Work that is done beside what is measured."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')

from lane_seg_ros.live.background_work import BackgroundWork

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_work_is_done_in_order_and_tells_of_its_first_error() -> None:
    done: list[int] = []
    work = BackgroundWork()
    for number in range(50):
        assert work.put(lambda number=number: done.append(number))
    wait_until(lambda: work.is_idle)
    work.check()
    assert done == list(range(50))

    def fail() -> None:
        raise ValueError('disk full')

    work.put(fail)
    work.put(lambda: done.append(-1))
    wait_until(lambda: work.is_idle)
    with pytest.raises(ValueError, match='disk full'):
        work.check()
    assert -1 not in done
    work.abandon()


def test_what_cannot_be_held_is_refused_and_all_can_be_abandoned() -> None:
    go_on = threading.Event()
    work = BackgroundWork()
    accepted = 0
    while work.put(lambda: go_on.wait(PATIENCE_S) and None):
        accepted += 1
        assert accepted < 10_000
    assert not work.is_idle
    go_on.set()
    work.abandon()
    work.abandon()
