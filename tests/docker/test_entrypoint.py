"""The entry point of the containers, run by the real bash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docker.dockerfiles import DOCKER

ENTRY_POINT = DOCKER / 'entrypoint.sh'
DEAF_FOR_S = 30.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Two prefixes whose files add to a variable, as those of ROS and of colcon do."""
    for name, file in (('ros', 'setup.bash'), ('ours', 'local_setup.bash')):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(
            f'export SOURCED="$SOURCED {name}"\nexport ARGUMENTS="$ARGUMENTS $*"\n'
        )
    return {
        **os.environ,
        'ROS_ROOT': str(tmp_path / 'ros'),
        'LANE_SEG_ROOT': str(tmp_path / 'ours'),
        'SOURCED': '',
        'ARGUMENTS': '',
    }


def test_ros_is_sourced_first_and_hears_nothing_of_the_command(
    environment: dict[str, str],
) -> None:
    said = subprocess.run(
        [str(ENTRY_POINT), sys.executable, '-c']
        + ['import os, sys; print(os.environ["SOURCED"], os.environ["ARGUMENTS"], sys.argv[1:])']
        + ['--help', 'two words'],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split(maxsplit=4) == ['ros', 'ours', '--', '--', "['--help', 'two words']\n"]


def test_the_command_takes_the_place_of_the_shell(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [str(ENTRY_POINT), sys.executable, '-c', 'import os; print(os.getpid())'],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    said, _ = process.communicate(timeout=DEAF_FOR_S)
    assert int(said) == process.pid


def test_sigterm_reaches_the_command_whose_exit_code_is_that_of_the_container(
    environment: dict[str, str],
) -> None:
    program = (
        'import signal, sys, time\n'
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n'
        'print("ready", flush=True)\n'
        f'time.sleep({DEAF_FOR_S})\n'
    )
    process = subprocess.Popen(
        [str(ENTRY_POINT), sys.executable, '-c', program],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'ready\n'
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEAF_FOR_S)
    assert process.returncode == 7
    assert time.monotonic() - began < DEAF_FOR_S / 2


def test_without_ros_it_fails_and_names_the_file(environment: dict[str, str]) -> None:
    environment['ROS_ROOT'] = '/nowhere'
    failed = subprocess.run(
        [str(ENTRY_POINT), 'true'], env=environment, capture_output=True, text=True
    )
    assert failed.returncode != 0
    assert '/nowhere/setup.bash' in failed.stderr


@pytest.mark.parametrize('script', sorted(path.name for path in DOCKER.glob('*.sh')))
def test_a_script_can_be_executed_and_parsed(script: str) -> None:
    assert os.access(DOCKER / script, os.X_OK)
    subprocess.run(['bash', '-n', str(DOCKER / script)], check=True)
