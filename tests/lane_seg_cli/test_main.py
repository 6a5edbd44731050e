"""The `lane-seg` command itself: overview, errors, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lane_seg
from lane_seg_cli.commands import COMMANDS, Command
from lane_seg_cli.main import main
from tests.test_import_boundaries import BLOCKER

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    'carla', 'lightning', 'onnx', 'onnxruntime', 'openvino', 'rclpy', 'rich', 'sensor_msgs',
    'tensorrt', 'torch',
)  # fmt: skip


def lane_seg_without(blocked: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process in which libraries are missing."""
    head = f'import sys; modules = []; {blocked=}; allowed = None\n'
    call = f'from lane_seg_cli.main import main; sys.exit(main({list(words)}))\n'
    return subprocess.run(
        [sys.executable, '-c', head + BLOCKER + call],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )


@pytest.mark.parametrize('words', [[], ['--help'], ['-h'], ['help']])
def test_alone_it_explains_all_commands(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert f'\n  {command.name} ' in said
    assert 'examples:' in said
    assert max(map(len, said.splitlines())) <= 99


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'lane-seg {lane_seg.__version__}\n'


@pytest.mark.parametrize(('typed', 'meant'), [('predit', 'predict'), ('bench', 'benchmark')])
def test_a_mistyped_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    assert main([typed]) == 2
    said = capsys.readouterr()
    assert said.out == ''
    assert f'found {typed!r} (did you mean {meant!r}?)' in said.err


def test_a_command_like_no_other_is_answered_with_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['xyzzy']) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: expected a command out of demo, run, play')
    assert 'did you mean' not in said


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command.name)
def test_help_needs_no_heavy_library(command: Command) -> None:
    done = lane_seg_without(HEAVY, command.name, '--help')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'usage: lane-seg {command.name}')
    assert 'examples:' in done.stdout
    assert done.stderr == ''


def test_the_overview_needs_nothing_at_all() -> None:
    done = lane_seg_without((*HEAVY, 'numpy', 'cv2', 'yaml'))
    assert done.returncode == 0, done.stderr


def test_a_missing_library_is_one_line_with_the_extra() -> None:
    done = lane_seg_without(('cv2',), 'predict', 'a.jpg', '--output', 'out')
    assert done.returncode == 1
    assert done.stderr == (
        'error: lane-seg predict needs the Python package cv2 (opencv-python-headless), found '
        "none; install it: python3 -m pip install 'lane_seg_ros[runtime]'\n"
    )


def test_without_ros_the_node_says_how_to_get_it() -> None:
    done = lane_seg_without(('rclpy', 'sensor_msgs'), 'run')
    assert done.returncode == 1
    assert done.stderr.startswith('error: this needs ROS 2')
    assert "pip install 'lane_seg_ros[ros]'" in done.stderr


@pytest.mark.parametrize(
    'words', [['predict'], ['predict', 'a.jpg', '--output', 'b', '--engin', 'x']]
)
def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(words) == 2
    assert 'usage: lane-seg predict' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['--model', 'x'], ['-p', 'model:=x'], ['model:=x']])
def test_run_refuses_what_ros_would_ignore(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(['run', *words]) == 2
    said = capsys.readouterr().err
    assert f'found {words[0]!r}' in said
    assert 'lane-seg run --ros-args -p model:=default' in said


@pytest.mark.ros
@pytest.mark.parametrize('words', [['--foo'], ['-p', 'no rule']])
def test_run_refuses_what_ros_does_not_understand(words: list[str]) -> None:
    pytest.importorskip('rclpy')
    done = lane_seg_without((), 'run', '--ros-args', *words)
    assert done.returncode == 2
    assert 'error: ROS 2 does not accept --ros-args' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, '-m', 'lane_seg_cli.main'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b''
    process.stderr.close()


def test_no_option_takes_any_text_for_true() -> None:
    # argparse's type=bool makes True of every text, 'False' included.
    guilty = [
        path.name
        for path in (ROOT / 'src').rglob('*.py')
        if 'type=bool' in path.read_text(encoding='utf-8')
    ]
    assert not guilty
