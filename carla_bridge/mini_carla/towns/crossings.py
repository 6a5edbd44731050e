"""Junctions between the ends of roads: connecting roads, kerb corners, paint on the arms.

Every movement is a connecting road of its own with one lane, -1, whose reference line is the
left edge of that lane, as OpenDRIVE 1.4 (section 5.3.7) and the Traffic Manager want it: a car
that enters finds a successor for every way on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from carla_bridge.mini_carla.towns.curve import Pose, turn_between
from carla_bridge.mini_carla.towns.network import (
    Contact,
    Junction,
    Lane,
    LaneSection,
    Link,
    Poly3,
    Road,
)

__all__ = ['Arm', 'join']

_STRAIGHT_DEG = 30.0
"""Movements that turn by less go straight on."""


@dataclass(frozen=True)
class Arm:
    """The end of a road that meets a junction."""

    road: int
    contact: Contact


@dataclass(frozen=True)
class _Way:
    """One lane at an arm: its id, the pose of its left edge in driving direction, its width."""

    lane: int
    pose: Pose
    width: float


def join(
    junction_id: int, arms: tuple[Arm, ...], roads: Mapping[int, Road], first_id: int
) -> tuple[Junction, tuple[Road, ...], dict[int, Road]]:
    """Build a junction.

    From each arm, the leftmost lane also turns left and the rightmost one also turns right;
    going straight, every lane keeps its number.

    Args:
        junction_id: its id.
        arms: in counter-clockwise order as seen from above.
        roads: the roads of the arms by id.
        first_id: ids of the connecting roads count up from here.

    Returns:
        The junction, its connecting roads, and the roads of the arms with their links set.
    """
    connecting: list[Road] = []
    connections: list[tuple[int, int, int]] = []
    for source in arms:
        for target in arms:
            if source == target:
                continue
            for begin, end in _movements(
                _ways(roads[source.road], source.contact, inward=True),
                _ways(roads[target.road], target.contact, inward=False),
            ):
                road_id = first_id + len(connecting)
                connecting.append(_connecting(road_id, junction_id, source, target, begin, end))
                connections.append((source.road, road_id, begin.lane))
    corners = tuple(
        turn_between(
            _edge(roads[arm.road], arm.contact, left=False),
            _edge(roads[after.road], after.contact, left=True).turned(),
        )
        for arm, after in zip(arms, arms[1:] + arms[:1], strict=True)
    )
    linked = dict(roads)
    link = Link('junction', junction_id)
    for arm in arms:
        road = linked[arm.road]
        linked[arm.road] = (
            replace(road, predecessor=link)
            if arm.contact == 'start'
            else replace(road, successor=link)
        )
    return Junction(junction_id, tuple(connections), corners), tuple(connecting), linked


def _ways(road: Road, contact: Contact, *, inward: bool) -> tuple[_Way, ...]:
    """Return the driving lanes into (or out of) the junction at an arm, from left to right."""
    # Traffic keeps right: seen in its own direction it has the reference line on its left.
    side = -1 if (contact == 'end') == inward else 1
    section = road.sections[0 if contact == 'start' else -1]
    s = np.array([0.0 if contact == 'start' else road.curve.length])
    pose = road.outward(contact)
    if not inward:
        pose = pose.turned()
    ways = []
    for lane in section.lanes:
        if lane.kind == 'driving' and lane.id * side > 0:
            inner = abs(float(section.inner_t(lane.id, s)[0]))
            outer = abs(float(section.outer_t(lane.id, s)[0]))
            ways.append(_Way(lane.id, pose.shifted(-inner), outer - inner))
    return tuple(sorted(ways, key=lambda way: abs(way.lane)))


def _movements(
    sources: tuple[_Way, ...], targets: tuple[_Way, ...]
) -> tuple[tuple[_Way, _Way], ...]:
    """Pair the lanes of one arm with those of another."""
    turn = math.degrees(targets[0].pose.heading - sources[0].pose.heading)
    turn = (turn + 180) % 360 - 180
    if abs(turn) < _STRAIGHT_DEG:
        return tuple(zip(sources, targets, strict=False))
    if turn > 0:
        return ((sources[0], targets[0]),)
    return ((sources[-1], targets[-1]),)


def _connecting(
    road_id: int, junction_id: int, source: Arm, target: Arm, begin: _Way, end: _Way
) -> Road:
    curve = turn_between(begin.pose, end.pose)
    width = Poly3(0.0, begin.width, (end.width - begin.width) / curve.length)
    lane = Lane(-1, width=(width,), predecessor=begin.lane, successor=end.lane)
    return Road(
        road_id,
        curve,
        (LaneSection(0.0, (Lane(0), lane)),),
        predecessor=Link('road', source.road, source.contact),
        successor=Link('road', target.road, target.contact),
        junction=junction_id,
        speed_kmh=30.0,
    )


def _edge(road: Road, contact: Contact, *, left: bool) -> Pose:
    """Return the edge of the carriageway at an arm, seen by who drives into the junction."""
    side = 1 if left == (contact == 'end') else -1
    s = 0.0 if contact == 'start' else road.curve.length
    distance = abs(road.edge_t(s, side, ('driving',)))
    return road.outward(contact).shifted(distance if left else -distance)
