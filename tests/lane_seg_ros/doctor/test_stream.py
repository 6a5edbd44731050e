"""Rate, loss and jumps from the times of messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_ros.doctor.observations import Message
from lane_seg_ros.doctor.stream import lost_by_sequence, lost_by_stamps, stream_of
from tests.lane_seg_ros.doctor.observed import NOW_NS, PERIOD_NS, messages


def some_of(count: int, lost: set[int]) -> tuple[Message, ...]:
    return tuple(m for n, m in enumerate(messages(count)) if n not in lost)


@given(st.sets(st.integers(1, 98)))
def test_sequence_numbers_count_every_loss(lost: set[int]) -> None:
    stream = stream_of(some_of(100, lost))
    if stream is None:
        assert len(lost) > 97
        return
    assert stream.lost == len(lost)
    assert stream.missing == len(lost)
    assert stream.period_s == pytest.approx(PERIOD_NS / 1e9)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.floats(0.0, 0.05))
def test_stamps_alone_count_losses_of_an_even_camera(
    seed: int, share: float, jitter: float
) -> None:
    rng = np.random.default_rng(seed)
    taken = np.arange(200) * PERIOD_NS + rng.uniform(-jitter, jitter, 200) * PERIOD_NS
    kept = rng.random(200) >= share
    kept[[0, -1]] = True
    stamps = (NOW_NS + taken[kept]).astype(np.int64).tolist()
    assert lost_by_stamps(stamps) == int(np.sum(~kept))


def test_an_uneven_camera_is_jitter_and_not_loss() -> None:
    rng = np.random.default_rng(3)
    gaps = rng.uniform(0.6, 1.4, 100) * PERIOD_NS
    stamps = NOW_NS + np.cumsum(gaps).astype(np.int64)
    stream = stream_of(
        [Message(int(stamp), int(stamp), number) for number, stamp in enumerate(stamps)]
    )
    assert stream is not None
    assert (stream.lost, stream.missing) == (0, 0)
    assert stream.jitter > 0.2


@given(
    st.lists(
        st.builds(
            Message,
            arrived_ns=st.integers(0, 2**62),
            stamp_ns=st.integers(-(2**62), 2**62),
            sequence=st.none() | st.integers(0, 2**40),
        ),
        max_size=30,
    ),
    st.integers(0, 3),
)
def test_no_times_break_the_sums(times: list[Message], publishers: int) -> None:
    stream = stream_of(times, publishers=publishers)
    assert (stream is None) == (len(times) < 3)
    if stream is not None:
        assert stream.count == len(times)
        assert stream.lost is None or publishers == 1


def test_sequence_numbers_of_two_publishers_say_nothing() -> None:
    stream = stream_of(some_of(50, {7, 8}), publishers=2)
    assert stream is not None
    assert stream.lost is None
    assert stream.missing == 2


def test_reordered_numbers_are_no_loss() -> None:
    assert lost_by_sequence([4, 6, 5, 8]) == 1
    assert lost_by_sequence([]) == 0


def test_jumps_repetitions_and_zeros_are_counted() -> None:
    times = list(messages(10))
    times[4] = replace(times[4], stamp_ns=times[3].stamp_ns)
    times[7] = replace(times[7], stamp_ns=0)
    stream = stream_of(times)
    assert stream is not None
    assert (stream.backward, stream.repeated, stream.zero) == (1, 1, 1)
    assert stream.farthest_back_s == pytest.approx(times[6].stamp_ns / 1e9)


def test_rate_and_age_are_those_of_the_arrivals() -> None:
    stream = stream_of(messages(31))
    assert stream is not None
    assert stream.rate_hz == pytest.approx(30.0, rel=1e-6)
    assert stream.age_s == pytest.approx(0.002)
