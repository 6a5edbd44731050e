"""Other cars on the road: where they appear, who drives them, what happens when they get stuck."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla

    from carla_bridge.ego import WaypointFollower
    from carla_bridge.world_session import WorldSession

__all__ = ['ROLE', 'STANDSTILL_S', 'Standstill', 'Traffic', 'free_places', 'put_down']

LOG = logging.getLogger(__name__)

ROLE = 'lane_seg_traffic'
"""Role name of the cars: they can be told apart from those of others."""

STANDSTILL_S = 20.0
"""Simulated seconds of standing after which a car is put down elsewhere."""

_ROOM_M = 12.0
_MOVED_M = 1.0
_SPEEDS_KMH = (20.0, 40.0)
_DROP_M = 0.5  # above the road, or the simulator finds a collision with it


class Standstill:
    """Notices that a vehicle has not moved for a while.

    Args:
        vehicle: to watch.
        limit_s: simulated seconds of standing.
        delta_s: simulated seconds a tick.
    """

    def __init__(self, vehicle: carla.Vehicle, *, limit_s: float, delta_s: float) -> None:
        self._vehicle = vehicle
        self._limit = limit_s / delta_s
        self._ticks = 0
        self._place: carla.Location | None = None

    def lost(self) -> bool:
        """To be asked once a tick: whether it has stood too long; then counts anew."""
        place = self._vehicle.get_location()
        self._ticks += 1
        if self._place is None or place.distance(self._place) > _MOVED_M:
            self._place, self._ticks = place, 0
        if self._ticks < self._limit:
            return False
        self._ticks = 0
        return True


class Traffic:
    """Cars that drive by themselves until the session ends.

    Args:
        session: in whose world they appear; it destroys them.
        count: how many; fewer where the town has too few places.
        seed: of models, places, speeds and ways.
        delta_s: simulated seconds a tick.
        keep_off: places that stay free, that of the ego car.
        by_traffic_manager: the Traffic Manager of the session drives, not waypoint followers.
    """

    def __init__(
        self,
        session: WorldSession,
        *,
        count: int,
        seed: int,
        delta_s: float,
        keep_off: Sequence[carla.Vehicle] = (),
        by_traffic_manager: bool = False,
    ) -> None:
        from carla_bridge.ego import WaypointFollower

        self._session = session
        self._map = session.world.get_map()
        self._rng = random.Random(seed)
        self._others = tuple(keep_off)
        self._followers: list[WaypointFollower] = []
        self.vehicles: list[carla.Vehicle] = self._spawn(count)
        for vehicle in self.vehicles:
            if by_traffic_manager:
                session.hand_to_traffic_manager(vehicle)
                continue
            speed_kmh = self._rng.uniform(*_SPEEDS_KMH)
            follower_seed = self._rng.getrandbits(31)
            follower = WaypointFollower(
                vehicle, self._map, speed_kmh=speed_kmh, seed=follower_seed
            )
            self._followers.append(follower)
        self._standstill = {
            follower.vehicle.id: Standstill(
                follower.vehicle, limit_s=STANDSTILL_S, delta_s=delta_s
            )
            for follower in self._followers
        }

    def before_tick(self) -> None:
        """Let the followers drive for one tick; the Traffic Manager needs no call."""
        if not self._followers:
            return
        import carla

        everybody = (*self._others, *self.vehicles)
        commands = []
        for follower in self._followers:
            if self._standstill[follower.vehicle.id].lost():
                self._move_on(follower, everybody)
                continue
            control = follower.step(everybody)
            commands.append(carla.command.ApplyVehicleControl(follower.vehicle, control))
        self._session.client.apply_batch(commands)

    def _move_on(self, follower: WaypointFollower, everybody: Sequence[carla.Vehicle]) -> None:
        """Put a car that stands in a jam down elsewhere: followers know no right of way."""
        places = free_places(self._map, everybody)
        if places:
            put_down(follower.vehicle, self._rng.choice(places))
            follower.restart()

    def _spawn(self, count: int) -> list[carla.Vehicle]:
        models = _car_models(self._session.world)
        places = free_places(self._map, self._others)
        self._rng.shuffle(places)
        cars: list[carla.Vehicle] = []
        for place in places:
            if len(cars) == count:
                break
            model = self._rng.choice(models)
            try:
                car = self._session.spawn(model, place, attributes={'role_name': ROLE})
            except CarlaError as error:
                LOG.debug('no car at a place: %s', error)
                continue
            cars.append(car)
        if len(cars) < count:
            LOG.warning('expected room for %d cars, found it for %d', count, len(cars))
        return cars


def free_places(map_: carla.Map, vehicles: Sequence[carla.Vehicle]) -> list[carla.Transform]:
    """Return the town's spawn points with nobody near, in the order of the town."""
    taken = [vehicle.get_location() for vehicle in vehicles]
    return [
        place
        for place in map_.get_spawn_points()
        if all(place.location.distance(other) > _ROOM_M for other in taken)
    ]


def put_down(vehicle: carla.Vehicle, place: carla.Transform) -> None:
    """Move a vehicle elsewhere and take its speed away."""
    import carla

    location = place.location + carla.Location(z=_DROP_M)
    vehicle.set_transform(carla.Transform(location, place.rotation))
    vehicle.set_target_velocity(carla.Vector3D())
    vehicle.set_target_angular_velocity(carla.Vector3D())


def _car_models(world: carla.World) -> list[str]:
    """Return the ids of all four-wheeled vehicles, sorted."""
    return sorted(
        blueprint.id
        for blueprint in world.get_blueprint_library().filter('vehicle.*')
        if not blueprint.has_attribute('number_of_wheels')
        or int(blueprint.get_attribute('number_of_wheels')) == 4
    )
