"""Runs a process for each town until the plan is complete, whatever happens to the processes.

A process that crashes, or sends no sign of life, is replaced by a new one that goes on where the
recording ends; a server that is gone is waited for.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from carla_bridge.collect.child import Child
from carla_bridge.collect.job import Failure, Job
from carla_bridge.recording.folder import MANIFEST
from carla_bridge.recording.sweep import Drive, drives_of
from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from carla_bridge.collect.progress import CollectProgress
    from carla_bridge.recording.plan import CollectPlan

__all__ = ['CollectError', 'Limits', 'Supervisor', 'counts_of', 'records_of']

_POLL_S = 0.2
_SILENT_S = 3.0
_PROBE_S = 1.0
_HANG_MORE_S = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CollectError(LaneSegError):
    """The collection ends before the plan is complete; what was written is whole."""


@dataclass(frozen=True)
class Limits:
    """How much is put up with.

    Attributes:
        watchdog_s: a process that is silent for longer is ended.
        wait_for_server_s: how long a server that is not there is waited for.
        restarts: in a row, without a new frame between them.
    """

    watchdog_s: float = 60.0
    wait_for_server_s: float = 0.0
    restarts: int = 3


@dataclass(frozen=True)
class _End:
    """How a process ended: None for well, else one of `Failure`, and why."""

    why: str | None = None
    text: str = ''


class Supervisor:
    """Records a plan.

    Attributes:
        stopped_by: the signal that ended the collection, or None.

    Args:
        job: as for every process, whatever its town.
        limits: of what is put up with.
        progress: to show.
    """

    def __init__(self, job: Job, limits: Limits, progress: CollectProgress) -> None:
        self._job = job
        self._plan: CollectPlan = job.plan
        self._limits = limits
        self._progress = progress
        self._drives = {drive.prefix: drive for drive in drives_of(job.plan)}
        self._new_frames = 0
        self._failure: _End | None = None
        self.stopped_by: signal.Signals | None = None

    def run(self) -> None:
        """Record until the plan is complete or a signal comes.

        Raises:
            CollectError: no way to go on.
        """
        with self._signals():
            for town in self._plan.towns:
                self._town(town)

    def _town(self, town: str) -> None:
        """Start processes until the town is complete."""
        fruitless, server_gone_s = 0, 0.0
        while self.stopped_by is None and self._missing(town):
            before = self._new_frames
            end = self._process(town)
            if self.stopped_by is not None:
                return
            if self._new_frames > before:
                fruitless, server_gone_s = 0, 0.0
            if end.why == Failure.FINAL:
                raise CollectError(end.text)
            if end.why == Failure.SERVER:
                server_gone_s = server_gone_s or time.monotonic()
                self._wait_for_server(server_gone_s, end.text)
                continue
            if end.why is None and not self._missing(town):
                return
            fruitless += 1
            if fruitless > self._limits.restarts:
                raise CollectError(
                    f'{town}: expected new frames, found {fruitless} processes in a row that '
                    f'ended without one; the last: {end.text}'
                )
            self._progress.say(f'{town}: starting anew, for {end.text}')

    def _process(self, town: str) -> _End:
        """Run one process to its end."""
        self._failure = None
        limit_s = self._limits.watchdog_s
        job = replace(self._job, town=town, watchdog_s=limit_s + _HANG_MORE_S)
        with Child(job, on_event=self._event, on_word=self._progress.say) as child:
            probed_s = 0.0
            while child.listen(_POLL_S):
                now = time.monotonic()
                if self.stopped_by is not None:
                    self._progress.say('ending; the frame that is being written is kept whole')
                    child.stop()
                    return _End()
                silent_s = now - child.heard_s
                # A client waits for its time-out when the server has crashed; this does not.
                if silent_s > _SILENT_S and now - probed_s > _PROBE_S:
                    probed_s = now
                    if self._refused():
                        child.kill()
                        return _End(Failure.SERVER, f'the server at {self._address} has ended')
                if silent_s > limit_s:
                    child.kill()
                    return _End(
                        Failure.SIMULATOR,
                        f'the process had shown no sign of life for {limit_s:g} s',
                    )
            code = child.wait()
            if self._failure is not None:
                if self._failure.why == Failure.SIMULATOR and self._refused():
                    return _End(Failure.SERVER, self._failure.text)
                return self._failure
            if code == 0:
                return _End(text='the process ended before its town was complete')
            last = next((word for word in reversed(child.last_words) if word.strip()), 'no words')
            return _End(Failure.SIMULATOR, f'the process ended by {_code(code)} ({last.strip()})')

    def _event(self, event: dict[str, object]) -> None:
        kind = event['kind']
        if kind == 'drive':
            self._progress.drive(self._drives[str(event['prefix'])])
        elif kind == 'frame':
            self._new_frames += 1
            self._progress.frame(float(str(event['bytes_per_frame'])))
        elif kind == 'failed':
            self._failure = _End(str(event['why']), str(event['text']))

    def _missing(self, town: str) -> bool:
        counts = counts_of(self._job.folder, tuple(self._drives.values()))
        return any(
            counts[drive.prefix] < self._plan.frames
            for drive in self._drives.values()
            if drive.town == town
        )

    def _wait_for_server(self, since_s: float, text: str) -> None:
        """Wait until something listens; returns early on a signal.

        Raises:
            CollectError: nobody does within the time.
        """
        limit_s = self._limits.wait_for_server_s
        if time.monotonic() - since_s > limit_s or not limit_s:
            raise CollectError(
                f'{text}; waited {limit_s:g} s for it (--wait-for-server S waits S seconds)'
            )
        self._progress.say(f'{text}; waiting for a server for up to {limit_s:g} s')
        while self.stopped_by is None and time.monotonic() - since_s < limit_s:
            time.sleep(_POLL_S)
            if not self._refused():
                return

    @property
    def _address(self) -> str:
        return f'{self._job.host}:{self._job.port}'

    def _refused(self) -> bool:
        """Whether nobody listens at the server's address; False where that cannot be told."""
        try:
            socket.create_connection((self._job.host, self._job.port), _PROBE_S).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note the first SIGINT or SIGTERM; the loops look for it."""

        def note(number: int, frame: FrameType | None) -> None:
            self.stopped_by = self.stopped_by or signal.Signals(number)

        before = {number: signal.signal(number, note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def records_of(folder: Path) -> list[dict[str, object]]:
    """Read a recording's manifest while another process may be writing it.

    A line that is not whole yet, or no more, is left out; mending it is the writer's.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b'\n')
    records = []
    for line in lines[:-1]:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def counts_of(folder: Path, drives: tuple[Drive, ...]) -> Counter[str]:
    """Return {prefix of a drive: frames that are written}."""
    counts = Counter({drive.prefix: 0 for drive in drives})
    for record in records_of(folder):
        prefix = str(record.get('name', '')).rpartition('_')[0]
        if prefix in counts:
            counts[prefix] += 1
    return counts


def _code(code: int) -> str:
    """Name an exit code of `subprocess`."""
    if code < 0:
        return f'signal {signal.Signals(-code).name}'
    return f'exit code {code}'
