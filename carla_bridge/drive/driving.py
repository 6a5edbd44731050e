"""One vehicle in a world that somebody else ticks: finds it, drives it, says how it goes."""

from __future__ import annotations

import contextlib
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carla_bridge.connection import CarlaError, connect
from carla_bridge.drive.keyboard import HELP, Keyboard
from carla_bridge.drive.terminal import KeyTerminal
from carla_bridge.drivers import Driver, Follower, driver_of
from carla_bridge.publish.images import PassingImages
from carla_bridge.publish.watchdog import Watchdog
from carla_bridge.traffic import free_places
from carla_bridge.world_session import WorldSession

if TYPE_CHECKING:
    import carla

__all__ = ['DriveOptions', 'drive']

_LOOK_UP_S = 0.1
_SILENCE_S = 30.0
_LINE_S, _LOG_S = 0.1, 5.0
_BEHIND_M, _ABOVE_M, _DOWN_DEG = 7.0, 3.5, -15.0


@dataclass(frozen=True)
class DriveOptions:
    """What `carla-bridge drive` was asked for.

    Attributes:
        host: of the server.
        port: of the server, for calls.
        timeout_s: of a call.
        role: role_name of the vehicle.
        vehicle: blueprint of the one that is spawned if none has the role.
        driver: 'follower', 'autopilot' or 'keyboard'.
        speed_kmh: wanted speed, where the car drives itself.
        seed: of the place and of the choices where the road branches.
        traffic_manager_port: of the Traffic Manager, for 'autopilot'.
        spectator: let the simulator's own window follow the car.
        seconds: end after so many of the wall clock; None: go on.
    """

    host: str
    port: int
    timeout_s: float
    role: str
    vehicle: str
    driver: str
    speed_kmh: float
    seed: int
    traffic_manager_port: int
    spectator: bool
    seconds: float | None


def drive(options: DriveOptions) -> int:
    """Drive until q, a signal, or the end of `seconds`; returns the exit code.

    Raises:
        CarlaError: there is no server, no tick or no place; the vehicle has gone.
        LaneSegError: 'keyboard' without a terminal.
    """
    with contextlib.ExitStack() as undo:
        terminal = None
        if options.driver == 'keyboard':  # before anything is spawned: it may be refused
            terminal = undo.enter_context(KeyTerminal(sys.stdin))
        stopped = undo.enter_context(_signals())
        client = connect(options.host, options.port, timeout_s=options.timeout_s)
        watchdog = undo.enter_context(
            Watchdog(
                options.host,
                options.port,
                stall_s=math.inf,
                say=lambda text: _last_words(text, terminal),
                interrupted=stopped.is_set,
            )
        )
        session = undo.enter_context(WorldSession(client))
        vehicle = _vehicle(session, options)
        driver: Driver
        if terminal is None:
            driver = driver_of(
                options.driver,
                session,
                vehicle,
                speed_kmh=options.speed_kmh,
                seed=options.seed,
                traffic_manager_port=options.traffic_manager_port,
            )
        else:
            driver = _Hands(session.world, vehicle, terminal, options)
            _say(f'{HELP}\n')
        _say(f'ready: driving {vehicle.type_id} ({options.role}), number {vehicle.id}\n')
        watchdog.arm(lambda: None)
        undo.callback(_stop_the_car, vehicle)
        _drive(session, vehicle, driver, options, stopped, watchdog)
    return 0


def _drive(
    session: WorldSession,
    vehicle: carla.Vehicle,
    driver: Driver,
    options: DriveOptions,
    stopped: threading.Event,
    watchdog: Watchdog,
) -> None:
    passing = PassingImages(session.world, {})
    end_s = math.inf if options.seconds is None else time.monotonic() + options.seconds
    heard_s, line = time.monotonic(), _StatusLine()
    spectator = session.world.get_spectator() if options.spectator else None
    try:
        while not stopped.is_set() and time.monotonic() < end_s:
            if isinstance(driver, _Hands) and driver.wants_to_quit():
                return
            if not passing.wait(_LOOK_UP_S):
                if time.monotonic() - heard_s > _SILENCE_S:
                    raise CarlaError(
                        f'expected a tick within {_SILENCE_S:g} s, found none; does the program '
                        'that ticks the world (carla-bridge publish) still run?'
                    )
                continue
            ticks, _ = passing.take()
            heard_s = time.monotonic()
            watchdog.progress()
            if ticks[-1].find(vehicle.id) is None:
                raise CarlaError(
                    f'expected to go on driving {options.role}, found that it has been destroyed; '
                    'has the program that spawned it ended?'
                )
            driver.step()
            if spectator is not None:
                spectator.set_transform(_behind(vehicle.get_transform()))
            line.show(vehicle, driver)
    finally:
        line.end()
        passing.stop()


