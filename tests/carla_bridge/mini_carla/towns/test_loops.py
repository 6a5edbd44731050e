"""Closed circuits and their periodic height profiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.towns.curve import Pose, arc, line
from carla_bridge.mini_carla.towns.loops import closed_loop, periodic_profile
from carla_bridge.mini_carla.towns.network import Lane, LaneSection, Poly3, Road, evaluate


def sections(index: int, length: float) -> tuple[LaneSection, ...]:
    return (LaneSection(0.0, (Lane(0), Lane(-1, width=(Poly3(0.0, 3.0),)))),)


def oval(knots: tuple[tuple[float, float], ...] = ((0.0, 4.0),)) -> tuple[Road, ...]:
    side = line(50.0) + arc(20.0, 180.0)
    return closed_loop([side, side], Pose(5.0, 6.0, 1.0), sections, speed_kmh=50.0, knots=knots)


@given(
    heights=st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=8),
    period=st.floats(100.0, 2000.0),
)
def test_a_profile_is_smooth_everywhere_and_repeats(heights: list[float], period: float) -> None:
    s = np.linspace(0, period, len(heights), endpoint=False)
    profile = periodic_profile(list(zip(s.tolist(), heights, strict=True)), period)
    np.testing.assert_allclose(evaluate(profile, s), heights, atol=1e-9)
    ends = np.append(s[1:], period)
    for derivative, scale in ((0, 1.0), (1, 10.0 / period), (2, 100.0 / period**2)):
        start = evaluate(profile, np.append(s[1:], 0.0), derivative)
        # The value that a record reaches where the next one takes over.
        end = [
            evaluate((record,), np.array([stop]), derivative)[0]
            for record, stop in zip(profile, ends, strict=True)
        ]
        np.testing.assert_allclose(end, start, atol=1e-6 * scale * 40)


def test_the_roads_of_a_circuit_meet_in_place_direction_height_and_slope() -> None:
    roads = oval(((0.0, 1.0), (0.3, 6.0), (0.6, -2.0), (0.8, 3.0)))
    for road in roads:
        assert road.successor is not None
        after = next(other for other in roads if other.id == road.successor.id)
        assert after.predecessor is not None
        assert after.predecessor.id == road.id
        end, start = road.curve.end, after.curve.start
        assert (end.x, end.y) == pytest.approx((start.x, start.y), abs=1e-9)
        assert np.cos(end.heading - start.heading) == pytest.approx(1.0)
        for derivative in (0, 1, 2):
            there = evaluate(road.elevation, np.array([road.curve.length]), derivative)
            here = evaluate(after.elevation, np.array([0.0]), derivative)
            assert there == pytest.approx(here, abs=1e-9)


def test_the_profile_of_a_circuit_goes_through_its_knots() -> None:
    knots = ((0.0, 1.0), (0.3, 6.0), (0.6, -2.0))
    first, second = oval(knots)
    total = first.curve.length + second.curve.length
    assert evaluate(first.elevation, np.array([0.3 * total])) == pytest.approx(6.0)
    beyond = 0.6 * total - first.curve.length
    assert evaluate(second.elevation, np.array([beyond])) == pytest.approx(-2.0)


def test_one_knot_is_a_level_road() -> None:
    assert {road.elevation for road in oval()} == {(Poly3(0.0, 4.0),)}


def test_a_circuit_that_does_not_close_is_refused() -> None:
    with pytest.raises(ValueError, match='expected a circuit that closes'):
        closed_loop([line(50.0)], Pose(0.0, 0.0, 0.0), sections, speed_kmh=50.0)
