"""A stay in a CARLA world that leaves no trace: settings come back, our actors go.

The order of leaving is the one that does not abort the client (docs/mini_carla.md): sensors stop,
autopilots end, a tick, actors go, a tick, the Traffic Manager leaves synchronous mode, then the
world does.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla

__all__ = ['WorldSession']

LOG = logging.getLogger(__name__)

_TICK_TIMEOUT_S = 30.0


class WorldSession:
    """A synchronous world whose ticks are ours, or one that somebody else ticks.

    Attributes:
        client: the connection.
        world: the loaded world; handles of an earlier one are dead.

    Args:
        client: from `connect`.
        town: to load; None keeps the one that is loaded. Loading makes all actors go.
        delta_s: simulated seconds a tick; None leaves the settings alone and lets others tick.
        no_rendering: only with `delta_s`.
    """

    def __init__(
        self,
        client: carla.Client,
        *,
        town: str | None = None,
        delta_s: float | None = None,
        no_rendering: bool = False,
    ) -> None:
        self.client = client
        self.world: carla.World = _loaded(client, town)
        self._delta_s = delta_s
        self._no_rendering = no_rendering
        self._before: carla.WorldSettings | None = None
        self._actors: list[carla.Actor] = []
        self._autopilots: list[carla.Vehicle] = []
        self._traffic_manager: carla.TrafficManager | None = None

    @property
    def synchronous(self) -> bool:
        """Whether the ticks are ours."""
        return self._delta_s is not None

    def __enter__(self) -> WorldSession:
        """Switch synchronous mode on, if asked for."""
        # The first state has come when this returns: until then there are no actors, and a client
        # that is dropped while its stream is being connected crashes.
        if self._delta_s is None:
            self.tick()
            return self
        self._before = self.world.get_settings()
        settings = self.world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = self._delta_s
        settings.no_rendering_mode = self._no_rendering
        self.world.apply_settings(settings)
        try:
            self.tick()
        except CarlaError:
            self._restore_settings()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undo everything; what fails is logged, for the rest has to be undone as well."""
        for sensor in self._actors:
            if sensor.type_id.startswith('sensor.') and sensor.is_listening():
                with _logged('stop a sensor'):
                    sensor.stop()
        with _logged('end the autopilots'):
            for vehicle in self._autopilots:
                if vehicle.is_alive:
                    vehicle.set_autopilot(False, self._manager_port())
        self._tick_if_ours()
        with _logged('destroy our actors'):
            self._destroy(self._actors)
        self._tick_if_ours()
        with _logged('end the Traffic Manager'):
            if self._traffic_manager is not None:
                self._traffic_manager.set_synchronous_mode(False)
        self._restore_settings()

    def tick(self) -> int:
        """Do a tick, or wait for somebody else's; returns its frame.

        Raises:
            CarlaError: none came.
        """
        try:
            if self.synchronous:
                return int(self.world.tick(_TICK_TIMEOUT_S))
            return int(self.world.wait_for_tick(_TICK_TIMEOUT_S).frame)
        except RuntimeError as error:
            raise CarlaError(
                f'expected a tick within {_TICK_TIMEOUT_S:g} s, found none ({error}); has the '
                'server ended, or does the client that ticks a synchronous world stand still?'
            ) from error

    def spawn(
        self,
        blueprint: str,
        transform: carla.Transform,
        *,
        attach_to: carla.Actor | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> carla.Actor:
        """Spawn an actor that goes when the session ends.

        Args:
            blueprint: its id, 'vehicle.tesla.model3'.
            transform: in the world, or relative to the parent.
            attach_to: the parent.
            attributes: {name: value} that differ from the blueprint's own.

        Raises:
            CarlaError: there is no such blueprint or attribute, or the place is taken.
        """
        found = self.world.get_blueprint_library().filter(blueprint)
        if len(found) != 1:
            raise CarlaError(
                f'expected the id of one blueprint, found {blueprint!r}, which '
                f'{len(found)} have; `carla-bridge serve --help` and the simulator list theirs'
            )
        definition = found[0]
        for name, value in (attributes or {}).items():
            if not definition.has_attribute(name):
                known = ', '.join(sorted(attribute.id for attribute in definition))
                raise CarlaError(
                    f'expected attributes of {blueprint} out of {known}, found {name!r}; '
                    'correct the sensor file'
                )
            definition.set_attribute(name, value)
        try:
            actor = self.world.spawn_actor(definition, transform, attach_to=attach_to)
        except RuntimeError as error:
            raise CarlaError(
                f'{blueprint} cannot be spawned at {transform.location}: {error}'
            ) from error
        self._actors.append(actor)
        return actor

    def adopt(self, actors: list[carla.Actor]) -> None:
        """Have actors that were spawned otherwise, by a batch, destroyed at the end as well."""
        self._actors.extend(actors)

    def traffic_manager(self, port: int, *, seed: int) -> carla.TrafficManager:
        """Return the Traffic Manager of a port, seeded, synchronous where the session is.

        Args:
            port: that it serves on; two clients on one machine need two.
            seed: of its decisions.
        """
        if self._traffic_manager is None:
            self._traffic_manager = self.client.get_trafficmanager(port)
            self._traffic_manager.set_random_device_seed(seed)
            self._traffic_manager.set_synchronous_mode(self.synchronous)
        return self._traffic_manager

    def hand_to_traffic_manager(self, vehicle: carla.Vehicle) -> None:
        """Let the Traffic Manager, which must have been asked for, drive a vehicle."""
        vehicle.set_autopilot(True, self._manager_port())
        self._autopilots.append(vehicle)

    def _manager_port(self) -> int:
        if self._traffic_manager is None:
            raise CarlaError('expected traffic_manager() before a vehicle is handed to it')
        return int(self._traffic_manager.get_port())

    def _restore_settings(self) -> None:
        with _logged('restore the settings'):
            if self._before is not None:
                self.world.apply_settings(self._before)

    def _tick_if_ours(self) -> None:
        with _logged('tick'):
            if self.synchronous:
                self.world.tick(_TICK_TIMEOUT_S)

    def _destroy(self, actors: list[carla.Actor]) -> None:
        """Destroy sensors first, then what they are attached to."""
        import carla

        order = sorted(actors, key=lambda actor: not actor.type_id.startswith('sensor.'))
        commands = [carla.command.DestroyActor(actor) for actor in order if actor.is_alive]
        for answer in self.client.apply_batch_sync(commands, False):
            if answer.has_error():
                LOG.debug('destroying actor %d: %s', answer.actor_id, answer.error)
        actors.clear()


def _loaded(client: carla.Client, town: str | None) -> carla.World:
    """Return the world, with another town if need be."""
    if town is None:
        return client.get_world()
    available = {str(path).rpartition('/')[2]: str(path) for path in client.get_available_maps()}
    if town.rpartition('/')[2] not in available:
        raise CarlaError(
            f'expected a town out of {", ".join(sorted(available))}, found {town!r}; '
            'name one of them'
        )
    world = client.get_world()
    if world.get_map().name.rpartition('/')[2] == town.rpartition('/')[2]:
        return world
    # A client that loads a world while its stream is still being connected crashes.
    if world.get_settings().synchronous_mode:
        world.tick(_TICK_TIMEOUT_S)
    else:
        world.wait_for_tick(_TICK_TIMEOUT_S)
    return client.load_world(town)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log an error of the simulator and go on."""
    try:
        yield
    except (RuntimeError, CarlaError) as error:
        LOG.warning('could not %s: %s', what, error)
