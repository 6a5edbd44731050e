"""`carla-bridge drive` as users run it: in a terminal, beside the program that ticks."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.carla_bridge.publish.listening import running_command
from tests.carla_bridge.servers import Server, environment, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.carla,
    pytest.mark.ros,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

PATIENCE_S = 60.0

VEHICLES = """
import sys, carla
world = carla.Client('127.0.0.1', int(sys.argv[1])).get_world()
world.wait_for_tick(20.0)
roles = [a.attributes['role_name'] for a in world.get_actors().filter('vehicle.*')]
print(sorted(roles), flush=True)
"""


class Terminal:
    """The other end of the terminal that a command runs in."""

    def __init__(self, *words: object) -> None:
        self._master, self.slave = os.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ''
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'carla_bridge.command', *map(str, words)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environment(),
        )

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self) -> None:
        while select.select([self._master], [], [], 0.05)[0]:
            self.text += os.read(self._master, 4096).decode()

    def wait_for(self, pattern: str, *, pressing: str = '') -> re.Match[str]:
        """Wait until something new is on the screen; keys are repeated meanwhile."""
        end_s, seen = time.monotonic() + PATIENCE_S, len(self.text)
        while time.monotonic() < end_s:
            self.press(pressing)
            self.read()
            if found := re.search(pattern, self.text[seen:]):
                return found
            assert self.process.poll() is None, self.text
        raise AssertionError(f'{pattern} never came: {self.text[-800:]}')

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self._master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal_of(*words: object) -> Iterator[Terminal]:
    terminal = Terminal(*words)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


def test_the_car_of_the_publisher_is_driven_from_a_terminal(
    server: Server, tmp_path: Path
) -> None:
    publish = ('publish', '--port', server.port, '--size', '64x48')
    drive = ('drive', '--port', server.port, '--driver', 'keyboard', '--spectator')
    with running_command(tmp_path, *publish), terminal_of(*drive) as terminal:
        terminal.wait_for(r'ready: driving vehicle.tesla.model3 \(ego_vehicle\)')
        terminal.wait_for(r' 0\.0 km/h .* by hand')
        terminal.wait_for(r' [3-9]\.\d km/h  gear \d  throttle 0\.70', pressing='w')
        terminal.wait_for(r'steer \+0\.[1-9]', pressing='\x1b[C')
        terminal.wait_for(r'brake 1\.00', pressing='s')
        terminal.press('p++')
        terminal.wait_for(r'autopilot, 40 km/h')
        terminal.wait_for(r' 1\d\.\d km/h')
        terminal.press('q')
        assert terminal.process.wait(timeout=PATIENCE_S) == 0
        assert termios.tcgetattr(terminal.slave) == terminal.before
        # It was not ours: it is still there.
        assert run_client(VEHICLES, server.port).stdout == "['ego_vehicle']\n"


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_terminal_and_the_world_as_they_were(
    server: Server, number: signal.Signals
) -> None:
    words = ('drive', '--port', server.port, '--driver', 'keyboard', '--role', 'mine')
    with terminal_of(*words) as terminal:
        terminal.wait_for('by hand')
        assert run_client(VEHICLES, server.port).stdout == "['mine']\n"
        terminal.process.send_signal(number)
        assert terminal.process.wait(timeout=PATIENCE_S) == 0
        assert termios.tcgetattr(terminal.slave) == terminal.before
    assert run_client(VEHICLES, server.port).stdout == '[]\n'


def test_the_follower_drives_a_car_of_its_own_where_time_runs_by_itself(
    server: Server, tmp_path: Path
) -> None:
    with running_command(tmp_path, 'drive', '--port', server.port, '--seed', 4) as driving:
        assert '(ego_vehicle)' in driving.ready
        lines = iter(driving.process.stdout.readline, '')
        speeds = (float(line.split()[0]) for line in lines)
        assert any(speed > 15 for speed in speeds)
        assert driving.stop() == 0


def test_without_a_terminal_the_keyboard_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, '-m', 'carla_bridge.command', 'drive', '--driver', 'keyboard'],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 1
    assert 'error: expected a terminal for --driver keyboard' in ended.stderr
