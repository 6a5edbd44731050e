"""mini_carla servers as real processes, and clients in processes of their own.

Threads of the client abort their process now and then (docs/mini_carla.md), which must not be
that of pytest.
"""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ['ROOT', 'Server', 'end_process', 'environment', 'run_client', 'running_server']

ROOT = Path(__file__).resolve().parents[2]
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


def end_process(process: subprocess.Popen[str]) -> None:
    """End a process by its id: by SIGTERM, and by SIGKILL where it does not mind that."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
        end_process(process)
        process.stdout.close()


def run_client(
    code: str, *arguments: object, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run Python code with the real client in a process of its own, which it may take down."""
    return subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment(),
    )
