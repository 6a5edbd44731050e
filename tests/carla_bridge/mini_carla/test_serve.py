"""`carla-bridge serve` as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from carla_bridge.command import main
from carla_bridge.mini_carla.server import listen_on_pair
from lane_seg.errors import LaneSegError
from tests.carla_bridge.servers import environment

pytest.importorskip('msgpack')

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_well_and_frees_both_ports(
    start_server: Callable[..., object], number: signal.Signals
) -> None:
    server = start_server()
    assert server.stream_port == server.port + 1  # type: ignore[attr-defined]
    port = server.port  # type: ignore[attr-defined]
    # Still open when the server ends: the port must be free all the same.
    connected = socket.create_connection(('127.0.0.1', port), timeout=10)
    server.process.send_signal(number)  # type: ignore[attr-defined]
    assert server.process.wait(timeout=30) == 0  # type: ignore[attr-defined]
    first, second = listen_on_pair('127.0.0.1', port)
    for held in (connected, first, second):
        held.close()


def test_a_thread_that_ran_before_does_not_swallow_the_signal() -> None:
    # OpenBLAS starts such threads when numpy is imported.
    code = (
        'import sys, threading, time\n'
        'threading.Thread(target=time.sleep, args=(120.0,), daemon=True).start()\n'
        'from carla_bridge.command import main\n'
        'sys.exit(main(["serve", "--port", "0"]))\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('ready')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['--carla-version', '0.9.12'], "0.9.16, found '0.9.12'"),
        (['--map', 'Town01'], "found 'Town01'"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['serve', '--port', '0', *options]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count('\n') == 1


def test_a_taken_port_is_refused_with_what_to_do() -> None:
    first, second = listen_on_pair('127.0.0.1', 0)
    port = first.getsockname()[1]
    with first, second, pytest.raises(LaneSegError, match=rf'ports {port} and {port + 1}.*--port'):
        listen_on_pair('127.0.0.1', port)


def test_the_upper_port_alone_being_taken_leaves_the_lower_one_free() -> None:
    first, second = listen_on_pair('127.0.0.1', 0)
    port = first.getsockname()[1]
    first.close()
    with second:
        with pytest.raises(LaneSegError):
            listen_on_pair('127.0.0.1', port)
        socket.create_server(('127.0.0.1', port)).close()


def test_help_needs_neither_msgpack_nor_the_client(tmp_path: Path) -> None:
    blocked = 'import sys; sys.modules.update(msgpack=None, carla=None, cv2=None)\n'
    code = f'{blocked}from carla_bridge.command import main; main(["serve", "--help"])'
    from carla_bridge import command

    root = str(command.__file__).rsplit('/carla_bridge/', 1)[0]
    done = subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path[:0] = ["{root}", "{root}/src"]\n{code}'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert 'not CARLA' in done.stdout
    assert '--tick-log' in done.stdout
