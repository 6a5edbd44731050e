"""Drives a car along the lanes: steering by pure pursuit, speed by curves and by who is ahead.

Pure pursuit: R. C. Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", Carnegie
Mellon University, CMU-RI-TR-92-01, 1992. The arc starts at the rear axle and ends at a point of
the way ahead. Traffic lights, right of way and lane changes are left alone: the Traffic Manager
knows those.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from carla_bridge.ego.lane_path import STEP_M, LanePath

if TYPE_CHECKING:
    import carla
    from numpy.typing import NDArray

__all__ = ['WaypointFollower']

_AHEAD_POINTS = 50
_LOST_M = 4.0
_LOOK_M, _LOOK_S = 1.5, 0.4
_SIDEWAYS, _BRAKING = 2.0, 2.0  # m/s^2, of which a passenger takes no notice
_WHEELBASE_SHARE = 1.2  # of half the length, as most cars have it
_GAP_M, _MARGIN_M = 3.0, 0.3
_GAIN, _INTEGRAL, _MAX_INTEGRAL = 0.5, 0.15, 0.5
_BRAKE_GAIN, _COAST = 0.3, 0.4


class WaypointFollower:
    """A driver who keeps to the middle of the lane.

    Args:
        vehicle: to drive; anywhere on a lane.
        map_: of the town.
        speed_kmh: on straight and empty road.
        seed: of its choices where the road branches.
    """

    def __init__(
        self, vehicle: carla.Vehicle, map_: carla.Map, *, speed_kmh: float = 30.0, seed: int = 0
    ) -> None:
        self.vehicle = vehicle
        self.speed_kmh = speed_kmh
        self._map = map_
        self._rng = random.Random(seed)
        self._extent = _half_size(vehicle)
        self._wheelbase = _WHEELBASE_SHARE * self._extent[0]
        wheels = vehicle.get_physics_control().wheels
        self._lock = math.radians(max(wheel.max_steer_angle for wheel in wheels))
        self._path: LanePath | None = None
        self._points = np.empty((0, 4))
        self._extents: dict[int, tuple[float, float]] = {}
        self._integral = 0.0

    @property
    def at_end(self) -> bool:
        """Whether the road ends within sight."""
        return self._path is not None and self._path.ends

    @property
    def path(self) -> tuple[carla.Waypoint, ...]:
        """The way ahead, a waypoint each metre; empty before the first step."""
        return () if self._path is None else self._path.waypoints

    def step(self, others: Sequence[carla.Vehicle] = ()) -> carla.VehicleControl:
        """Return what to do in the next tick.

        Args:
            others: vehicles to stop behind; the driven one among them is skipped.
        """
        import carla

        place = self.vehicle.get_transform()
        speed = _forward_speed(self.vehicle, place)
        yaw = math.radians(place.rotation.yaw)
        half_base = self._wheelbase / 2
        rear = np.array(
            [
                place.location.x - half_base * math.cos(yaw),
                place.location.y - half_base * math.sin(yaw),
            ]
        )
        self._follow(rear, place)
        steer = self._steer(rear, yaw, speed)
        throttle, brake = self._pedals(speed, self._wanted_speed(speed, others))
        return carla.VehicleControl(throttle=throttle, steer=steer, brake=brake)

    def restart(self) -> None:
        """Forget the way: the car has been put down elsewhere."""
        self._path = None
        self._integral = 0.0

    def _follow(self, rear: NDArray[np.float64], place: carla.Transform) -> None:
        """Bring the way up to where the car is."""
        if self._path is None or float(np.hypot(*(self._points[0, :2] - rear))) > _LOST_M:
            self._path = LanePath(self._map, place, self._rng)
            self._path.extend(_AHEAD_POINTS)
            self._points = self._path.points
        passed = _passed(self._points, rear)
        if passed or len(self._points) < 2:
            self._path.forget(passed)
            self._path.extend(_AHEAD_POINTS)
            self._points = self._path.points

    def _steer(self, rear: NDArray[np.float64], yaw: float, speed: float) -> float:
        """Return the position of the wheel, -1 (left) to 1."""
        look = _LOOK_M + _LOOK_S * max(speed, 0.0)
        distances = np.hypot(*(self._points[:, :2] - rear).T)
        beyond = np.flatnonzero(distances >= look)
        if len(beyond) and beyond[0] > 0:
            after = int(beyond[0])
            near, far = distances[after - 1], distances[after]
            share = (look - near) / (far - near)
            a, b = self._points[after - 1, :2], self._points[after, :2]
            target = a + share * (b - a)
        else:
            target = self._points[-1, :2]
        dx, dy = target - rear
        alpha = math.remainder(math.atan2(dy, dx) - yaw, math.tau)
        angle = math.atan2(2.0 * self._wheelbase * math.sin(alpha), max(math.hypot(dx, dy), 1.0))
        return max(-1.0, min(1.0, angle / self._lock))

    def _wanted_speed(self, speed: float, others: Sequence[carla.Vehicle]) -> float:
        """Return the speed from which every curve, car and end ahead is still reached, m/s."""
        distance = STEP_M * np.arange(len(self._points))
        limits = [self.speed_kmh / 3.6]
        if len(self._points) > 2:
            curvature = np.abs(np.gradient(self._points[:, 3], STEP_M))
            squared = _SIDEWAYS / np.maximum(curvature, 1e-6) + 2 * _BRAKING * distance
            limits.append(math.sqrt(float(squared.min())))
        if self.at_end:
            limits.append(_stopping_speed(distance[-1] - self._extent[0] - _GAP_M))
        limits.extend(self._behind(other) for other in others if other.id != self.vehicle.id)
        return min(limits)

    def _behind(self, other: carla.Vehicle) -> float:
        """Return the speed that is safe behind another vehicle, infinite where it is elsewhere."""
        place = other.get_transform()
        at = np.array([place.location.x, place.location.y])
        if float(np.hypot(*(at - self._points[0, :2]))) > STEP_M * len(self._points) + 10.0:
            return math.inf
        if other.id not in self._extents:
            self._extents[other.id] = _half_size(other)
        half = self._extents[other.id]
        yaw = math.radians(place.rotation.yaw)
        forward = np.array([math.cos(yaw), math.sin(yaw)])
        relative = self._points[:, :2] - at
        along = np.abs(relative @ forward)
        across = np.abs(relative @ np.array([-forward[1], forward[0]]))
        reach = self._extent[1] + _MARGIN_M
        on_way = np.flatnonzero((along < half[0] + reach) & (across < half[1] + reach))
        # What lies behind the own nose is beside or behind us.
        nose = self._wheelbase / 2 + self._extent[0]
        ahead = on_way[on_way * STEP_M > nose - 1.0]
        if not len(ahead):
            return math.inf
        first = int(ahead[0])
        gap = first * STEP_M - nose - _GAP_M + reach
        course = self._points[first, 3]
        velocity = other.get_velocity()
        leaving = max(0.0, velocity.x * math.cos(course) + velocity.y * math.sin(course))
        return _stopping_speed(gap, leaving)

    def _pedals(self, speed: float, wanted: float) -> tuple[float, float]:
        """Return throttle and brake, each 0 to 1."""
        if wanted < 0.2:
            self._integral = 0.0
            return 0.0, 1.0 if speed < 1.0 else 0.6
        error = wanted - speed
        if error < -_COAST:
            self._integral = max(0.0, self._integral + _INTEGRAL * error * self._delta_s())
            return 0.0, min(1.0, -_BRAKE_GAIN * (error + _COAST))
        # The integral is what a slope and the air need.
        if abs(error) < 2.0:
            self._integral += _INTEGRAL * error * self._delta_s()
            self._integral = max(0.0, min(_MAX_INTEGRAL, self._integral))
        return max(0.0, min(0.9, _GAIN * error + self._integral)), 0.0

    def _delta_s(self) -> float:
        return float(self.vehicle.get_world().get_snapshot().timestamp.delta_seconds)


def _passed(points: NDArray[np.float64], rear: NDArray[np.float64]) -> int:
    """Return how many points to drop so that the first is the last one behind the rear axle."""
    ahead = np.cos(points[:, 3]) * (points[:, 0] - rear[0])
    ahead += np.sin(points[:, 3]) * (points[:, 1] - rear[1])
    # Within a few metres only: on a loop the far end of the way may lie behind us again.
    near = ahead[:8]
    in_front = np.flatnonzero(near > 0.0)
    first = int(in_front[0]) if len(in_front) else len(near)
    return max(0, first - 1)


def _stopping_speed(gap_m: float, leaving: float = 0.0) -> float:
    """Return the speed from which one brakes to that of what is ahead, m/s."""
    return 0.0 if gap_m <= 0.0 else math.sqrt(leaving**2 + 2 * _BRAKING * gap_m)


def _forward_speed(vehicle: carla.Vehicle, place: carla.Transform) -> float:
    velocity, forward = vehicle.get_velocity(), place.get_forward_vector()
    return float(velocity.x * forward.x + velocity.y * forward.y + velocity.z * forward.z)


def _half_size(vehicle: carla.Vehicle) -> tuple[float, float]:
    """Return half of length and width, metres; a call to the server."""
    extent = vehicle.bounding_box.extent
    return float(extent.x), float(extent.y)
