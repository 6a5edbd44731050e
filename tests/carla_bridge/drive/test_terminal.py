"""Single keys from a real pseudo-terminal."""

from __future__ import annotations

import os
import termios
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.drive.terminal import KeyTerminal, keys_of
from lane_seg.errors import LaneSegError


def test_letters_and_arrows_of_both_cursor_modes_are_told_apart() -> None:
    assert keys_of(b'w\x1b[A\x1bOD \x1b[Cq') == ['w', 'up', 'left', ' ', 'right', 'q']


@given(st.binary())
def test_whatever_a_terminal_sends_is_taken_apart(text: bytes) -> None:
    assert all(len(key) == 1 or key in ('up', 'down', 'left', 'right') for key in keys_of(text))


def test_keys_come_at_once_and_the_terminal_is_left_as_it_was() -> None:
    master, slave = os.openpty()
    try:
        before = termios.tcgetattr(slave)
        with os.fdopen(slave, 'r', closefd=False) as stream:
            with KeyTerminal(stream) as terminal:
                during = termios.tcgetattr(slave)
                assert not during[3] & (termios.ECHO | termios.ICANON)
                assert during[3] & termios.ISIG  # Ctrl-C still is a signal
                assert terminal.pressed() == []
                os.write(master, b'w\x1b[D')
                found: list[str] = []
                for _ in range(200):
                    found += terminal.pressed()
                    if len(found) == 2:
                        break
                    time.sleep(0.01)
                assert found == ['w', 'left']
            assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_what_is_no_terminal_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / 'keys'
    path.write_text('w')
    with path.open() as stream, pytest.raises(LaneSegError, match='docker run -it'):
        KeyTerminal(stream)
