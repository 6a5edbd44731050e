"""What was measured, summed up: losses by place, ages, several scenes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from lane_seg_ros.live.losses import NodeCounts, losses_of, node_counts
from lane_seg_ros.live.measurement import Measurement, ages_of, merged
from lane_seg_ros.live.window import CountsReport, Window

S = 10**9
MS = 10**6


def counts(received: int = 0, dropped: int = 0, refused: int = 0, masks: int = 0) -> NodeCounts:
    return NodeCounts(received, dropped, refused, masks, 'openvino', 2, {})


@given(places=st.tuples(*[st.integers(0, 50)] * 4), masks=st.integers(1, 500))
def test_each_lost_frame_is_found_at_its_place(
    places: tuple[int, int, int, int], masks: int
) -> None:
    on_the_way, mailbox, refused, back = places
    published = masks + back
    losses = losses_of(
        camera=published + refused + mailbox + on_the_way,
        masks=masks,
        overlays=0,
        before=counts(100, 10, 1, 89),
        after=counts(
            100 + published + refused + mailbox, 10 + mailbox, 1 + refused, 89 + published
        ),
        masks_received_between=masks,
    )
    assert losses.lost == sum(places)
    found = (losses.camera_to_node, losses.mailbox, losses.refused, losses.node_to_listener)
    assert found == places


@given(
    camera=st.integers(0, 300),
    lost=st.integers(0, 300),
    numbers=st.tuples(*[st.integers(0, 300)] * 4),
    reports=st.booleans(),
)
def test_the_places_always_add_up_to_what_was_lost(
    camera: int, lost: int, numbers: tuple[int, int, int, int], reports: bool
) -> None:
    dropped, refused, published, received = numbers
    losses = losses_of(
        camera=camera,
        masks=camera - min(lost, camera),
        overlays=0,
        before=counts() if reports else None,
        after=counts(0, dropped, refused, published),
        masks_received_between=received,
    )
    places = (losses.camera_to_node, losses.mailbox, losses.refused, losses.node_to_listener)
    assert min(*places, losses.somewhere) >= 0
    assert sum(places) + losses.somewhere == losses.lost
    assert reports or losses.somewhere == losses.lost


def test_a_node_without_an_engine_has_no_counts_yet() -> None:
    assert node_counts({'state': 'unconfigured', 'engine': ''}) is None


@given(st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(0.001, 0.5)), min_size=1, max_size=30))
def test_ages_are_those_that_a_look_at_any_moment_finds(pairs: list[tuple[float, float]]) -> None:
    ages_s = np.array([(fresh, fresh + gap) for fresh, gap in pairs])
    looks = np.concatenate(
        [np.linspace(low, high, max(2, round((high - low) * 1e4)))[:-1] for low, high in ages_s]
    )
    found = ages_of(ages_s)
    assert found.max_ms == pytest.approx(1e3 * ages_s.max())
    for percent, value_ms in ((50, found.median_ms), (99, found.p99_ms)):
        below = float((looks <= value_ms * 1e-3 + 1e-4).mean())
        assert below >= percent / 100 - 0.05
        above = float((looks >= value_ms * 1e-3 - 1e-4).mean())
        assert above >= 1 - percent / 100 - 0.05


def test_a_single_mask_that_stays_for_a_second() -> None:
    found = ages_of(np.array([[0.1, 1.1]]))
    assert (found.median_ms, found.max_ms) == (pytest.approx(600.0), pytest.approx(1100.0))
    assert math.isnan(ages_of(np.zeros((0, 2))).median_ms)


def window_of(stamps_ns: list[int], *, start_s: int, without_mask: set[int]) -> Measurement:
    """Ten frames per second of wall time, a latency of 30 ms."""
    window = Window(start_s * S, CountsReport(start_s * S, counts(), 0))
    for number, stamp_ns in enumerate(stamps_ns):
        sent_ns = start_s * S + number * 100 * MS
        window.add_frame(stamp_ns, sent_ns, (4, 6))
        if number not in without_mask:
            assert window.add_mask(stamp_ns, sent_ns + 30 * MS, (4, 6)) == pytest.approx(30.0)
            window.add_table(stamp_ns, np.eye(4, dtype=np.int64), (4, 6))
    got = len(stamps_ns) - len(without_mask)
    window.close((start_s + 1) * S)
    after = CountsReport((start_s + 1) * S, counts(len(stamps_ns), len(without_mask), 0, got), got)
    window.add_report(after)
    return window.measurement(after, coding='classes')


def test_stamps_of_simulated_time_do_not_matter_for_latency_and_rate() -> None:
    # Half as fast as real time, and nowhere near the wall clock.
    found = window_of([i * 50 * MS for i in range(10)], start_s=1000, without_mask={3, 4})
    assert found.camera_rate_hz == pytest.approx(10.0)
    assert found.mask_rate_hz == pytest.approx(8.0)
    assert found.latency_ms.median_ms == pytest.approx(30.0)
    assert found.real_time_factor == pytest.approx(0.5)
    assert (found.losses.lost, found.losses.mailbox) == (2, 2)
    # Of frame 2, until that of frame 5 came.
    assert found.age_ms.max_ms == pytest.approx(330.0)
    assert found.node_losses[-1].replaced == 2
    assert found.scored == 8
    assert found.ious == {'road': 1.0, 'lane_marking': 1.0}


def test_frames_that_were_published_outside_do_not_count() -> None:
    window = Window(10 * S, None)
    window.add_frame(1, 10 * S - 1, (4, 6))
    window.add_frame(2, 10 * S, (4, 6))
    window.close(11 * S)
    window.add_frame(3, 11 * S, (4, 6))
    window.add_mask(1, 10 * S + 5, (4, 6))
    found = window.measurement(None, coding='')
    assert (found.losses.camera, found.losses.masks, found.losses.somewhere) == (1, 0, 1)
    assert not window.add_overlay(1) and window.add_overlay(2)


def test_a_repeated_stamp_is_counted_once_and_told() -> None:
    window = Window(0, None)
    for sent_ns in (1, 2, 3):
        window.add_frame(7, sent_ns, (4, 6))
    window.close(S)
    found = window.measurement(None, coding='')
    assert (found.losses.camera, found.repeated_stamps) == (1, 2)


def test_scenes_follow_each_other_although_their_stamps_are_the_same() -> None:
    stamps = [i * 100 * MS for i in range(10)]
    parts = [
        window_of(stamps, start_s=50, without_mask={1}),
        window_of(stamps, start_s=90, without_mask={2, 3}),
    ]
    found = merged(parts)
    assert found.seconds == pytest.approx(2.0)
    assert (found.losses.camera, found.losses.masks, found.losses.mailbox) == (20, 17, 3)
    assert [frame.sent_s for frame in found.frames] == pytest.approx([0.1 * i for i in range(20)])
    assert found.scored == 17
    assert found.table.sum() == 17 * 4
    assert found.node_losses[-1].time_s == pytest.approx(2.0)
