"""The server: two ports, one world, and the clock that drives it when no client does."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import cv2

from carla_bridge.mini_carla.absent import ABSENT
from carla_bridge.mini_carla.actor_calls import ActorCalls
from carla_bridge.mini_carla.batch import Batch
from carla_bridge.mini_carla.calls import NO_EFFECT, WorldCalls
from carla_bridge.mini_carla.profiles import DEFAULT_VERSION, profile_of
from carla_bridge.mini_carla.rpc import RpcServer, calls_of
from carla_bridge.mini_carla.streams import StreamServer
from carla_bridge.mini_carla.tick_log import TickLog
from carla_bridge.mini_carla.towns import load_town
from carla_bridge.mini_carla.world import World
from lane_seg.errors import LaneSegError

__all__ = ['MiniCarla', 'listen_on_pair']

LOG = logging.getLogger(__name__)

DEFAULT_DELTA_S = 0.05
# How long a tick waits for a client that has asked for the token of a stream to connect to it.
_SUBSCRIPTION_S = 2.0
_LOADING_S = 0.2
# Between two ticks of the free-running clock, so that waiting calls get their turn.
_BREATH_S = 0.002
_FREE_PAIR_ATTEMPTS = 100


class MiniCarla:
    """A running server. It is our test double of CARLA's, and never more than that.

    Attributes:
        port: for calls.
        stream_port: for what the sensors see.
    """

    def __init__(
        self,
        *,
        host: str = '127.0.0.1',
        port: int = 0,
        version: str = DEFAULT_VERSION,
        town: str,
        seed: int = 0,
        tick_log: TickLog | None = None,
    ) -> None:
        """Load a town and start to serve, in threads of its own.

        Args:
            host: address to listen on.
            port: for calls; streams take the one above. 0 takes any free pair.
            version: of the protocol, that of the client's package.
            town: one of `available_towns()`.
            seed: of everything random in towns and pictures.
            tick_log: is told of every tick.

        Raises:
            LaneSegError: version, town or port cannot be had.
        """
        profile = profile_of(version)
        loaded = load_town(town, seed)
        # With its default threads OpenCV stalls for seconds on a loaded machine.
        cv2.setNumThreads(1)
        rpc_listener, stream_listener = listen_on_pair(host, port)
        self._tick_log = tick_log
        self._waited_s = 0.0
        # Held during each call and each tick: the world is never seen half changed.
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._streams = StreamServer(stream_listener)
        self.stream_port = self._streams.port
        self._world = World(profile, self._streams, loaded, seed)
        self._calls = WorldCalls(self._world, self._streams, seed, self._tick)
        actor_calls = ActorCalls(self._world, self.stream_port)
        batch = Batch(self._world, actor_calls, self._tick)
        self._rpc = RpcServer(
            rpc_listener,
            ABSENT | NO_EFFECT | calls_of(self._calls) | calls_of(actor_calls) | calls_of(batch),
            around=self._around,
            on_last_client_left=self._forget_clients,
        )
        self.port = self._rpc.port
        self._clock = threading.Thread(target=self._run_freely, name='clock', daemon=True)
        self._clock.start()

    def __enter__(self) -> MiniCarla:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End all connections and free both ports."""
        self._closing.set()
        self._rpc.close()
        self._streams.close()
        self._clock.join(timeout=5.0)

    def _around(self, name: str, call: Callable[[], object]) -> object:
        """Do a call while nothing else happens."""
        # Before the lock: the call that announced the subscription may be another client's.
        began = time.perf_counter()
        if name in ('tick_cue', 'load_new_episode'):
            self._streams.wait_for_announced(_SUBSCRIPTION_S)
        waited_s = time.perf_counter() - began
        if name == 'load_new_episode':
            # The client gives up the stream of the old episode when this call returns, and crashes
            # if it is still connecting it. CARLA takes seconds to load a world.
            self._closing.wait(_LOADING_S)
        with self._lock:
            self._waited_s = waited_s
            return call()

    def _tick(self) -> int:
        """Do a tick of the length that the settings state; returns its frame."""
        return self._tick_by(self._world.settings.fixed_delta_seconds or DEFAULT_DELTA_S)

    def _tick_by(self, delta_s: float) -> int:
        times = self._world.tick(delta_s)
        if self._tick_log is not None:
            self._tick_log.add(times, self._waited_s)
        return times.frame

    def _forget_clients(self) -> None:
        """Undo what would outlive the clients that did it."""
        with self._lock:
            self._calls.forget_traffic_managers()
            if self._world.settings.synchronous_mode:
                LOG.info('the last client left in synchronous mode: time runs by itself again')
                settings = replace(self._world.settings, synchronous_mode=False)
                self._world.change_settings(settings)

    def _run_freely(self) -> None:
        """Tick in real time while clients are there and none of them does it."""
        due = time.perf_counter()
        while not self._closing.wait(max(_BREATH_S, due - time.perf_counter())):
            fixed_s = self._world.settings.fixed_delta_seconds
            period_s = fixed_s or DEFAULT_DELTA_S
            now = time.perf_counter()
            late_s = max(0.0, now - due)
            due = max(due, now - period_s) + period_s
            with self._lock:
                if self._rpc.clients == 0 or self._world.settings.synchronous_mode:
                    continue
                # A machine that cannot keep up gets longer steps, as CARLA's clock takes them.
                self._waited_s = 0.0
                self._tick_by(fixed_s or min(period_s + late_s, 2 * period_s))


def listen_on_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return two sockets that listen on a port and on the one above.

    Args:
        host: address.
        port: the lower one; 0 takes any free pair.

    Raises:
        LaneSegError: one of them is taken.
    """
    for _ in range(1 if port else _FREE_PAIR_ATTEMPTS):
        with contextlib.ExitStack() as undo:
            try:
                first = undo.enter_context(socket.create_server((host, port), backlog=16))
                above = first.getsockname()[1] + 1
                second = undo.enter_context(socket.create_server((host, above), backlog=64))
            except (OSError, OverflowError) as error:
                reason = error
                continue
            undo.pop_all()
            return first, second
    raise LaneSegError(
        f'expected ports {port} and {port + 1} of {host} to be free, found: {reason}; '
        'choose others with --port (0 takes any free pair)'
    )
