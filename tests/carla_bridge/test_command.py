"""The entry point `carla-bridge`."""

from __future__ import annotations

import importlib

import pytest

from carla_bridge.command import COMMANDS, main
from lane_seg import __version__
from lane_seg.errors import LaneSegError

_SERVE = 'carla_bridge.mini_carla.serve'


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(['--help'])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown and command.help in shown for command in COMMANDS)
    assert 'examples:' in shown


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--version'])
    assert capsys.readouterr().out == f'carla-bridge {__version__}\n'


@pytest.mark.parametrize('words', [[], ['fly'], ['serve', '--fly']])
def test_wrong_usage_is_exit_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ('error', 'code', 'said'),
    [
        (LaneSegError('expected a, found b'), 1, 'error: expected a, found b\n'),
        (OSError('disk full'), 1, 'error: disk full\n'),
        (KeyboardInterrupt(), 130, 'interrupted\n'),
        (ModuleNotFoundError('no', name='msgpack'), 1, 'needs the Python package msgpack'),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(importlib.import_module(_SERVE), 'run', fail)
    assert main(['serve']) == code
    assert said in capsys.readouterr().err
