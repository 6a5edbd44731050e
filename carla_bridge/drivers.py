"""Drivers of one vehicle, and bringing it back where it got stuck."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

from carla_bridge.connection import CarlaError
from carla_bridge.traffic import free_places, put_down
from carla_bridge.world_session import WorldSession

if TYPE_CHECKING:
    import carla

__all__ = [
    'DRIVERS',
    'STUCK_S',
    'Autopilot',
    'Driver',
    'Follower',
    'Nobody',
    'Rescuer',
    'driver_of',
]

DRIVERS = ('none', 'follower', 'autopilot')
"""Names that `driver_of` knows."""

STUCK_S = 15.0
"""Simulated seconds of standing after which `Rescuer` acts."""

_LOOK_AROUND_TICKS = 20
_STANDS_M_S = 0.1


class Driver(Protocol):
    """Drives a vehicle, tick by tick."""

    def step(self) -> None:
        """Do what is to be done between two ticks."""

    def restart(self) -> None:
        """Take note that the vehicle has been put down elsewhere."""


class Nobody:
    """Leaves the vehicle alone: it stands, or somebody else drives it."""

    def step(self) -> None:
        """Do nothing."""

    def restart(self) -> None:
        """Do nothing."""


class Follower:
    """Keeps to the lane and stops behind others; needs nothing but the map.

    Args:
        world: of the vehicle.
        vehicle: to drive.
        speed_kmh: on straight and empty road.
        seed: of its choices where the road branches.
    """

    def __init__(
        self, world: carla.World, vehicle: carla.Vehicle, *, speed_kmh: float, seed: int
    ) -> None:
        from carla_bridge.ego import WaypointFollower

        self._world = world
        self._follower = WaypointFollower(vehicle, world.get_map(), speed_kmh=speed_kmh, seed=seed)
        self._others: list[carla.Vehicle] = []
        self._steps = 0

    @property
    def speed_kmh(self) -> float:
        """Speed on straight and empty road; may be set."""
        return self._follower.speed_kmh

    @speed_kmh.setter
    def speed_kmh(self, value: float) -> None:
        self._follower.speed_kmh = value

    def control(self) -> carla.VehicleControl:
        """Return what to do in the next tick."""
        # Who is there changes seldom, and asking for it costs more than all the rest.
        if self._steps % _LOOK_AROUND_TICKS == 0:
            self._others = list(self._world.get_actors().filter('vehicle.*'))
        self._steps += 1
        return self._follower.step([other for other in self._others if other.is_alive])

    def step(self) -> None:
        """Steer, accelerate and brake."""
        self._follower.vehicle.apply_control(self.control())

    def restart(self) -> None:
        """Look for the lane anew."""
        self._follower.restart()


class Autopilot:
    """Hands the vehicle to CARLA's Traffic Manager, which runs in this process.

    Args:
        session: whose Traffic Manager has been asked for.
        vehicle: to drive.
    """

    def __init__(self, session: WorldSession, vehicle: carla.Vehicle) -> None:
        session.hand_to_traffic_manager(vehicle)

    def step(self) -> None:
        """Do nothing: the Traffic Manager follows the ticks by itself."""

    def restart(self) -> None:
        """Do nothing: the Traffic Manager notices."""


def driver_of(
    name: str,
    session: WorldSession,
    vehicle: carla.Vehicle,
    *,
    speed_kmh: float,
    seed: int,
    traffic_manager_port: int,
) -> Driver:
    """Return a driver by its name.

    Args:
        name: one of `DRIVERS`.
        session: of the vehicle.
        vehicle: to drive.
        speed_kmh: wanted speed.
        seed: of the driver's choices.
        traffic_manager_port: on which 'autopilot' serves its Traffic Manager.
    """
    if name == 'none':
        return Nobody()
    if name == 'follower':
        return Follower(session.world, vehicle, speed_kmh=speed_kmh, seed=seed)
    if name == 'autopilot':
        manager = session.traffic_manager(traffic_manager_port, seed=seed)
        driver = Autopilot(session, vehicle)
        manager.set_desired_speed(vehicle, speed_kmh)
        return driver
    raise CarlaError(f'expected a driver out of {", ".join(DRIVERS)}, found {name!r}')


class Rescuer:
    """Puts a vehicle down at another spawn point after it has stood for a while.

    Args:
        world: of the vehicle.
        vehicle: to look after.
        driver: is told.
        seed: of the choice of places.
        delta_s: simulated seconds a tick.
    """

    def __init__(
        self,
        world: carla.World,
        vehicle: carla.Vehicle,
        driver: Driver,
        *,
        seed: int,
        delta_s: float,
    ) -> None:
        self._world = world
        self._map = world.get_map()
        self._vehicle = vehicle
        self._driver = driver
        self._rng = random.Random(seed)
        self._limit = STUCK_S / delta_s
        self._ticks = 0

    def step(self) -> bool:
        """Look at the vehicle, once a tick; returns whether it has been moved."""
        self._ticks = 0 if self._vehicle.get_velocity().length() > _STANDS_M_S else self._ticks + 1
        if self._ticks < self._limit:
            return False
        self._ticks = 0
        places = free_places(self._map, list(self._world.get_actors().filter('vehicle.*')))
        if not places:
            return False
        put_down(self._vehicle, self._rng.choice(places))
        self._driver.restart()
        return True
