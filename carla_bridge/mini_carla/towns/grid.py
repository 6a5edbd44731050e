"""`Town_grid`: four junctions with crosswalks, stop lines and arrows; no road ends anywhere.

Two streets run along x with two lanes each way, two along y with one. Outside the block the ends
of each street turn into those of its neighbour, so that every lane leads on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from carla_bridge.mini_carla.towns.arms import UNMARKED_M, painted_arm
from carla_bridge.mini_carla.towns.crossings import Arm, join
from carla_bridge.mini_carla.towns.curve import Curve, Element, Pose, arc, line
from carla_bridge.mini_carla.towns.network import (
    NO_MARK,
    Junction,
    Lane,
    LaneSection,
    Network,
    Poly3,
    Road,
    RoadMark,
)
from carla_bridge.mini_carla.towns.plan import TownPlan
from carla_bridge.mini_carla.towns.scenery import Scenery
from carla_bridge.mini_carla.towns.surfaces import SIDEWALK_HEIGHT_M, SIDEWALK_WIDTH_M

__all__ = ['grid']

Marks = tuple[tuple[float, RoadMark], ...]

_BLOCK_M = 130.0
"""Between the middles of neighbouring junctions."""

_LANE_M = 3.25
_CORNER_M = 6.0
"""Radius of the kerb at the corners of a junction."""

_APPROACH_M = 40.0
"""Straight part of a loop before its junction: room for both rows of arrows."""

_TURN_M = 28.0
"""Radius of the reference line of the loops outside the block."""

_NO_CHANGE_M = 30.0
"""Before a stop line the lanes are parted by a solid line for so long."""


# From the east counter-clockwise; junctions in the south-west, south-east, north-west, north-east.
_ARMS: dict[int, tuple[Arm, ...]] = {
    101: (Arm(1, 'start'), Arm(3, 'start'), Arm(6, 'end'), Arm(8, 'start')),
    102: (Arm(5, 'start'), Arm(4, 'start'), Arm(1, 'end'), Arm(8, 'end')),
    103: (Arm(2, 'start'), Arm(7, 'end'), Arm(6, 'start'), Arm(3, 'end')),
    104: (Arm(5, 'end'), Arm(7, 'start'), Arm(2, 'end'), Arm(4, 'end')),
}


@dataclass(frozen=True)
class _Street:
    """A kind of street: lanes per direction, and where they lead at a junction."""

    lanes: int
    ways: tuple[str, ...]

    @property
    def half(self) -> float:
        """Half the width between the kerbs, metres."""
        return self.lanes * _LANE_M


_AVENUE = _Street(2, ('LS', 'SR'))
_LANE = _Street(1, ('LSR',))


def grid() -> TownPlan:
    """Return the plan of the town."""
    # Distances from the middle of a junction to the ends of the streets that meet there.
    end_x, end_y = _LANE.half + _CORNER_M, _AVENUE.half + _CORNER_M
    half, east, north, west, south = _BLOCK_M / 2, 0.0, 90.0, 180.0, 270.0
    roads: dict[int, Road] = {}
    inner_x, inner_y = line(_BLOCK_M - 2 * end_x), line(_BLOCK_M - 2 * end_y)
    low, high = -half, half
    for road_id, street, x, y, degrees, elements in (
        (1, _AVENUE, low + end_x, low, east, inner_x),
        (2, _AVENUE, low + end_x, high, east, inner_x),
        (3, _LANE, low, low + end_y, north, inner_y),
        (4, _LANE, high, low + end_y, north, inner_y),
        (5, _AVENUE, high + end_x, low, east, _loop()),
        (6, _AVENUE, low - end_x, high, west, _loop()),
        (7, _LANE, high, high + end_y, north, _loop()),
        (8, _LANE, low, low - end_y, south, _loop()),
    ):
        pose = Pose(x, y, math.radians(degrees))
        roads[road_id] = _road(road_id, street, Curve(pose, elements))
    junctions: list[Junction] = []
    connecting: list[Road] = []
    for junction_id, arms in _ARMS.items():
        junction, ways, roads = join(junction_id, arms, roads, 200 + 50 * len(junctions))
        junctions.append(junction)
        connecting += ways
    scenery = Scenery(
        buildings=(14.0, 26.0), storeys=(8.0, 24.0), trees=(18.0, 45.0), lamps=26.0,
        setback=(2.0, 6.0),
    )  # fmt: skip
    network = Network('Town_grid', (*roads.values(), *connecting), tuple(junctions))
    return TownPlan(network, scenery)


def _loop() -> tuple[Element, ...]:
    """Return the way round from one end of a street to the neighbouring one, to the left."""
    approach, turn = line(_APPROACH_M), arc(_TURN_M, 90.0)
    return approach + turn + line(_BLOCK_M - 2 * _TURN_M) + turn + approach


def _road(road_id: int, street: _Street, curve: Curve) -> Road:
    """Return a street between two junctions with all its paint."""
    end = curve.length - UNMARKED_M
    near, far = _NO_CHANGE_M, curve.length - _NO_CHANGE_M
    yellow, broken = RoadMark('solid', 'yellow', wear=0.2), RoadMark('broken', wear=0.25)
    middle: Marks
    ahead: Marks
    back: Marks
    if street is _AVENUE:
        middle = ((UNMARKED_M, RoadMark('solid solid', 'yellow', wear=0.2)),)
    else:
        dashes = RoadMark('broken', 'yellow', wear=0.3)
        middle = ((UNMARKED_M, yellow), (near, dashes), (far, yellow))
    solid = RoadMark('solid', wear=0.15)
    width = (Poly3(0.0, _LANE_M),)
    right, left = [], []
    for i in range(1, street.lanes + 1):
        if i == street.lanes:
            ahead = back = ((0.0, RoadMark('curb')),)
        else:
            # Each side changes to a solid line before its own stop line.
            ahead = ((0.0, NO_MARK), (UNMARKED_M, broken), (far, solid), (end, NO_MARK))
            back = ((0.0, NO_MARK), (UNMARKED_M, solid), (near, broken), (end, NO_MARK))
        right.append(Lane(-i, width=width, marks=ahead))
        left.append(Lane(i, width=width, marks=back))
    walk = street.lanes + 1
    walk_width = (Poly3(0.0, SIDEWALK_WIDTH_M),)
    lanes = (
        Lane(walk, 'sidewalk', walk_width, height_m=SIDEWALK_HEIGHT_M),
        *reversed(left),
        Lane(0, 'none', marks=((0.0, NO_MARK), *middle, (end, NO_MARK))),
        *right,
        Lane(-walk, 'sidewalk', walk_width, height_m=SIDEWALK_HEIGHT_M),
    )
    road = Road(road_id, curve, (LaneSection(0.0, lanes),), speed_kmh=40.0)
    return painted_arm(painted_arm(road, 'start', street.ways), 'end', street.ways)
