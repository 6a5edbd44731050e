"""Times in which the whole machine stood still are told from those in which one core did."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
_END = 60


@pytest.fixture(scope='module')
def stalls() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'benchmarks'))
        import stalls

        return stalls


# A core's stalls: cuts in a line, of which every second piece is one.
_CORES = st.lists(
    st.lists(st.integers(0, _END), unique=True, max_size=12).map(sorted), min_size=1, max_size=4
)


@given(cuts=_CORES)
def test_a_moment_is_a_stall_exactly_when_all_cores_stand_still(
    stalls: ModuleType, cuts: list[list[int]]
) -> None:
    cores = [
        [stalls.Stall(a, b) for a, b in zip(one[::2], one[1::2], strict=False)] for one in cuts
    ]
    common = stalls.stalls_of_all(cores)
    for moment in range(_END):
        in_all = all(any(s.begin_ns <= moment < s.end_ns for s in core) for core in cores)
        assert in_all == any(s.begin_ns <= moment < s.end_ns for s in common)


def test_an_image_is_explained_by_a_stall_within_reach_on_either_side(stalls: ModuleType) -> None:
    times = [stalls.Stall(1000, 1050), stalls.Stall(2000, 2010)]
    assert stalls.count_explained([899, 900, 1020, 1150, 1151, 2110], times, 100) == 4
    assert stalls.count_explained([1020], [], 100) == 0


def test_cores_that_are_stopped_together_are_a_stall_and_one_alone_is_none(
    stalls: ModuleType,
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip('one core cannot stop alone')
    with stalls.StallWatch() as watch:
        time.sleep(1.0)  # Python starts
        first, *others = [process.pid for process in watch.processes]
        alone_ns = time.time_ns()
        stop_for_a_while([first])
        together_ns = time.time_ns()
        stop_for_a_while([first, *others])
        end_ns = time.time_ns()
    found = watch.stop()
    long = [one for one in found if one.end_ns - one.begin_ns > 0.2e9]
    assert len(long) == 1
    assert together_ns - 0.1e9 < long[0].begin_ns < long[0].end_ns < end_ns + 0.1e9
    assert not any(one.begin_ns < alone_ns + 0.25e9 < one.end_ns for one in found)
    assert all(process.poll() is not None for process in watch.processes)


def stop_for_a_while(processes: list[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    time.sleep(0.5)
    for process in processes:
        os.kill(process, signal.SIGCONT)
    time.sleep(0.1)
