"""From a connected world to topics: sets the scene, ticks or listens, until it is told to end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from carla_bridge.connection import CarlaError, connect
from carla_bridge.drivers import Rescuer, driver_of
from carla_bridge.publish.cameras import Scene, found, spawned
from carla_bridge.publish.images import PassingImages, WatchedCameras
from carla_bridge.publish.node import CarlaNode
from carla_bridge.publish.report import Report
from carla_bridge.publish.watchdog import Watchdog, clean_up_from_outside
from carla_bridge.rig import Rig
from carla_bridge.traffic import Traffic
from carla_bridge.weathers import Weather, weather_parameters
from carla_bridge.world_session import WorldSession
from lane_seg_ros.camera_frames import Pace
from lane_seg_ros.node_main import run_node

if TYPE_CHECKING:
    import carla

__all__ = ['PublishOptions', 'publish']

# The longest time for which nobody looks at signals and services.
_LOOK_UP_S = 0.1
_USUAL_DELTA_S = 0.05
_SILENCE_S = 30.0
_STALL_S = 60.0


@dataclass(frozen=True)
class PublishOptions:
    """What `carla-bridge publish` was asked for.

    Attributes:
        host: of the server.
        port: of the server, for calls.
        timeout_s: of a call.
        rig: to spawn; None publishes what is there.
        role: of the vehicle whose cameras are published where `rig` is None; None for all.
        town: to load; None for the one that is loaded.
        weather: to set, a preset of `carla.WeatherParameters`; None leaves it alone.
        delta_s: simulated seconds of a tick; None where somebody else ticks.
        rate_factor: simulated seconds a second; None for as fast as possible.
        raw_tags: semantic images are mono8 tags and not coloured.
        driver: one of `DRIVERS`.
        speed_kmh: wanted speed of the driver.
        respawn: move the vehicle when it is stuck.
        traffic: number of other vehicles.
        traffic_manager_port: of the Traffic Manager, where one is needed.
        seed: of places, branches and traffic.
        seconds: end after so many of the wall clock; None: go on.
    """

    host: str
    port: int
    timeout_s: float
    rig: Rig | None
    role: str | None
    town: str | None
    weather: str | None
    delta_s: float | None
    rate_factor: float | None
    raw_tags: bool
    driver: str
    speed_kmh: float
    respawn: bool
    traffic: int
    traffic_manager_port: int
    seed: int
    seconds: float | None


def publish(options: PublishOptions) -> int:
    """Publish until a signal, or the end of `seconds`; returns the exit code."""
    # By default a thread that holds the interpreter gives it up after 5 ms: so much later would
    # an image of the client's threads be taken.
    sys.setswitchinterval(5e-4)
    return run_node(
        'carla_publisher', CarlaNode, lambda node, _: _Publisher(node, options).run(), args=[]
    )


class _Publisher:
    def __init__(self, node: CarlaNode, options: PublishOptions) -> None:
        self._node = node
        self._options = options
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._report = Report()
        self._watchdog = Watchdog(
            options.host,
            options.port,
            stall_s=_STALL_S,
            say=node.get_logger().error,
            # Python's own handlers wait until the main thread comes back from the client.
            interrupted=lambda: not node.context.ok(),
        )
        self._own: list[int] = []  # actors, those that are attached to others first
        self._said_ready = False
        self._end_s = float('inf')

    def run(self) -> int:
        options = self._options
        client = connect(options.host, options.port, timeout_s=options.timeout_s)
        version = client.get_server_version()
        session = WorldSession(client, town=options.town, delta_s=options.delta_s)
        before = session.world.get_settings() if session.synchronous else None
        if before is not None and before.synchronous_mode:
            self._node.get_logger().warning(
                'the world is in synchronous mode already: if another program ticks it, time '
                'now runs twice as fast; --passive leaves the ticks to it'
            )
        with self._watchdog, session, _weather(session.world, options.weather):
            scene = self._scene(session)
            self._node.open(scene, version=version, raw_tags=options.raw_tags)
            movers = self._movers(session, scene)
            self._watchdog.arm(
                lambda: clean_up_from_outside(options.host, options.port, self._own, before)
            )
            if options.seconds is not None:
                self._end_s = time.monotonic() + options.seconds
            work = self._tick if session.synchronous else self._listen
            work(session, scene, movers)
        return 0

    def _scene(self, session: WorldSession) -> Scene:
        options = self._options
        if options.rig is None:
            return found(session.world, role=options.role)
        scene = spawned(session, options.rig, seed=options.seed)
        self._own += [camera.actor.id for camera in scene.cameras]
        self._own += [vehicle.actor.id for vehicle in scene.vehicles]
        return scene

    def _movers(self, session: WorldSession, scene: Scene) -> list[Callable[[], object]]:
        """Return what is to be called between two ticks."""
        options = self._options
        delta_s = options.delta_s or _USUAL_DELTA_S
        vehicle = scene.vehicles[0].actor if scene.vehicles else None
        movers: list[Callable[[], object]] = []
        if vehicle is not None and options.driver != 'none':
            driver = driver_of(
                options.driver,
                session,
                vehicle,
                speed_kmh=options.speed_kmh,
                seed=options.seed,
                traffic_manager_port=options.traffic_manager_port,
            )
            movers.append(driver.step)
            if options.respawn:
                rescuer = Rescuer(
                    session.world, vehicle, driver, seed=options.seed, delta_s=delta_s
                )
                movers.append(rescuer.step)
        if options.traffic:
            traffic = Traffic(
                session,
                count=options.traffic,
                seed=options.seed,
                delta_s=delta_s,
                keep_off=() if vehicle is None else (vehicle,),
                by_traffic_manager=options.driver == 'autopilot',
            )
            self._own += [car.id for car in traffic.vehicles]
            movers.append(traffic.before_tick)
        return movers

    def _tick(
        self, session: WorldSession, scene: Scene, movers: Sequence[Callable[[], object]]
    ) -> None:
        """Tick the world and publish what each tick brings."""
        options = self._options
        assert options.delta_s is not None
        pace = None
        if options.rate_factor is not None:
            pace = Pace(options.rate_factor / options.delta_s)
        names = [camera.name for camera in scene.cameras]
        cameras = WatchedCameras(
            {camera.name: camera.actor for camera in scene.cameras}, self._node.watched
        )
        try:
            while self._wait_for_turn(pace):
                frame = session.tick()
                state = session.world.get_snapshot()
                self._node.publish_state(state)
                self._report.tick()
                images, lost = cameras.get(frame)
                for error in lost:
                    self._node.get_logger().warning(str(error))
                self._report.lost(len(lost))
                for name in names:
                    if name in images:
                        self._publish_image(name, images[name])
                    else:
                        self._node.publish_info(name, state)
                self._say_ready(scene, images)
                cameras.look_who_watches()
                for move in movers:
                    move()
                self._say_how_it_goes(state)
        finally:
            cameras.stop()

    def _listen(
        self, session: WorldSession, scene: Scene, movers: Sequence[Callable[[], object]]
    ) -> None:
        """Publish what comes from a world that somebody else ticks."""
        passing = PassingImages(
            session.world, {camera.name: camera.actor for camera in scene.cameras}
        )
        heard_s, dropped = time.monotonic(), 0
        try:
            while self._wait_for_turn(None):
                if not passing.wait(_LOOK_UP_S):
                    if time.monotonic() - heard_s > _SILENCE_S:
                        raise CarlaError(
                            f'expected ticks from the program that controls the world, found none '
                            f'for {_SILENCE_S:g} s; has the server ended, or that program? '
                            'Without --passive the ticks are ours'
                        )
                    continue
                heard_s = time.monotonic()
                ticks, images = passing.take()
                for state in ticks:
                    self._node.publish_state(state)
                    self._report.tick()
                    for move in movers:
                        move()
                    self._say_how_it_goes(state)
                for name, image in images:
                    self._publish_image(name, image)
                self._say_ready(scene, dict(images))
                self._report.lost(passing.dropped - dropped)
                dropped = passing.dropped
        finally:
            passing.stop()

    def _wait_for_turn(self, pace: Pace | None) -> bool:
        """Serve the node until the next tick is due; False when `seconds` are over.

        Raises:
            ExternalShutdownException: there was a signal.
        """
        self._watchdog.progress()
        due_s = 0.0 if pace is None else pace.due_s(time.monotonic())
        while True:
            left_s = due_s - time.monotonic()
            self._executor.spin_once(timeout_sec=max(0.0, min(left_s, _LOOK_UP_S)))
            if not self._node.context.ok():
                raise ExternalShutdownException
            now_s = time.monotonic()
            if now_s >= self._end_s:
                return False
            if now_s >= due_s:
                return True

    def _publish_image(self, name: str, image: carla.Image) -> None:
        self._node.publish_image(name, image)
        self._report.image()

    def _say_ready(self, scene: Scene, images: dict[str, carla.Image]) -> None:
        """Tell whoever started us, once, that images flow."""
        if self._said_ready or len(images) < (len(scene.cameras) if self._options.rig else 1):
            return
        self._said_ready = True
        topics = ' '.join(f'/carla/{camera.name}/image' for camera in scene.cameras)
        sys.stdout.write(f'ready: publishing {topics}\n')
        sys.stdout.flush()

    def _say_how_it_goes(self, state: carla.WorldSnapshot) -> None:
        if line := self._report.line(time.monotonic(), state.timestamp.elapsed_seconds):
            self._node.get_logger().info(line)


@contextlib.contextmanager
def _weather(world: carla.World, name: str | None) -> Iterator[None]:
    """Set a weather and bring the old one back."""
    if name is None:
        yield
        return
    before = world.get_weather()
    world.set_weather(weather_parameters(Weather(name)))
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the server may be what ended
            world.set_weather(before)
