"""`carla-bridge collect` without a simulator: what it says before it starts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from carla_bridge.command import main
from carla_bridge.recording.plan import plan_from_file
from carla_bridge.recording.sweep import drives_of
from tests.carla_bridge.collect.collecting import write_plan


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_the_example_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['collect', '--example']) == 0
    path = tmp_path / 'plan.yaml'
    path.write_text(capsys.readouterr().out, encoding='utf-8')
    assert len(drives_of(plan_from_file(path))) > 1


def test_a_dry_run_lists_each_drive_and_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write_plan(
        tmp_path, towns=['Town_a', 'Town_b'], weathers=['ClearNoon', 'WetNoon'], routes=3
    )
    folder = tmp_path / 'recording'
    assert main(['collect', str(plan), '--output', str(folder), '--dry-run']) == 0
    out = capsys.readouterr().out
    assert sum(line.count('WetNoon') for line in out.splitlines()) == 6
    assert '12 drives, 360 frames to record' in out
    assert not folder.exists()


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['collect']) == 1
    assert '--example' in capsys.readouterr().err
    plan = write_plan(tmp_path)
    assert main(['collect', str(plan)]) == 1
    assert '--output' in capsys.readouterr().err
    assert main(['collect', str(plan), '--output', str(tmp_path / 'r'), '--watchdog', '0']) == 1
    assert '--watchdog' in capsys.readouterr().err


def test_a_disk_that_is_too_small_is_refused_with_numbers_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = write_plan(tmp_path, frames=1000, camera={'width': 1280, 'height': 720})
    arguments = ['collect', str(plan), '--output', str(tmp_path / 'r'), '--port', '1']
    with monkeypatch.context() as patch:
        patch.setattr(shutil, 'disk_usage', lambda path: _Usage(10**9, 0, 10**9))
        assert main(arguments) == 1
        refused = capsys.readouterr().err
        assert '1000 frames' in refused
        assert 'found 1.0 GB' in refused
        assert '--force' in refused
        assert main([*arguments, '--force']) == 1
    forced = capsys.readouterr().err
    assert 'warning: expected room for 1000 frames' in forced
    assert 'expected a CARLA server at 127.0.0.1:1' in forced
