"""`ros2 launch` in a process of its own, with a log that can be waited for."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ['LAUNCH', 'PATIENCE_S', 'Launched', 'is_running', 'launched']

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'
PATIENCE_S = 60.0
_ROS2 = 'import sys; from ros2cli.cli import main; sys.exit(main())'


class Launched:
    """A launch file that runs.

    Args:
        file: name of the launch file.
        arguments: as on the command line.
        log: takes its output.
        environment: on top of that of the process.
    """

    def __init__(
        self, file: str, *arguments: str, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self._log = log
        # The installed package wins over the repository's folder launch/, whichever comes first.
        paths = os.pathsep.join(p for p in sys.path if p)
        with log.open('wb') as output:
            self.process = subprocess.Popen(
                [sys.executable, '-c', _ROS2, 'launch', str(LAUNCH / file), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONPATH': paths, **(environment or {})},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it and its processes have said so far."""
        return self._log.read_text(errors='replace')

    @property
    def pids(self) -> list[int]:
        """Of all processes that it has ever started."""
        return [int(pid) for pid in re.findall(r'process started with pid \[(\d+)\]', self.log)]

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Wait until this was said so many times."""
        end_s = time.monotonic() + PATIENCE_S
        while self.log.count(text) < times:
            assert time.monotonic() < end_s, f'{text!r} was not said {times} times:\n{self.log}'
            assert self.process.poll() is None, f'launch has ended:\n{self.log}'
            time.sleep(0.05)

    def wait(self) -> int:
        """The exit code, once it has ended by itself."""
        return self.process.wait(PATIENCE_S)

    def interrupt(self) -> int:
        """Press Ctrl-C, which a terminal sends to all of its processes; return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait()


@contextlib.contextmanager
def launched(
    file: str, *arguments: str, log: Path, environment: dict[str, str] | None = None
) -> Iterator[Launched]:
    """A launch file of which nothing is left at the end, whatever happens."""
    it = Launched(file, *arguments, log=log, environment=environment)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                it.interrupt()
        for pid in (it.process.pid, *it.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        it.process.wait()


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'
