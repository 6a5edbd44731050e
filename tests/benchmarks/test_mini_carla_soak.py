"""The soak of mini_carla: a short real run, and its judgement of long ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'benchmarks' / 'mini_carla_soak.py'

pytest.importorskip('msgpack')
pytestmark = pytest.mark.carla


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module; it imports the client, which starts no thread before it connects."""
    pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    import mini_carla_soak

    return mini_carla_soak


def test_a_short_run_ticks_waits_for_both_images_and_reports(
    script: ModuleType, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), '--ticks', '60', '--json', str(tmp_path / 'soak.json')],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join((str(ROOT / 'src'), str(ROOT)))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'no stall, no growth' in done.stdout
    report = json.loads((tmp_path / 'soak.json').read_text())
    assert report['ticks'] == report['tick to both images']['count'] == 60
    # Two images a tick, and the ticks before and after those that are counted.
    assert report['in the server']['count'] > 60
    assert report['settings']['cars'] == 8
    assert report['growth in MB per 10,000 ticks'] == {'server': None, 'client': None}
    assert report['MB at the end']['server'] > 30
    assert not report['stalls'] + report['deadlocks'] + report['wrong']


def test_growth_is_the_slope_after_warm_up(script: ModuleType) -> None:
    warm = [(tick, 10.0 + tick / 100) for tick in range(0, script.WARM_UP_TICKS, 100)]
    flat = [(tick, 50.0) for tick in range(script.WARM_UP_TICKS + 1, 20_000, 500)]
    leaky = [(tick, 40.0 + 8e-4 * tick) for tick, _ in flat]
    assert script.growth_mb(warm + flat) == pytest.approx(0.0, abs=1e-6)
    assert script.growth_mb(warm + leaky) == pytest.approx(8.0)
    assert script.growth_mb(warm) is None
    assert script.growth_mb([]) is None


def test_a_stall_and_growth_are_named(script: ModuleType) -> None:
    growth = {'server': 4.9, 'client': 6.25}
    assert script.verdict(20.0, [], {'server': 4.9, 'client': None}) == []
    wrong = script.verdict(12_500.0, ['no tick after 7'], growth)
    assert wrong[0] == 'no tick after 7'
    assert 'a tick took 12.5 s' in wrong[1]
    assert 'the client grows by 6.2 MB' in wrong[2]
    assert len(wrong) == 3


def test_a_process_that_is_gone_has_no_memory_and_a_closed_port_no_answer(
    script: ModuleType,
) -> None:
    import socket

    assert script.resident_mb(os.getpid()) > 10
    gone = subprocess.Popen([sys.executable, '-c', ''])
    gone.wait()
    assert not script.resident_mb(gone.pid) > 0
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    assert not script.server_answers(port)
