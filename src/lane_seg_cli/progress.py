"""Progress on stderr: a bar in a terminal, a line now and then in a file or a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['Progress']

_LINE_EVERY_S = 10.0


class Progress:
    """Counts items; a context manager. Heavy import: rich, on entering.

    Args:
        what: what is being done, for example 'predicting'.
        unit: of the items, for example 'images'.
        total: number of items, None if nobody knows.
    """

    def __init__(self, what: str, *, unit: str, total: int | None) -> None:
        self.what = what
        self.unit = unit
        self.total = total
        self.done = 0

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True)
        self._bar = Bar(
            # Not the bar's own description: file names may hold what rich takes for markup.
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(self.unit),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(self.what, total=self.total)
        self._bar.start()
        self._last_line_s = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """One more item is done."""
        self.done += 1
        self._bar.advance(self._task)
        if self._bar.disable and time.monotonic() - self._last_line_s >= _LINE_EVERY_S:
            self._last_line_s = time.monotonic()
            of_total = '' if self.total is None else f' of {self.total}'
            self.say(f'{self.what}: {self.done}{of_total} {self.unit}')

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
