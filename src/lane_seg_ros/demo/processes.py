"""Start the parts of the demo as processes, notice when one dies, and leave none behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lane_seg.errors import LaneSegError

__all__ = ['ChildProcess', 'DemoError', 'NodeProcess', 'free_domain_id']

# What a process is given to end by itself after SIGINT, and then after SIGTERM.
_PATIENCE_S = 5.0
# 1 to 100: 0 is everybody's default, and above 101 the ports of a domain may collide with those
# that Linux hands out to clients.
_DOMAIN_IDS = range(1, 101)
_LOG_LINES_SHOWN = 15
_PR_SET_PDEATHSIG = 1
_TERMINAL_COLOUR = re.compile(r'\x1b\[[0-9;]*m')


class DemoError(LaneSegError):
    """The demo cannot go on; the text says why and what to do."""


class ChildProcess:
    """A module of ours running in a process of its own.

    On Linux the process also ends when its parent does, even by SIGKILL.

    Args:
        module: to be run with `python -m`.
        arguments: of the module.
        log: file for its output.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, log: Path) -> None:
        self._module = module
        self._log = log
        # The command line may have been started from a checkout that is not installed.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                [*_ending_with_parent(), sys.executable, '-m', module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONPATH': path},
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def check(self) -> None:
        """Raise DemoError, with the last words of its log, if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise DemoError(
                f'{self._module} has ended with exit code {code}. Its last words:\n{self.tail()}'
            )

    def output(self) -> str:
        """All that it has said so far, without colours."""
        text = self._log.read_text(encoding='utf-8', errors='replace')
        return _TERMINAL_COLOUR.sub('', text)

    def tail(self) -> str:
        """The last lines of its log."""
        return '\n'.join(f'  {line}' for line in self.output().splitlines()[-_LOG_LINES_SHOWN:])

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """End it: SIGINT, then SIGTERM, then SIGKILL; return its exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            self._process.send_signal(number)  # nothing happens if it has ended already
            with suppress(subprocess.TimeoutExpired):
                return self.wait(_PATIENCE_S)
        return self.wait()


class NodeProcess(ChildProcess):
    """A module of ours running as a ROS node in a process of its own.

    Args:
        module: to be run with `python -m`.
        parameters: of the node.
        log: file for its output.
        remappings: {topic of the node: topic of the graph}.
    """

    def __init__(
        self,
        module: str,
        parameters: Mapping[str, bool | int | float | str],
        *,
        log: Path,
        remappings: Mapping[str, str] | None = None,
    ) -> None:
        arguments = ['--ros-args']
        for name, value in parameters.items():
            # The value is read as YAML, of which JSON is a part.
            arguments += ['-p', f'{name}:={json.dumps(value, ensure_ascii=False)}']
        for name, topic in (remappings or {}).items():
            arguments += ['-r', f'{name}:={topic}']
        super().__init__(module, arguments, log=log)


def free_domain_id() -> int:
    """A ROS domain in which, as far as can be seen, nobody is on this machine."""
    start = os.getpid()
    for offset in range(len(_DOMAIN_IDS)):
        domain_id = _DOMAIN_IDS[(start + offset) % len(_DOMAIN_IDS)]
        # The port of the first participant of a domain (DDSI-RTPS, 9.6.2.3).
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', 7400 + 250 * domain_id + 10))
            except OSError:
                continue
            return domain_id
    raise DemoError(
        f'all ROS domains from {_DOMAIN_IDS[0]} to {_DOMAIN_IDS[-1]} are in use on this machine: '
        'end some ROS programs'
    )


def _ending_with_parent() -> list[str]:
    """What to put before a command so that it gets SIGTERM when this process dies."""
    if not sys.platform.startswith('linux'):
        return []
    # Not by preexec_fn, which may deadlock where the parent has threads; exec keeps the request.
    code = (
        'import ctypes, os, sys\n'
        f'ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGTERM)}, 0, 0, 0)\n'
        f'if os.getppid() == {os.getpid()}: os.execv(sys.argv[1], sys.argv[1:])\n'
    )
    return [sys.executable, '-S', '-c', code]
