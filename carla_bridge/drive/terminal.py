"""Single keys from a terminal, which is left as it was found."""

from __future__ import annotations

import os
import select
import termios
import tty
from types import TracebackType
from typing import TextIO

from lane_seg.errors import LaneSegError

__all__ = ['KeyTerminal', 'keys_of']

# What terminals send for the arrows, in either mode of the cursor keys.
_ARROWS = {
    b'\x1b[A': 'up',
    b'\x1b[B': 'down',
    b'\x1b[C': 'right',
    b'\x1b[D': 'left',
    b'\x1bOA': 'up',
    b'\x1bOB': 'down',
    b'\x1bOC': 'right',
    b'\x1bOD': 'left',
}
_AT_ONCE = 64


class KeyTerminal:
    """A terminal that sends each key at once and does not show it; a context manager.

    Ctrl-C still is a signal.

    Args:
        stream: of the keys, `sys.stdin`.

    Raises:
        LaneSegError: it is no terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        if not stream.isatty():
            raise LaneSegError(
                'expected a terminal for --driver keyboard, found an input that is none; start it '
                'in a terminal (docker run -it, ssh -t), or take --driver follower'
            )
        self._file = stream.fileno()
        self._before = termios.tcgetattr(self._file)

    def __enter__(self) -> KeyTerminal:
        """Switch over."""
        tty.setcbreak(self._file)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put everything back."""
        self.restore()

    def restore(self) -> None:
        """Put everything back; may be called from any thread, and twice."""
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def pressed(self) -> list[str]:
        """Return the keys that have been pressed since, without waiting for any."""
        found: list[str] = []
        while select.select([self._file], [], [], 0.0)[0]:
            text = os.read(self._file, _AT_ONCE)
            if not text:  # the other end of the terminal is gone
                return [*found, 'q']
            found.extend(keys_of(text))
        return found


def keys_of(text: bytes) -> list[str]:
    """Take apart what a terminal has sent.

    Returns:
        Characters, and 'up', 'down', 'left', 'right' for the arrows; bytes that are neither are
        left out.
    """
    found = []
    at = 0
    while at < len(text):
        arrow = _ARROWS.get(text[at : at + 3])
        if arrow is not None:
            found.append(arrow)
            at += 3
            continue
        if 32 <= text[at] < 127:
            found.append(chr(text[at]))
        at += 1
    return found
