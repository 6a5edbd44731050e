"""The simulated world: a town, its actors, weather and time. Knows nothing of connections."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import msgpack

from carla_bridge.mini_carla.actors import Actor, Actors, Camera, Sensor, Vehicle
from carla_bridge.mini_carla.blueprints import CAMERA_KINDS, blueprints
from carla_bridge.mini_carla.cameras import due, shoot
from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.inertial import geolocation, imu_reading, reference_point
from carla_bridge.mini_carla.profiles import Profile
from carla_bridge.mini_carla.render.renderer import Renderer
from carla_bridge.mini_carla.render.weather import Weather
from carla_bridge.mini_carla.rpc import CallError
from carla_bridge.mini_carla.streams import StreamServer
from carla_bridge.mini_carla.traffic import Collision, Traffic
from carla_bridge.mini_carla.vehicle import STILL
from carla_bridge.mini_carla.wire import (
    EpisodeSettings,
    actor_record,
    bounding_box,
    episode_header,
    frame_header,
    observer_stream,
)

__all__ = ['SPAWN_COLLISION', 'TickTimes', 'World']

# Scripts compare with this very text.
SPAWN_COLLISION = 'Spawn failed because of collision at spawn position'

_SPECTATOR = Transform(0.0, 0.0, 20.0, -45.0, 0.0, 0.0)
_FIRST_ID = 10
_IMAGE_SIZE_LIMIT = 8192
_INERTIAL = ('sensor.other.gnss', 'sensor.other.imu')


@dataclass(frozen=True)
class TickTimes:
    """Where the time of one tick went, in seconds of wall clock.

    Attributes:
        frame: number of the tick.
        move_s: for vehicles and the state of the world.
        render_s: for the images of all cameras.
        images: number of images.
    """

    frame: int
    move_s: float
    render_s: float
    images: int


class World:
    """One episode after another; the caller's lock keeps it to one thread at a time.

    Attributes:
        profile: version of the protocol.
        settings: how time passes.
        weather: of the episode.
        town: where the episode plays.
        actors: of the episode.
        spectator: the actor that every episode has.
        frame: number of the last tick; goes on over episodes.
        elapsed_s: simulated seconds since the episode began.
        speed_limit_kmh: the one that the town's OpenDRIVE text states first.
        episode_id: changes with every loaded town.
        observer_streams: that tell the state of the world. Who still listens to that of an earlier
            episode learns from it that there is a new one.
    """

    def __init__(self, profile: Profile, streams: StreamServer, town: Town, seed: int) -> None:
        """Begin the first episode.

        Args:
            profile: version of the protocol.
            streams: where frames go to.
            town: where the episode plays.
            seed: of everything random in the pictures.
        """
        self.profile = profile
        self.settings = EpisodeSettings()
        self.frame = 1
        self.episode_id = 0
        self.observer_streams: list[int] = []
        self.actors = Actors(_FIRST_ID)
        self._streams = streams
        self._seed = seed
        self._blueprints = blueprints()
        self._enter(town)
        self._begin()

    def load(self, town: Town) -> None:
        """Begin a new episode: nobody is there but the spectator."""
        for actor in self.actors:
            self.destroy(actor.id)
        if town is not self.town:
            self._enter(town)
        self._begin()

    def _enter(self, town: Town) -> None:
        """Prepare what depends on the town alone."""
        self.town = town
        self.speed_limit_kmh = _speed_limit_kmh(town.opendrive)
        self._reference = reference_point(town.opendrive)
        self._traffic = Traffic(town)
        self._renderer = Renderer(town, self._seed, self.profile.version)

    def _begin(self) -> None:
        self.weather = Weather()
        self.elapsed_s = 0.0
        self.episode_id += 1
        heard = [one for one in self.observer_streams if self._streams.has_subscribers(one)]
        self.observer_streams = [*heard, observer_stream(self.episode_id)]
        self._first_frame = self.frame
        self._map_changed = True
        self.spectator = Actor(self.actors.new_id(), [0, 'spectator', []], _SPECTATOR)
        self.actors.add(self.spectator)

    def change_settings(self, settings: EpisodeSettings) -> None:
        """Change how time passes.

        With synchronous mode the count begins that noise and rain depend on: how many ticks the
        clock did before a client took over is chance, and two runs would differ by it.
        """
        if settings.synchronous_mode and not self.settings.synchronous_mode:
            self._first_frame = self.frame
        self.settings = settings

    def spawn(self, description: list[object], place: Transform, parent: int = 0) -> Actor:
        """Add an actor.

        Args:
            description: [uid, blueprint id, [[attribute, type, value], ...]].
            place: in the world, or in the frame of the parent.
            parent: actor to attach it to, rigidly whatever the client asks; 0 for none.

        Raises:
            CallError: there is no such blueprint or parent, or something is in the way.
        """
        name = str(description[1])
        if name not in self._blueprints:
            raise CallError(f'expected a blueprint out of get_blueprint_library(), found {name!r}')
        if self._blueprints[name].missing:
            raise CallError(f'{name}: mini_carla has no {self._blueprints[name].missing}')
        if parent:
            self.actors.get(parent)
            if self._blueprints[name].vehicle is not None:
                raise CallError(f'{name}: mini_carla attaches sensors only')
        model = self._blueprints[name].vehicle
        number = self.actors.new_id()
        actor: Actor
        if model is not None:
            in_the_way = self._traffic.in_the_way(place, model.extent, self.actors.vehicles())
            if in_the_way is not None:
                raise CallError(SPAWN_COLLISION)
            tags = bytes([self.profile.vehicle_tag])
            actor = Vehicle(number, description, place, parent, model.extent, tags, model=model)
        elif name in CAMERA_KINDS:
            actor = self._camera(Camera(number, description, place, parent))
        else:
            actor = Sensor(number, description, place, parent)
            if name in _INERTIAL:
                actor.period_s = float(actor.attribute('sensor_tick'))
        self.actors.add(actor)
        return actor

    def destroy(self, actor_id: int) -> bool:
        """Remove an actor and end its stream; False if there is none of that number."""
        actor = self.actors.remove(actor_id)
        if isinstance(actor, Sensor):
            self._streams.drop(actor_id)
        return actor is not None

    def tick(self, delta_s: float) -> TickTimes:
        """Let time pass, then send the state of the world and the images that are due.

        Args:
            delta_s: simulated seconds.
        """
        began = time.perf_counter()
        self.frame += 1
        self.elapsed_s += delta_s
        collisions = self._traffic.move(self.actors.vehicles(), delta_s)
        # First: the client must know the frame when its images come.
        self._send_state(delta_s)
        for collision in collisions:
            self._send_collision(collision)
        self._send_inertial()
        moved = time.perf_counter()
        images = 0 if self.settings.no_rendering_mode else self._send_images()
        return TickTimes(self.frame, moved - began, time.perf_counter() - moved, images)

    def _camera(self, camera: Camera) -> Camera:
        """Take over the attributes of a camera."""
        try:
            camera.width = int(camera.attribute('image_size_x'))
            camera.height = int(camera.attribute('image_size_y'))
            camera.fov_deg = float(camera.attribute('fov'))
            camera.period_s = float(camera.attribute('sensor_tick'))
        except ValueError as error:
            raise CallError(f'{camera.blueprint}: an attribute is no number: {error}') from error
        if not (
            0 < camera.width <= _IMAGE_SIZE_LIMIT
            and 0 < camera.height <= _IMAGE_SIZE_LIMIT
            and 0.0 < camera.fov_deg < 180.0
            and camera.period_s >= 0.0
        ):
            raise CallError(
                f'{camera.blueprint}: expected an image of 1 to {_IMAGE_SIZE_LIMIT} pixels each '
                f'way, fov above 0 and below 180 and sensor_tick from 0, found {camera.width} x '
                f'{camera.height}, {camera.fov_deg} and {camera.period_s}'
            )
        return camera

    def _send_state(self, delta_s: float) -> None:
        records = b''.join(self._record(actor) for actor in self.actors)
        head = frame_header(
            self.profile.observer_type, self.frame, self.elapsed_s, Transform()
        ) + episode_header(self.episode_id, time.time(), delta_s, map_changed=self._map_changed)
        self._map_changed = False
        for stream in self.observer_streams:
            self._streams.send(stream, (head + records,))

    def _record(self, actor: Actor) -> bytes:
        place = self.actors.place(actor)
        root = self.actors.root(actor)
        motion = root.motion if isinstance(root, Vehicle) else None
        numbers = (
            (0.0,) * 9
            if motion is None
            else (*motion.velocity, *motion.angular_velocity, *motion.acceleration)
        )
        if isinstance(actor, Vehicle):
            return actor_record(actor.id, place, numbers, actor.control, self.speed_limit_kmh)
        return actor_record(actor.id, place, numbers)

    def _send_collision(self, collision: Collision) -> None:
        vehicle, other = collision.vehicle, collision.other
        hit = other.to_wire(self._streams.port) if isinstance(other, Vehicle) else _prop(other)
        body = msgpack.packb([vehicle.to_wire(self._streams.port), hit, list(collision.impulse)])
        for sensor in self.actors:
            if sensor.blueprint == 'sensor.other.collision' and sensor.parent == vehicle.id:
                self._send(sensor, self.actors.place(sensor), (body,))

    def _send_inertial(self) -> None:
        """Send what GNSS and IMU tell, where it is due."""
        sensors = [
            actor
            for actor in self.actors
            if isinstance(actor, Sensor) and actor.blueprint in _INERTIAL
        ]
        for sensor in due(sensors, self.elapsed_s):
            place = self.actors.place(sensor)
            if sensor.blueprint == 'sensor.other.gnss':
                reading: object = geolocation(place, self._reference)
            else:
                root = self.actors.root(sensor)
                reading = imu_reading(place, root.motion if isinstance(root, Vehicle) else STILL)
            self._send(sensor, place, (msgpack.packb(reading),))

    def _send_images(self) -> int:
        watched = [
            actor
            for actor in self.actors
            if isinstance(actor, Camera) and self._streams.has_subscribers(actor.id)
        ]
        cameras = due(watched, self.elapsed_s)
        shoot(
            cameras,
            self.actors,
            self._renderer,
            self.weather,
            self.frame - self._first_frame,
            self._send,
        )
        return len(cameras)

    def _send(self, sensor: Actor, place: Transform, body: tuple[bytes | memoryview, ...]) -> None:
        kind = self.profile.frame_types[sensor.blueprint]
        head = frame_header(kind, self.frame, self.elapsed_s, place)
        self._streams.send(sensor.id, (head, *body))


def _speed_limit_kmh(opendrive: str) -> float:
    found = re.search(r'<speed[^>]* max="([0-9.]+)" unit="(km/h|mph|m/s)"', opendrive)
    if found is None:
        return 50.0
    return float(found[1]) * {'km/h': 1.0, 'mph': 1.609344, 'm/s': 3.6}[found[2]]


def _prop(box: Box) -> list[object]:
    """Return what stands in the town as the actor number 0 that CARLA makes of it."""
    return [0, 0, [0, f'static.{box.kind}', []], bounding_box(box.extent, 0), b'', b'']
