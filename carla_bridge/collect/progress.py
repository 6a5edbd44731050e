"""Progress of a collection on stderr: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from carla_bridge.collect.disk_space import free_bytes, in_words

if TYPE_CHECKING:
    from carla_bridge.recording.sweep import Drive

__all__ = ['CollectProgress']

_LINE_EVERY_S = 10.0
_BAR_WIDTH = 10  # the rest of a line of 80 columns is for words


class CollectProgress:
    """Counts written frames; a context manager. Heavy import: rich, on entering.

    Args:
        folder: of the recording; its disk is watched.
        total: frames of the plan.
        done: frames that an earlier run has written.
        line_every_s: without a terminal.
    """

    def __init__(
        self, folder: Path, *, total: int, done: int, line_every_s: float = _LINE_EVERY_S
    ) -> None:
        self._folder = folder
        self._total = total
        self._before = done
        self._done = done
        self._drive = 'connecting'
        self._line_every_s = line_every_s
        self._warned = False

    def __enter__(self) -> CollectProgress:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        self._console = Console(stderr=True)
        self._bar = Bar(
            TextColumn('{task.description}', markup=False),
            BarColumn(bar_width=_BAR_WIDTH),
            MofNCompleteColumn(),
            TextColumn('{task.fields[rate]}', markup=False),
            TimeRemainingColumn(),
            TextColumn('{task.fields[disk]}', markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            self._drive, total=self._total, completed=self._done, rate='', disk=''
        )
        self._bar.start()
        self._began_s = self._last_line_s = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    @property
    def new_frames(self) -> int:
        """Frames that were written in this run."""
        return self._done - self._before

    @property
    def per_second(self) -> float:
        """Frames written a second, in this run."""
        return self.new_frames / max(time.monotonic() - self._began_s, 1e-6)

    def drive(self, drive: Drive) -> None:
        """Say which drive is recorded from now on."""
        self._drive = f'{drive.town} {drive.route} {drive.weather.name}'
        self._bar.update(self._task, description=self._drive)

    def frame(self, bytes_per_frame: float) -> None:
        """Count another frame.

        Args:
            bytes_per_frame: mean size so far.
        """
        self._done += 1
        left = (self._total - self._done) * bytes_per_frame
        free = free_bytes(self._folder)
        disk = f'{in_words(left)} to come, {in_words(free)} free'
        self._bar.update(
            self._task,
            completed=self._done,
            rate=f'{self.per_second:.1f}/s',
            disk=f'{in_words(left)} of {in_words(free)}',
        )
        if left > free and not self._warned:
            self._warned = True
            self.say(f'warning: {disk}: the disk will be full before the plan is complete')
        if self._bar.disable and time.monotonic() - self._last_line_s >= self._line_every_s:
            self._last_line_s = time.monotonic()
            seconds = (self._total - self._done) / self.per_second
            self.say(
                f'{self._done} of {self._total} frames, {self.per_second:.1f} frames/s, '
                f'{seconds:.0f} s left, {disk} ({self._drive})'
            )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
