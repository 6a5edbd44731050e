"""The lane that a vehicle is in, and where it leads: what is left, right, ahead and oncoming."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.frame_labels import EGO_LANE, OTHER_DIRECTION, OUR_DIRECTION, Side
from carla_bridge.labels.lane_map import Lane, LaneKey

if TYPE_CHECKING:
    import carla

__all__ = ['EgoWay', 'ego_way']

_FAR_M = 6.0
"""A vehicle farther from the middle of the nearest lane than this is on none."""

_STEP_M = 0.1
_DRIVEN = ('Driving', 'Bidirectional')
_SAME_WAY: Final = math.cos(math.radians(60.0))


@dataclass(frozen=True)
class EgoWay:
    """The lanes along which the ego vehicle drives and has come.

    Attributes:
        lanes: the lane that it is in, those before and behind it. At a junction it goes on as
            straight as it can.
        roads: {(road, section) of these lanes: 1 or -1, the sign of our lanes there}.
        place: (2,) world x and y of the vehicle, metres.
        heading: (2,) unit vector of its lane there.
    """

    lanes: frozenset[LaneKey]
    roads: Mapping[tuple[int, int], int]
    place: NDArray[np.float64]
    heading: NDArray[np.float64]

    def side_of(self, border: LaneKey) -> Side:
        """Tell on which side of the ego lane a border is."""
        sign = self.roads.get((border.road, border.section))
        if sign is None:
            return 'other'
        if border in self.lanes:
            return 'right'
        # The inner border of a lane is the outer one of its inner neighbour.
        inside = LaneKey(border.road, border.section, border.lane + sign)
        return 'left' if inside in self.lanes else 'other'

    def area_of(self, lane: Lane) -> int:
        """Return what a lane is to the vehicle, a value of `FrameLabels.area`."""
        if lane.kind not in _DRIVEN:
            return 0
        if lane.key in self.lanes:
            return EGO_LANE
        sign = self.roads.get((lane.key.road, lane.key.section))
        if sign is not None:
            return OUR_DIRECTION if lane.key.lane * sign > 0 else OTHER_DIRECTION
        middle = ((lane.inner + lane.outer) / 2)[:, :2]
        nearest = int(((middle - self.place) ** 2).sum(axis=1)[:-1].argmin())
        way = middle[nearest + 1] - middle[nearest]
        way *= -np.sign(lane.key.lane) / max(float(np.linalg.norm(way)), 1e-9)
        return OUR_DIRECTION if float(way @ self.heading) > _SAME_WAY else OTHER_DIRECTION


def ego_way(
    map_: carla.Map,
    lanes: Mapping[LaneKey, Lane],
    location: carla.Location,
    *,
    range_m: float,
) -> EgoWay | None:
    """Find the lane at a place and follow it forward and backward.

    Args:
        map_: of the town.
        lanes: of the same map.
        location: of the vehicle, or of the camera.
        range_m: how far to follow, metres.

    Returns:
        None where no lane to drive on is near.
    """
    start = map_.get_waypoint(location)
    if start is None or start.transform.location.distance_2d(location) > _FAR_M:
        return None
    found: dict[LaneKey, None] = {}
    for forward in (True, False):
        _follow(start, lanes, found, forward=forward, range_m=range_m)
    yaw = math.radians(start.transform.rotation.yaw)
    return EgoWay(
        lanes=frozenset(found),
        roads={(key.road, key.section): (1 if key.lane > 0 else -1) for key in reversed(found)},
        place=np.array([location.x, location.y]),
        heading=np.array([math.cos(yaw), math.sin(yaw)]),
    )


def _follow(
    waypoint: carla.Waypoint,
    lanes: Mapping[LaneKey, Lane],
    found: dict[LaneKey, None],
    *,
    forward: bool,
    range_m: float,
) -> None:
    """Note the lanes on the way in one direction."""
    seen: set[LaneKey] = set()
    while range_m > 0.0:
        key = _key(waypoint)
        lane = lanes.get(key)
        if lane is None or key in seen:
            return
        seen.add(key)
        found.setdefault(key)
        rising = (key.lane < 0) == forward
        left = lane.s[-1] - waypoint.s if rising else waypoint.s - lane.s[0]
        step = max(float(left), 0.0) + _STEP_M
        ahead = waypoint.next(step) if forward else waypoint.previous(step)
        if not ahead:
            return
        range_m -= step
        old = waypoint
        waypoint = ahead[0]
        if len(ahead) > 1:
            waypoint = min(ahead, key=lambda branch: _turn(old, branch, lanes, forward=forward))


def _turn(
    waypoint: carla.Waypoint,
    branch: carla.Waypoint,
    lanes: Mapping[LaneKey, Lane],
    *,
    forward: bool,
) -> float:
    """Return by how much one turns, 0 to 2, until the far end of a branch."""
    lane = lanes.get(_key(branch))
    if lane is None:
        return 3.0
    middle = ((lane.inner + lane.outer) / 2)[:, :2]
    end = -1 if (lane.key.lane < 0) == forward else 1
    way = (middle[-1] - middle[-2]) if end == -1 else (middle[1] - middle[0])
    way = way * (-np.sign(lane.key.lane) / max(float(np.linalg.norm(way)), 1e-9))
    yaw = math.radians(waypoint.transform.rotation.yaw)
    return 1.0 - float(way @ (math.cos(yaw), math.sin(yaw)))


def _key(waypoint: carla.Waypoint) -> LaneKey:
    return LaneKey(waypoint.road_id, waypoint.section_id, waypoint.lane_id)
