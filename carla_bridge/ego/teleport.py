"""Puts the car down along a way, each time a little beside the middle and a little askew.

After the collector of "Algorithms for Automated Driving" (T. Fermi): pictures from the middle of
the lane alone never show a model how leaving it looks. Jumps are shorter where the way bends.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from carla_bridge.ego.lane_path import STEP_M, LanePath

if TYPE_CHECKING:
    import carla

__all__ = ['Teleport']

_LOOK_POINTS = 12
_TRIES = 50
_STRAIGHT_POINTS, _CURVE_POINTS = (5, 10), (2, 4)
_CURVE_RADIANS_PER_M = 0.01
_CLIP_SIGMAS = 2.0


class Teleport:
    """Places along a way; the same ones for the same map, start and seed.

    Args:
        map_: of the town.
        start: where the way begins.
        seed: of the branches, the jumps and the noise.
        lateral_m: standard deviation of the distance from the middle of the lane, metres; cut
            at two of them.
        yaw_deg: standard deviation of the angle to the lane, degrees; cut likewise.
    """

    def __init__(
        self,
        map_: carla.Map,
        start: carla.Transform,
        *,
        seed: int,
        lateral_m: float = 0.3,
        yaw_deg: float = 5.0,
    ) -> None:
        self._map = map_
        self._noise = random.Random(seed)
        self._branches = random.Random(seed)
        self._path = LanePath(map_, start, self._branches)
        self._lateral_m = lateral_m
        self._yaw_deg = yaw_deg

    def next(self) -> carla.Transform:
        """Return the next place; after the end of a road, one on another."""
        self._path.extend(_LOOK_POINTS)
        if self._path.ends and len(self._path.waypoints) < _LOOK_POINTS:
            self._path = self._elsewhere()
        points = self._path.points
        length = STEP_M * max(1, len(points) - 1)
        bent = abs(points[-1, 3] - points[0, 3]) / length > _CURVE_RADIANS_PER_M
        self._path.forget(self._noise.randint(*(_CURVE_POINTS if bent else _STRAIGHT_POINTS)))
        lateral, turn = self._deviation(self._lateral_m), self._deviation(self._yaw_deg)
        return _beside(self._path.waypoints[0].transform, lateral, turn)

    def _elsewhere(self) -> LanePath:
        """Begin at a lane that goes on for long enough, if one of some tries does."""
        entries = sorted(
            (entry for entry, _ in self._map.get_topology()),
            key=lambda waypoint: (waypoint.road_id, waypoint.lane_id),
        )
        for _ in range(_TRIES):
            start = self._branches.choice(entries).transform
            path = LanePath(self._map, start, self._branches)
            path.extend(_LOOK_POINTS)
            if not path.ends:
                break
        return path

    def _deviation(self, sigma: float) -> float:
        clip = _CLIP_SIGMAS * sigma
        return max(-clip, min(clip, self._noise.gauss(0.0, sigma)))


def _beside(place: carla.Transform, lateral_m: float, turn_deg: float) -> carla.Transform:
    """Return a place moved to the right and turned clockwise."""
    import carla

    yaw = math.radians(place.rotation.yaw)
    return carla.Transform(
        carla.Location(
            place.location.x - lateral_m * math.sin(yaw),
            place.location.y + lateral_m * math.cos(yaw),
            place.location.z,
        ),
        carla.Rotation(
            pitch=place.rotation.pitch,
            yaw=place.rotation.yaw + turn_deg,
            roll=place.rotation.roll,
        ),
    )
