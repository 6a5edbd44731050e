"""The three ways in which the car with the camera moves, behind one interface."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from carla_bridge.ego import Teleport, WaypointFollower
from carla_bridge.recording.plan_parts import EgoPlan
from carla_bridge.traffic import STANDSTILL_S, Standstill, free_places, put_down

if TYPE_CHECKING:
    import carla

    from carla_bridge.world_session import WorldSession

__all__ = ['EgoMode', 'ego_mode']

_ROOM_M = 8.0
_PLACES = 200
_RED_LIGHT_S = 120.0  # the Traffic Manager waits at red lights


class EgoMode(Protocol):
    """Moves the car."""

    places: int
    """How many places were taken so far; what `ego_mode` wants to go on with after a break."""

    def before_frame(self, others: Sequence[carla.Vehicle]) -> None:
        """To be called before the ticks that lead to the next frame."""

    def before_tick(self, others: Sequence[carla.Vehicle]) -> None:
        """To be called before each tick."""


def ego_mode(
    plan: EgoPlan,
    session: WorldSession,
    vehicle: carla.Vehicle,
    *,
    start: carla.Transform,
    seed: int,
    delta_s: float,
    manager: carla.TrafficManager | None = None,
    places: int = 0,
) -> EgoMode:
    """Return what moves the car in the way that the plan asks for.

    Args:
        plan: mode, speed and noise.
        session: of the world.
        vehicle: the car.
        start: where its way began; a drive that goes on begins there again.
        seed: of its way.
        delta_s: simulated seconds a tick.
        manager: of the session; needed in the mode traffic_manager.
        places: what `EgoMode.places` was when the drive broke off.
    """
    if plan.mode == 'teleport':
        return _Teleporting(plan, session, vehicle, start=start, seed=seed, places=places)
    follower = None
    if manager is not None:
        session.hand_to_traffic_manager(vehicle)
        manager.set_desired_speed(vehicle, plan.speed_kmh)
    else:
        map_ = session.world.get_map()
        # After a break another seed: the same one would choose as at the start.
        follower = WaypointFollower(vehicle, map_, speed_kmh=plan.speed_kmh, seed=seed + places)
    return _Driving(session, vehicle, follower, seed=seed + places, delta_s=delta_s)


class _Driving:
    """By a waypoint follower, or by the Traffic Manager if there is no follower."""

    def __init__(
        self,
        session: WorldSession,
        vehicle: carla.Vehicle,
        follower: WaypointFollower | None,
        *,
        seed: int,
        delta_s: float,
    ) -> None:
        self.places = 0
        self._map = session.world.get_map()
        self._rng = random.Random(seed)
        self._vehicle = vehicle
        self._follower = follower
        limit_s = _RED_LIGHT_S if follower is None else STANDSTILL_S
        self._standstill = Standstill(vehicle, limit_s=limit_s, delta_s=delta_s)

    def before_frame(self, others: Sequence[carla.Vehicle]) -> None:
        self.places += 1

    def before_tick(self, others: Sequence[carla.Vehicle]) -> None:
        if self._standstill.lost() and (free := free_places(self._map, others)):
            put_down(self._vehicle, self._rng.choice(free))
            if self._follower is not None:
                self._follower.restart()
        elif self._follower is not None:
            self._vehicle.apply_control(self._follower.step(others))


class _Teleporting:
    def __init__(
        self,
        plan: EgoPlan,
        session: WorldSession,
        vehicle: carla.Vehicle,
        *,
        start: carla.Transform,
        seed: int,
        places: int,
    ) -> None:
        self.places = 0
        self._vehicle = vehicle
        self._way = Teleport(
            session.world.get_map(),
            start,
            seed=seed,
            lateral_m=plan.lateral_m,
            yaw_deg=plan.yaw_deg,
        )
        # Without physics a car stays where it is put, on slopes and askew.
        vehicle.set_simulate_physics(False)
        for _ in range(places):
            self._next()

    def before_frame(self, others: Sequence[carla.Vehicle]) -> None:
        taken = [other.get_location() for other in others if other.id != self._vehicle.id]
        place = self._next()
        for _ in range(_PLACES):
            if all(place.location.distance(other) > _ROOM_M for other in taken):
                break
            place = self._next()
        self._vehicle.set_transform(place)

    def before_tick(self, others: Sequence[carla.Vehicle]) -> None:
        pass

    def _next(self) -> carla.Transform:
        self.places += 1
        return self._way.next()
