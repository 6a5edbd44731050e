"""Lines, arcs and clothoids: lengths, joints, known points, corners between poses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carla_bridge.mini_carla.towns.curve import (
    Curve,
    Element,
    Pose,
    arc,
    bend,
    line,
    turn_between,
)

ELEMENTS = st.lists(
    st.builds(
        Element,
        length=st.floats(1.0, 60.0),
        start=st.sampled_from([0.0, 0.01, -0.02]),
        end=st.sampled_from([0.0, 0.01, -0.02]),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(elements=ELEMENTS, heading=st.floats(-4.0, 4.0))
def test_the_points_of_a_curve_are_as_far_apart_as_its_length_says(
    elements: tuple[Element, ...], heading: float
) -> None:
    curve = Curve(Pose(3.0, -2.0, heading), elements)
    s = np.linspace(0, curve.length, 2000)
    x, y, _ = curve.at(s)
    assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(curve.length, rel=1e-6)


@given(elements=ELEMENTS, heading=st.floats(-4.0, 4.0))
def test_the_heading_is_the_direction_in_which_the_points_go(
    elements: tuple[Element, ...], heading: float
) -> None:
    curve = Curve(Pose(0.0, 0.0, heading), elements)
    middle = np.linspace(0.01, curve.length - 0.01, 100)
    joints = curve.starts[1:]
    middle = middle[np.all(abs(middle[:, None] - joints) > 1e-3, axis=1)]
    before, after = curve.at(middle - 1e-3), curve.at(middle + 1e-3)
    heading_there = curve.at(middle)[2]
    np.testing.assert_allclose(after[0] - before[0], 2e-3 * np.cos(heading_there), atol=1e-9)
    np.testing.assert_allclose(after[1] - before[1], 2e-3 * np.sin(heading_there), atol=1e-9)
    turned = (after[2] - before[2]) / 2e-3
    np.testing.assert_allclose(curve.curvature(middle), turned, atol=1e-6)


def test_a_quarter_of_a_circle_to_the_left_ends_where_it_must() -> None:
    end = Curve(Pose(1.0, 2.0, 0.0), arc(10.0, 90.0)).end
    assert (end.x, end.y, end.heading) == pytest.approx((11.0, 12.0, math.pi / 2))


def test_a_clothoid_ends_where_the_series_of_fresnels_integrals_says() -> None:
    end = Curve(Pose(0.0, 0.0, 0.0), (Element(40.0, 0.0, 0.025),)).end
    # x = sum (-1)^n L (L/2R)^2n / ((4n + 1) (2n)!), y likewise, with L / 2R = 0.5.
    x = 40 * sum(
        (-1) ** n * 0.5 ** (2 * n) / ((4 * n + 1) * math.factorial(2 * n)) for n in range(9)
    )
    y = 40 * sum(
        (-1) ** n * 0.5 ** (2 * n + 1) / ((4 * n + 3) * math.factorial(2 * n + 1))
        for n in range(9)
    )
    assert (end.x, end.y, end.heading) == pytest.approx((x, y, 0.5), abs=1e-12)


@given(radius=st.floats(30.0, 300.0), degrees=st.floats(40.0, 180.0), left=st.booleans())
def test_a_bend_turns_by_its_angle_without_a_jump_of_curvature(
    radius: float, degrees: float, left: bool
) -> None:
    turn = degrees if left else -degrees
    curve = Curve(Pose(0.0, 0.0, 0.0), line(5.0) + bend(radius, turn, 0.3 * radius) + line(5.0))
    assert math.degrees(curve.end.heading) == pytest.approx(turn)
    curvature = curve.curvature(np.linspace(0, curve.length, 4000))
    assert abs(curvature).max() == pytest.approx(1 / radius)
    assert abs(np.diff(curvature)).max() < 0.02 / radius


def test_clothoids_that_turn_further_than_the_bend_are_refused() -> None:
    with pytest.raises(ValueError, match='shorten them'):
        bend(20.0, 30.0, 15.0)


@given(
    heading=st.floats(-3.0, 3.0),
    turn=st.floats(-2.5, 2.5),
    before=st.floats(2.0, 30.0),
    after=st.floats(2.0, 30.0),
)
def test_the_way_between_two_poses_starts_and_ends_on_them(
    heading: float, turn: float, before: float, after: float
) -> None:
    assume(abs(turn) > 0.1)
    begin = Pose(4.0, -7.0, heading)
    corner_x, corner_y = 4 + before * math.cos(heading), -7 + before * math.sin(heading)
    out = heading + turn
    end = Pose(corner_x + after * math.cos(out), corner_y + after * math.sin(out), out)
    found = turn_between(begin, end).end
    assert (found.x, found.y) == pytest.approx((end.x, end.y), abs=1e-6)
    assert math.cos(found.heading - out) == pytest.approx(1.0)


def test_straight_on_is_a_line() -> None:
    curve = turn_between(Pose(0.0, 1.0, 0.0), Pose(9.0, 1.0, 0.0))
    assert curve.elements == line(9.0)


@pytest.mark.parametrize(
    'end',
    [Pose(9.0, 1.0, 0.0), Pose(-9.0, 0.0, 0.0), Pose(-5.0, 5.0, math.pi / 2)],
    ids=['beside', 'behind', 'tangents that meet behind'],
)
def test_poses_that_no_line_and_arc_can_join_are_refused(end: Pose) -> None:
    with pytest.raises(ValueError, match='expected'):
        turn_between(Pose(0.0, 0.0, 0.0), end)
