"""The log of where the time of each tick went."""

from __future__ import annotations

import csv
import logging
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('msgpack')

from carla_bridge.mini_carla.tick_log import TickLog
from carla_bridge.mini_carla.world import TickTimes

if TYPE_CHECKING:
    from pathlib import Path


def test_each_tick_is_a_row_that_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'ticks.csv'
    with TickLog(path) as log:
        for frame in (7, 8):
            log.add(TickTimes(frame, 0.001, 0.020, 2), 0.5)
            rows = list(csv.DictReader(path.open()))
            assert rows[-1]['frame'] == str(frame)
    assert rows[0] | {'wall_s': ''} == {
        'wall_s': '',
        'frame': '7',
        'wait_ms': '500.00',
        'move_ms': '1.00',
        'render_ms': '20.00',
        'images': '2',
    }
    assert (log.ticks, log.images) == (2, 4)
    assert log.slowest_s == pytest.approx(0.521)


def test_a_slow_tick_is_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with TickLog(slow_s=0.1) as log, caplog.at_level(logging.WARNING):
        log.add(TickTimes(1, 0.01, 0.05, 1), 0.0)
        assert not caplog.records
        log.add(TickTimes(2, 0.01, 0.25, 1), 0.0)
    assert 'frame 2 took 0.26 s' in caplog.text
