"""Where the time of each tick went: a CSV file, and a warning for the slow ones."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import TracebackType

from carla_bridge.mini_carla.world import TickTimes

__all__ = ['TickLog']

LOG = logging.getLogger(__name__)

_HEADER = 'wall_s,frame,wait_ms,move_ms,render_ms,images\n'


class TickLog:
    """Writes one row for each tick.

    Attributes:
        ticks: how many there were.
        slowest_s: duration of the slowest one, seconds.
        images: how many were rendered.
    """

    def __init__(self, path: Path | None = None, *, slow_s: float = 1.0) -> None:
        """Begin.

        Args:
            path: of the CSV file; None only counts and warns.
            slow_s: a tick that takes longer is worth a warning.
        """
        self.ticks = 0
        self.slowest_s = 0.0
        self.images = 0
        self._slow_s = slow_s
        self._began = time.perf_counter()
        # Line by line: the rows are for the case that the server hangs.
        self._file = None if path is None else path.open('w', buffering=1, encoding='utf-8')
        if self._file is not None:
            self._file.write(_HEADER)

    def __enter__(self) -> TickLog:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def add(self, times: TickTimes, wait_s: float) -> None:
        """Note a tick.

        Args:
            times: of the tick itself.
            wait_s: waited before for announced subscriptions, seconds.
        """
        took_s = wait_s + times.move_s + times.render_s
        self.ticks += 1
        self.images += times.images
        self.slowest_s = max(self.slowest_s, took_s)
        if took_s > self._slow_s:
            LOG.warning(
                'frame %d took %.2f s: waited %.2f s for subscriptions, moved %.2f s, '
                'rendered %.2f s for %d images',
                *(times.frame, took_s, wait_s, times.move_s, times.render_s, times.images),
            )
        if self._file is not None:
            wall_s = time.perf_counter() - self._began
            milliseconds = (1e3 * value for value in (wait_s, times.move_s, times.render_s))
            row = ','.join(f'{value:.2f}' for value in milliseconds)
            self._file.write(f'{wall_s:.3f},{times.frame},{row},{times.images}\n')
