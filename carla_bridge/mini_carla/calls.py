"""The calls of a client that concern the world as a whole, by their names on the wire."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import astuple

from carla_bridge.mini_carla.blueprints import definitions
from carla_bridge.mini_carla.geometry import Box
from carla_bridge.mini_carla.opendrive_reader import GENERATED_MAP, town_of_opendrive
from carla_bridge.mini_carla.render.labels import kind_number, tag_table
from carla_bridge.mini_carla.render.weather import Weather
from carla_bridge.mini_carla.rpc import Call, CallError, value_call, void_call
from carla_bridge.mini_carla.streams import StreamServer
from carla_bridge.mini_carla.towns import available_towns, load_town
from carla_bridge.mini_carla.wire import (
    EpisodeSettings,
    observer_stream,
    token,
    transform_to_wire,
)
from carla_bridge.mini_carla.world import World
from lane_seg.errors import LaneSegError

__all__ = ['NO_EFFECT', 'WorldCalls']

LOG = logging.getLogger(__name__)

# Accepted because ordinary scripts make these calls; there is nothing here that they could change:
# towns have no switched traffic lights, lamps, layers or debug drawings.
_NO_EFFECT = (
    'draw_debug_shape',
    'enable_environment_objects',
    'freeze_all_traffic_lights',
    'load_map_layer',
    'reset_all_traffic_lights',
    'unload_map_layer',
    'update_day_night_cycle',
    'update_lights_state',
)

_ANY_TAG = 255
_PROBE_S = 0.2


def _nothing(*parameters: object) -> None:
    """Accept a call that changes nothing."""


NO_EFFECT = {name: Call(_nothing, 'void') for name in _NO_EFFECT}


class WorldCalls:
    """Answers for episode, map, weather, time and the registry of traffic managers."""

    def __init__(
        self, world: World, streams: StreamServer, seed: int, tick: Callable[[], int]
    ) -> None:
        """Prepare to answer.

        Args:
            world: that the calls are about.
            streams: whose tokens are handed out.
            seed: of the towns that are loaded.
            tick: lets the world do one tick and returns its frame.
        """
        self._world = world
        self._streams = streams
        self._seed = seed
        self._tick = tick
        self._opendrive: str | None = None
        self._traffic_managers: dict[int, tuple[str, int]] = {}

    def forget_traffic_managers(self) -> None:
        """Clear the registry: traffic managers live in the clients, and all of them have left."""
        self._traffic_managers.clear()

    @value_call
    def version(self) -> str:
        """Version of the protocol."""
        return self._world.profile.version

    @value_call
    def get_episode_info(self) -> list[object]:
        """Number of the episode and the token of its state."""
        stream = observer_stream(self._world.episode_id)
        return [self._world.episode_id, [token(stream, self._streams.port)]]

    @value_call
    def get_sensor_token(self, stream_id: int) -> list[object]:
        """Token of a stream, which the client is about to connect to."""
        if stream_id not in self._world.observer_streams:
            self._world.actors.get(stream_id)
        self._streams.announce(stream_id)
        return [token(stream_id, self._streams.port)]

    @value_call
    def get_episode_settings(self) -> list[object]:
        """How time passes."""
        return self._world.settings.to_wire()

    @value_call
    def set_episode_settings(self, fields: list[object]) -> int:
        """Change how time passes; returns the frame from which on it holds."""
        self._world.change_settings(EpisodeSettings.from_wire(fields))
        return self._world.frame

    @value_call
    def tick_cue(self) -> int:
        """Do one tick; returns its frame."""
        return self._tick()

    @value_call
    def get_map_info(self) -> list[object]:
        """Name of the map and its spawn points."""
        town = self._world.town
        points = [transform_to_wire(point) for point in town.spawn_points]
        return [f'Carla/Maps/{town.name}', points]

    @value_call
    def get_map_data(self) -> str:
        """OpenDRIVE text."""
        return self._world.town.opendrive

    @value_call
    def get_required_files(self, folder: str = '', download: bool = True) -> list[str]:
        """None: there is no navigation mesh, so the client asks for the map by get_map_data."""
        return []

    @value_call
    def get_available_maps(self) -> list[str]:
        """Names for load_world."""
        return [f'/Game/Carla/Maps/{name}' for name in available_towns()]

    @void_call
    def copy_opendrive_to_file(self, text: str, parameters: list[object]) -> None:
        """Keep the OpenDRIVE text for `load_new_episode` of the generated map."""
        self._opendrive = text

    @void_call
    def load_new_episode(self, name: str, reset: bool = True, layers: int = 65535) -> None:
        """Begin a new episode in a town of ours."""
        # `reload_world` sends no name.
        wanted = name.rsplit('/', 1)[-1] or self._world.town.name
        try:
            if wanted == GENERATED_MAP and self._opendrive is not None:
                town = town_of_opendrive(self._opendrive, self._seed)
            elif wanted == self._world.town.name:
                town = self._world.town
            else:
                town = load_town(wanted, self._seed)
        except LaneSegError as error:
            raise CallError(str(error)) from error
        self._world.load(town)
        if reset:
            self._world.change_settings(EpisodeSettings())
        LOG.info('episode %d in %s', self._world.episode_id, town.name)

    @value_call
    def get_actor_definitions(self) -> list[object]:
        """Blueprint library."""
        return definitions(self._world.profile)

    @value_call
    def get_spectator(self) -> list[object]:
        """The spectator."""
        return self._world.spectator.to_wire(self._streams.port)

    @value_call
    def get_weather_parameters(self) -> list[float]:
        """Weather."""
        return list(astuple(self._world.weather))

    @void_call
    def set_weather_parameters(self, values: list[float]) -> None:
        """Change the weather; older clients send fewer numbers."""
        kept = astuple(self._world.weather)[len(values) :]
        self._world.weather = Weather(*values, *kept)

    @value_call
    def get_environment_objects(self, tag: int) -> list[object]:
        """What stands in the town, with a semantic tag."""
        return [
            [
                transform_to_wire(box.transform),
                _bounding_box(box),
                number,
                f'{box.kind}_{number}',
                self._tag(box),
            ]
            for number, box in enumerate(self._with_tag(tag), start=1)
        ]

    @value_call
    def get_all_level_BBs(self, tag: int) -> list[object]:  # noqa: N802
        """Bounding boxes of what stands in the town, with a semantic tag."""
        return [_bounding_box(box) for box in self._with_tag(tag)]

    @value_call
    def query_lights_state(self, client: str) -> list[object]:
        """Street lamps, of which there are none."""
        return []

    @value_call
    def is_traffic_manager_running(self, port: int) -> bool:
        """Whether a client serves a traffic manager on a port.

        One whose client has crashed is still registered: whether it answers decides.
        """
        entry = self._traffic_managers.get(port)
        if entry is None:
            return False
        try:
            socket.create_connection(entry, timeout=_PROBE_S).close()
        except OSError:
            LOG.warning('the traffic manager of port %d is gone: its client crashed?', port)
            del self._traffic_managers[port]
            return False
        return True

    @value_call
    def get_traffic_manager_running(self, port: int) -> list[object]:
        """Address of the traffic manager on a port."""
        return list(self._traffic_managers.get(port, ('', 0)))

    @value_call
    def add_traffic_manager_running(self, address: list[object]) -> bool:
        """Register a traffic manager by [host, port]; False if the port is taken."""
        host, port = str(address[0]), int(str(address[1]))
        if port in self._traffic_managers:
            return False
        self._traffic_managers[port] = (host, port)
        return True

    @value_call
    def destroy_traffic_manager(self, port: int) -> bool:
        """Take a traffic manager out of the registry."""
        return self._traffic_managers.pop(port, None) is not None

    def _tag(self, box: Box) -> int:
        return int(tag_table(self._world.profile.version)[kind_number(box.kind)])

    def _with_tag(self, tag: int) -> list[Box]:
        boxes = self._world.town.boxes
        return [box for box in boxes if tag in (_ANY_TAG, self._tag(box))]


def _bounding_box(box: Box) -> list[object]:
    place, angles = transform_to_wire(box.transform)
    return [place, list(box.extent), angles, 0]
