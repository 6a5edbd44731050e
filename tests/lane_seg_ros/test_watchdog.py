"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lane_seg_ros.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / 'notify'))
        manager.settimeout(1.0)
        yield manager


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split('\n')


def test_the_first_report_says_ready_and_the_last_word_is_stopping(
    manager: socket.socket,
) -> None:
    watchdog = Watchdog({'NOTIFY_SOCKET': manager.getsockname()})
    watchdog.report('30.0 masks per second', alive=True)
    watchdog.report('two\nlines', alive=True)
    watchdog.close()
    assert told(manager) == ['STATUS=30.0 masks per second', 'READY=1', 'WATCHDOG=1']
    assert told(manager) == ['STATUS=two lines', 'WATCHDOG=1']
    assert told(manager) == ['STOPPING=1']


def test_a_dead_pipeline_does_not_feed_but_says_why(manager: socket.socket) -> None:
    watchdog = Watchdog({'NOTIFY_SOCKET': manager.getsockname()})
    watchdog.report('the inference thread hangs', alive=False)
    assert told(manager) == ['STATUS=the inference thread hangs', 'READY=1']
    watchdog.close()


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind('')  # Linux chooses an abstract name
        manager.settimeout(1.0)
        name = manager.getsockname()[1:].decode()
        watchdog = Watchdog({'NOTIFY_SOCKET': f'@{name}'})
        watchdog.report('well', alive=True)
        assert 'READY=1' in told(manager)
        watchdog.close()


def test_without_a_manager_nothing_is_said() -> None:
    watchdog = Watchdog({})
    watchdog.report('well', alive=True)
    assert watchdog.complaint(60.0) == ''
    watchdog.close()


def test_a_manager_that_went_away_or_does_not_read_stops_nobody(
    manager: socket.socket, tmp_path: Path
) -> None:
    watchdog = Watchdog({'NOTIFY_SOCKET': manager.getsockname()})
    for _ in range(10_000):  # far more than the socket's queue holds
        watchdog.report('x' * 4000, alive=True)
    assert len(manager.recv(4096)) < 500
    (tmp_path / 'notify').unlink()
    watchdog.report('well', alive=True)
    watchdog.close()
    watchdog.close()


@pytest.mark.parametrize(('period_s', 'complains'), [(1.0, False), (5.0, False), (6.0, True)])
def test_a_period_longer_than_half_of_the_watchdog_is_complained_of(
    manager: socket.socket, period_s: float, complains: bool
) -> None:
    environment = {'NOTIFY_SOCKET': manager.getsockname(), 'WATCHDOG_USEC': '10000000'}
    watchdog = Watchdog(environment)
    assert ('WatchdogSec (10 s)' in watchdog.complaint(period_s)) == complains
    watchdog.close()
