"""When did the whole machine stand still?

    python benchmarks/stalls.py --seconds 60

One process on each core sleeps for 5 ms again and again, at real-time priority where that is
allowed. What all of them oversleep at the same time is nothing that a program of this machine did:
the machine itself was not run (a hypervisor gave its cores to somebody else, or firmware took
them). Images that come in the meantime are late before any node sees them.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

__all__ = ['LATE_MS', 'Stall', 'StallWatch', 'count_explained', 'stalls_of_all']

LATE_MS = 10.0
"""Who wakes up so much too late has stood still; a busy core alone is late by less."""

_NAP_S = 0.005
_PRIORITY = 50


@dataclass(frozen=True)
class Stall:
    """A time in which nothing ran.

    Attributes:
        begin_ns: Unix time, nanoseconds; at the earliest.
        end_ns: the same, at the latest.
    """

    begin_ns: int
    end_ns: int


class StallWatch:
    """Watches the cores that this process may use, from `with` to `stop` or its end.

    Attributes:
        processes: one for each core.
        real_time: whether they could be given real-time priority; known after `stop`.
    """

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.real_time = False
        self._stack = contextlib.ExitStack()
        self._stalls: list[Stall] | None = None

    def __enter__(self) -> StallWatch:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix='stalls'))
        self._files = [Path(folder, str(core)) for core in sorted(os.sched_getaffinity(0))]
        for file in self._files:
            words = [sys.executable, __file__, '--core', file.name, '--file', str(file)]
            self.processes.append(subprocess.Popen(words))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> list[Stall]:
        """End the processes; return the times at which all cores stood still, in order."""
        if self._stalls is None:
            for process in self.processes:
                process.terminate()
            for process in self.processes:
                process.wait()
            texts = [file.read_text() for file in self._files if file.exists()]
            self.real_time = bool(texts) and all(text.startswith('real-time') for text in texts)
            cores = [
                [Stall(*map(int, line.split())) for line in text.splitlines()[1:]]
                for text in texts
            ]
            self._stalls = stalls_of_all(cores)
            self._stack.close()
        return self._stalls


def stalls_of_all(cores: Sequence[Sequence[Stall]]) -> list[Stall]:
    """Return the times at which every core stood still, each core's own in order of time."""
    if not cores:
        return []
    common = list(cores[0])
    for other in cores[1:]:
        common = [
            Stall(max(a.begin_ns, b.begin_ns), min(a.end_ns, b.end_ns))
            for a in common
            for b in other
            if max(a.begin_ns, b.begin_ns) < min(a.end_ns, b.end_ns)
        ]
    return common


def count_explained(stamps_ns: Iterable[int], stalls: Sequence[Stall], reach_ns: int) -> int:
    """Count the images whose camera stamp is in a stall, or no further from one than a reach.

    Args:
        stamps_ns: of the images, Unix time.
        stalls: of the same clock.
        reach_ns: how long before and after a stall it still matters.
    """
    return sum(
        any(one.begin_ns - reach_ns <= stamp <= one.end_ns + reach_ns for one in stalls)
        for stamp in stamps_ns
    )


def _watch_core(core: int, path: Path) -> None:
    """Write a line for each nap that took too long, the priority in the first, until SIGTERM."""
    gc.disable()
    os.sched_setaffinity(0, {core})
    priority = 'real-time'
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except PermissionError:
        priority = 'normal'
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with path.open('w', buffering=1) as file, contextlib.suppress(KeyboardInterrupt):
        file.write(f'{priority}\n')
        while True:
            begin = time.monotonic_ns()
            time.sleep(_NAP_S)
            took_ns = time.monotonic_ns() - begin
            if took_ns - _NAP_S * 1e9 > LATE_MS * 1e6:
                now_ns = time.time_ns()
                file.write(f'{now_ns - took_ns} {now_ns}\n')


def main() -> None:
    """Watch for a while and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--core', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--file', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.core is not None:
        _watch_core(args.core, args.file)
        return
    with StallWatch() as watch:
        time.sleep(args.seconds)
    stalls = watch.stop()
    for one in stalls:
        when = time.strftime('%H:%M:%S', time.localtime(one.begin_ns / 1e9))
        print(f'{when}  at most {(one.end_ns - one.begin_ns) / 1e6:.1f} ms')
    priority = 'real-time' if watch.real_time else 'normal'
    print(
        f'{len(stalls)} stalls of more than {LATE_MS:g} ms in {args.seconds:g} s, seen by '
        f'{len(watch.processes)} cores at {priority} priority'
    )


if __name__ == '__main__':
    main()
