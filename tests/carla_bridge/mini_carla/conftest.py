"""A mini_carla server as a real process, and the real `carla` client connected to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import carla

ROOT = Path(__file__).resolve().parents[3]
ASK = 'MINI_CARLA_CLIENT'
READY = re.compile(r'ready: mini_carla \(not CARLA\) on \S+, port (\d+), streams on (\d+), ')


@dataclass
class Server:
    """A server process and its two ports."""

    process: subprocess.Popen[str]
    port: int
    stream_port: int


def environment() -> dict[str, str]:
    """What a process of ours needs to find this source tree."""
    return {**os.environ, 'PYTHONPATH': os.pathsep.join((str(ROOT / 'src'), str(ROOT)))}


def _die_with_parent() -> None:
    """Ask Linux for SIGTERM when pytest goes: the client may take it down without any clean-up."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@contextlib.contextmanager
def running_server(*options: str) -> Iterator[Server]:
    """Start a server on free ports; it is ended by its process id, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'carla_bridge.command', 'serve', '--port', '0', *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=_die_with_parent,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        ready = READY.match(line)
        assert ready is not None, f'no ready line but {line!r}'
        yield Server(process, int(ready[1]), int(ready[2]))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda *options: stack.enter_context(running_server(*options))


@pytest.fixture(scope='session')
def carla_api() -> ModuleType:
    """The real client library, in this process.

    Threads of the client abort the process now and then (docs/mini_carla.md), and all other tests
    would end with it: on a loaded machine one run of three did. So it has to be asked for.
    """
    if not os.environ.get(ASK):
        pytest.skip(f'the client may take this process down: {ASK}=1 python -m pytest -m carla')
    return pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")


@pytest.fixture(scope='session')
def shared_server() -> Iterator[Server]:
    """One server for all tests that leave nothing but actors behind."""
    with running_server('--seed', '3') as server:
        yield server


@pytest.fixture
def client(carla_api: ModuleType, shared_server: Server) -> carla.Client:
    """A `carla.Client` of the shared server, in a fresh episode of its first town."""
    connected = carla_api.Client('127.0.0.1', shared_server.port)
    connected.set_timeout(30.0)
    world = connected.load_world('Town_ring')
    # Dropping a client while its stream is still being connected crashes the process.
    world.wait_for_tick(30.0)
    return connected


@pytest.fixture
def world(client: carla.Client) -> carla.World:
    """A `carla.World` in synchronous mode, 20 ticks a simulated second."""
    fresh = client.get_world()
    settings = fresh.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = 0.05
    fresh.apply_settings(settings)
    return fresh


@pytest.fixture(scope='session')
def run_script() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code with the real client in a process of its own, which it may take down."""

    def run(
        code: str, *arguments: object, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, '-c', code, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=environment(),
        )

    return run