class _Hands:
    """A person at the keyboard, who can let a follower drive for a while."""

    def __init__(
        self,
        world: carla.World,
        vehicle: carla.Vehicle,
        terminal: KeyTerminal,
        options: DriveOptions,
    ) -> None:
        self._vehicle = vehicle
        self._terminal = terminal
        self._keyboard = Keyboard(speed_kmh=options.speed_kmh)
        self._follower = Follower(world, vehicle, speed_kmh=options.speed_kmh, seed=options.seed)

    def wants_to_quit(self) -> bool:
        now_s = time.monotonic()
        for key in self._terminal.pressed():
            self._keyboard.press(key, now_s)
        return self._keyboard.quit

    def step(self) -> None:
        if self._keyboard.autopilot:
            self._follower.speed_kmh = self._keyboard.speed_kmh
            self._follower.step()
            return
        import carla

        # After a while by hand the car is somewhere else.
        self._follower.restart()
        speed = self._vehicle.get_velocity().length()
        pedals = self._keyboard.pedals(time.monotonic(), speed)
        self._vehicle.apply_control(
            carla.VehicleControl(
                throttle=pedals.throttle,
                steer=pedals.steer,
                brake=pedals.brake,
                hand_brake=pedals.hand_brake,
                reverse=pedals.reverse,
            )
        )

    def restart(self) -> None:
        self._follower.restart()

    def __str__(self) -> str:
        if self._keyboard.autopilot:
            return f'autopilot, {self._keyboard.speed_kmh:g} km/h'
        return 'by hand'


class _StatusLine:
    """One line that is written over; where nobody looks, a line every few seconds."""

    def __init__(self) -> None:
        self._seen = sys.stdout.isatty()
        self._due_s = 0.0
        self._open = False

    def show(self, vehicle: carla.Vehicle, driver: Driver) -> None:
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + (_LINE_S if self._seen else _LOG_S)
        control = vehicle.get_control()
        speed_kmh = 3.6 * vehicle.get_velocity().length()
        gear = 'R' if control.reverse else str(control.gear)
        text = (
            f'{speed_kmh:5.1f} km/h  gear {gear}  throttle {control.throttle:.2f}  '
            f'brake {control.brake:.2f}  steer {control.steer:+.2f}'
        )
        if isinstance(driver, _Hands):
            text += f'  {driver}'
        _say(f'\r\x1b[K{text}' if self._seen else f'{text}\n')
        self._open = self._seen

    def end(self) -> None:
        if self._open:
            _say('\n')


def _vehicle(session: WorldSession, options: DriveOptions) -> carla.Vehicle:
    """Return the vehicle with the role; one is spawned if there is none."""
    vehicles = list(session.world.get_actors().filter('vehicle.*'))
    ours = [actor for actor in vehicles if actor.attributes.get('role_name') == options.role]
    if ours:
        return ours[0]
    places = free_places(session.world.get_map(), vehicles)
    random.Random(options.seed).shuffle(places)
    for place in places:
        with contextlib.suppress(CarlaError):
            return session.spawn(options.vehicle, place, attributes={'role_name': options.role})
    raise CarlaError(
        f'expected a vehicle with the role_name {options.role!r}, or room for a '
        f'{options.vehicle}, found neither; is that the id of a blueprint?'
    )


def _stop_the_car(vehicle: carla.Vehicle) -> None:
    """Brake: what was applied last would stay applied."""
    import carla

    with contextlib.suppress(RuntimeError):  # it has been destroyed, or the server has ended
        if vehicle.is_alive:
            vehicle.apply_control(carla.VehicleControl(brake=1.0))


def _behind(place: carla.Transform) -> carla.Transform:
    """Return where somebody sees the car from behind and above."""
    import carla

    yaw = math.radians(place.rotation.yaw)
    back = carla.Location(-_BEHIND_M * math.cos(yaw), -_BEHIND_M * math.sin(yaw), _ABOVE_M)
    return carla.Transform(
        place.location + back, carla.Rotation(pitch=_DOWN_DEG, yaw=place.rotation.yaw)
    )


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """Have SIGINT and SIGTERM set an event, so that the way out is the usual one."""
    stopped = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _last_words(text: str, terminal: KeyTerminal | None) -> None:
    """Say why the process ends now, with the terminal as it was."""
    if terminal is not None:
        terminal.restore()
    sys.stderr.write(f'\nerror: {text}\n')
    sys.stderr.flush()


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
