"""Counts what a publisher does, for the line that it logs every few seconds."""

from __future__ import annotations

__all__ = ['Report']

_EVERY_S = 5.0


class Report:
    """Frame rate, pace of the simulated time, and losses since the last line."""

    def __init__(self) -> None:
        self._ticks = self._images = self._lost = 0
        self._since: tuple[float, float] | None = None

    def tick(self) -> None:
        """Count a tick."""
        self._ticks += 1

    def image(self) -> None:
        """Count an image."""
        self._images += 1

    def lost(self, images: int) -> None:
        """Count images that never came, or came too fast to be published."""
        self._lost += images

    def line(self, now_s: float, simulated_s: float) -> str:
        """Return a line every five seconds, '' in between.

        Args:
            now_s: of a clock that never jumps.
            simulated_s: time in the simulator.
        """
        if self._since is None:
            self._since = (now_s, simulated_s)
            self._ticks = self._images = 0
            return ''
        passed_s = now_s - self._since[0]
        if passed_s < _EVERY_S:
            return ''
        text = (
            f'{self._ticks / passed_s:.1f} ticks/s, {self._images / passed_s:.1f} images/s, '
            f'{(simulated_s - self._since[1]) / passed_s:.2f} x real time, '
            f'{self._lost} images lost'
        )
        self._since = (now_s, simulated_s)
        self._ticks = self._images = self._lost = 0
        return text
