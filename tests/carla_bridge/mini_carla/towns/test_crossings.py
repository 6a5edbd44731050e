"""Junctions: connecting roads join lane to lane, and the corners join kerb to kerb."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carla_bridge.mini_carla.towns.crossings import Arm, join
from carla_bridge.mini_carla.towns.curve import Curve, Pose, line
from carla_bridge.mini_carla.towns.network import (
    Contact,
    Junction,
    Lane,
    LaneSection,
    Link,
    Poly3,
    Road,
)

WIDTH = 3.0


def street(road_id: int, degrees: float, contact: Contact, lanes: int) -> Road:
    """Return a street that meets a junction round the origin; it lies at that direction."""
    ids = [i for i in range(lanes, -lanes - 1, -1) if i]
    width = (Poly3(0.0, WIDTH),)
    section = LaneSection(0.0, (Lane(0), *(Lane(i, width=width) for i in ids)))
    angle = math.radians(degrees)
    pose = Pose(20 * math.cos(angle), 20 * math.sin(angle), angle)
    if contact == 'end':
        far = Curve(pose, line(40.0)).end
        pose = far.turned()
    return Road(road_id, Curve(pose, line(40.0)), (section,))


CROSSING = (
    street(1, 0.0, 'start', 2),
    street(2, 90.0, 'end', 1),
    street(3, 180.0, 'end', 2),
    street(4, 270.0, 'start', 1),
)
ARMS = (Arm(1, 'start'), Arm(2, 'end'), Arm(3, 'end'), Arm(4, 'start'))


def crossing() -> tuple[Junction, tuple[Road, ...], dict[int, Road]]:
    return join(9, ARMS, {road.id: road for road in CROSSING}, 100)


def lane_edges(road: Road, lane: int, contact: Contact) -> np.ndarray:
    """Return both edges (2, 3) of a lane at one end of a road, the inner one first."""
    s = np.array([0.0 if contact == 'start' else road.curve.length])
    section = road.sections[0]
    inner = road.points(s, section.inner_t(lane, s))
    return np.concatenate([inner, road.points(s, section.outer_t(lane, s))])


def test_every_connecting_road_joins_the_edges_of_its_lanes() -> None:
    _, connecting, roads = crossing()
    for road in connecting:
        lane = road.sections[0].lane(-1)
        for link, target, end in (
            (road.predecessor, lane.predecessor, 'start'),
            (road.successor, lane.successor, 'end'),
        ):
            assert link is not None and link.contact is not None and target is not None
            there = lane_edges(roads[link.id], target, link.contact)
            np.testing.assert_allclose(lane_edges(road, -1, end), there, atol=1e-6)


def test_cars_keep_to_the_right_on_both_sides_of_a_junction() -> None:
    _, connecting, _ = crossing()
    for road in connecting:
        lane = road.sections[0].lane(-1)
        assert road.predecessor is not None and road.successor is not None
        assert lane.predecessor is not None and lane.successor is not None
        assert (lane.predecessor < 0) == (road.predecessor.contact == 'end')
        assert (lane.successor < 0) == (road.successor.contact == 'start')


def test_every_arm_leads_to_every_other_one() -> None:
    _, connecting, _ = crossing()
    ways = {
        (r.predecessor.id, r.successor.id) for r in connecting if r.predecessor and r.successor
    }
    assert ways == {(a, b) for a in range(1, 5) for b in range(1, 5) if a != b}


def test_two_lanes_go_straight_beside_each_other_and_turn_from_the_outer_ones() -> None:
    junction, connecting, _ = crossing()
    from_east = [
        (road.successor.id, lane)
        for (incoming, _, lane), road in zip(junction.connections, connecting, strict=True)
        if incoming == 1 and road.successor
    ]
    # West straight on over both lanes, south to the left, north to the right.
    assert sorted(from_east) == [(2, 2), (3, 1), (3, 2), (4, 1)]


def test_the_streets_learn_which_of_their_ends_meets_the_junction() -> None:
    _, _, roads = crossing()
    link = Link('junction', 9)
    assert (roads[1].predecessor, roads[1].successor) == (link, None)
    assert (roads[2].predecessor, roads[2].successor) == (None, link)


def test_corners_run_counter_clockwise_from_kerb_to_kerb() -> None:
    junction, _, _ = crossing()
    corner = junction.corners[0]
    assert (corner.start.x, corner.start.y) == pytest.approx((20.0, 2 * WIDTH))
    assert (corner.end.x, corner.end.y) == pytest.approx((WIDTH, 20.0))
    ends = [p for c in junction.corners for p in ((c.start.x, c.start.y), (c.end.x, c.end.y))]
    x, y = np.array(ends).T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0
