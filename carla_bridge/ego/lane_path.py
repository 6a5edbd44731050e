"""A way along the lanes of a town, one metre after the other, with a branch chosen by seed."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla
    from numpy.typing import NDArray

__all__ = ['STEP_M', 'LanePath']

STEP_M = 1.0
_BEHIND_M = 2.0
_MISFIT = math.cos(math.radians(60.0))
_METRES_PER_RADIAN = 5.0


class LanePath:
    """Points in the middle of a lane and of those that follow it, from behind a place to ahead.

    Args:
        map_: of the town.
        start: a place on a lane or near one; its yaw says which, where lanes cross.
        rng: chooses where the way branches. The points depend on `start` and on it alone.

    Raises:
        CarlaError: the town has no lane for cars.
    """

    def __init__(self, map_: carla.Map, start: carla.Transform, rng: random.Random) -> None:
        self._rng = rng
        self._last = _lane_at(map_, start)
        self._waypoints = deque([*_before(self._last), self._last])
        self.ends = False

    @property
    def points(self) -> NDArray[np.float64]:
        """(N, 4): x, y, z in metres and yaw in radians (no jumps by a full turn)."""
        places = [waypoint.transform for waypoint in self._waypoints]
        points = np.array(
            [(p.location.x, p.location.y, p.location.z, p.rotation.yaw) for p in places]
        )
        points[:, 3] = np.unwrap(np.radians(points[:, 3]))
        return points

    @property
    def waypoints(self) -> tuple[carla.Waypoint, ...]:
        """The same points as the map has them."""
        return tuple(self._waypoints)

    def forget(self, count: int) -> None:
        """Drop the first points, never the last one."""
        for _ in range(min(count, len(self._waypoints) - 1)):
            self._waypoints.popleft()

    def extend(self, count: int) -> None:
        """Add points until there are `count` of them; `ends` says that the road does."""
        while len(self._waypoints) < count and not self.ends:
            following = self._last.next(STEP_M)
            if not following:
                self.ends = True
                return
            # Sorted: the order in which the client names branches is not promised.
            following.sort(key=lambda waypoint: (waypoint.road_id, waypoint.lane_id))
            self._last = self._rng.choice(following) if len(following) > 1 else following[0]
            self._waypoints.append(self._last)


def _lane_at(map_: carla.Map, start: carla.Transform) -> carla.Waypoint:
    """Return the waypoint at a place; in a junction, that of the lane that points its way."""
    nearest = map_.get_waypoint(start.location)
    if nearest is None:
        raise CarlaError(
            f'expected a lane for cars near {start.location}, found none in {map_.name}; does its '
            'OpenDRIVE text have driving lanes?'
        )
    if not nearest.is_junction or _alignment(nearest, start) >= _MISFIT:
        return nearest
    import carla

    pairs = nearest.get_junction().get_waypoints(carla.LaneType.Driving)
    lanes = (waypoint for entry, _ in pairs for waypoint in (entry, *_until_end(entry)))
    return min(lanes, key=lambda waypoint: _misfit(waypoint, start))


def _until_end(entry: carla.Waypoint) -> list[carla.Waypoint]:
    return list(entry.next_until_lane_end(STEP_M))


def _before(waypoint: carla.Waypoint) -> list[carla.Waypoint]:
    """Return what lies behind on the same lane, for the rear axle is there."""
    behind = waypoint.previous(_BEHIND_M)
    return behind[:1] if len(behind) == 1 else []


def _alignment(waypoint: carla.Waypoint, place: carla.Transform) -> float:
    """Cosine of the angle between a lane and a place."""
    return math.cos(math.radians(waypoint.transform.rotation.yaw - place.rotation.yaw))


def _misfit(waypoint: carla.Waypoint, place: carla.Transform) -> float:
    turn = math.acos(max(-1.0, min(1.0, _alignment(waypoint, place))))
    return waypoint.transform.location.distance(place.location) + _METRES_PER_RADIAN * turn
