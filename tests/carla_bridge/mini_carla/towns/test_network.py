"""Cubics, lane borders and the lines of double marks."""

from __future__ import annotations

import numpy as np
import pytest

from carla_bridge.mini_carla.towns.curve import Curve, Pose, arc, line
from carla_bridge.mini_carla.towns.network import (
    Lane,
    LaneSection,
    Network,
    Poly3,
    Road,
    RoadMark,
    evaluate,
)


def section(*, left: float, right: float) -> LaneSection:
    lanes = (
        Lane(2, 'sidewalk', (Poly3(0.0, 2.0),)),
        Lane(1, width=(Poly3(0.0, left),)),
        Lane(0),
        Lane(-1, width=(Poly3(0.0, right, 0.01),)),
        Lane(-2, 'shoulder', (Poly3(0.0, 1.0),)),
    )
    return LaneSection(10.0, lanes)


def test_cubics_hold_from_their_own_start_on() -> None:
    records = (Poly3(0.0, 1.0), Poly3(10.0, 1.0, 2.0, 3.0, 4.0))
    at = np.array([-1.0, 5.0, 10.0, 12.0])
    np.testing.assert_allclose(evaluate(records, at), [1, 1, 1, 1 + 4 + 12 + 32])
    np.testing.assert_allclose(evaluate(records, at, 1), [0, 0, 2, 2 + 12 + 48])
    np.testing.assert_allclose(evaluate(records, at, 2), [0, 0, 6, 6 + 48])


def test_borders_add_up_the_widths_from_the_reference_line() -> None:
    s = np.array([10.0, 30.0])
    lanes = section(left=3.0, right=3.5)
    np.testing.assert_allclose(lanes.outer_t(2, s), [5.0, 5.0])
    np.testing.assert_allclose(lanes.inner_t(2, s), [3.0, 3.0])
    np.testing.assert_allclose(lanes.outer_t(-1, s), [-3.5, -3.7])
    np.testing.assert_allclose(lanes.outer_t(-2, s), [-4.5, -4.7])
    np.testing.assert_allclose(lanes.inner_t(1, s), [0.0, 0.0])


def test_the_edge_is_that_of_the_outermost_lane_of_the_kinds_asked_for() -> None:
    road = Road(1, Curve(Pose(0.0, 0.0, 0.0), line(50.0)), (section(left=3.0, right=3.5),))
    assert road.edge_t(10.0, 1, ('driving',)) == pytest.approx(3.0)
    assert road.edge_t(10.0, 1, ('driving', 'sidewalk')) == pytest.approx(5.0)
    assert road.edge_t(30.0, -1, ('driving', 'shoulder')) == pytest.approx(-4.7)
    assert road.edge_t(10.0, -1, ('median',)) == 0.0


def test_points_lie_to_the_left_for_positive_t_and_follow_the_elevation() -> None:
    curve = Curve(Pose(0.0, 0.0, 0.0), arc(10.0, 90.0))
    road = Road(1, curve, (), elevation=(Poly3(0.0, 1.0, 0.5),))
    s = np.array([0.0, curve.length])
    expected = [[0.0, 2.0, 1.0], [8.0, 10.0, 1.0 + curve.length / 2]]
    np.testing.assert_allclose(road.points(s, 2.0), expected, atol=1e-12)


def test_the_last_section_that_has_begun_holds() -> None:
    road = Road(
        1, Curve(Pose(0.0, 0.0, 0.0), line(50.0)), (LaneSection(0.0, ()), LaneSection(20.0, ()))
    )
    assert road.section_at(19.9).s == 0.0
    assert road.section_at(20.0).s == 20.0
    assert road.section_ends() == (20.0, 50.0)


@pytest.mark.parametrize(
    ('kind', 'lines'),
    [
        ('none', ()),
        ('curb', ()),
        ('solid', (('solid', 0.0),)),
        ('broken', (('broken', 0.0),)),
        ('solid broken', (('solid', 0.15), ('broken', -0.15))),
    ],
)
def test_a_mark_names_its_lines_and_where_they_lie(
    kind: str, lines: tuple[tuple[str, float], ...]
) -> None:
    found = RoadMark(kind, width_m=0.1, space_m=0.2).lines
    assert [word for word, _ in found] == [word for word, _ in lines]
    assert [t for _, t in found] == pytest.approx([t for _, t in lines])


def test_roads_are_found_by_their_id() -> None:
    roads = tuple(Road(i, Curve(Pose(0.0, 0.0, 0.0), line(5.0)), ()) for i in (4, 9))
    assert Network('Town_test', roads).road(9) is roads[1]
