"""A copy of the checkout, and what tests of its installation run there."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NAME = 'lane_seg_ros'

# What takes seconds; more than this is a process that hangs, even on a loaded machine.
LIMIT_S = 120.0


def setup_arguments_of_checkout() -> dict[str, object]:
    """What setup.py hands to setuptools."""
    seen: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('setuptools.setup', lambda **arguments: seen.update(arguments))
        runpy.run_path(str(ROOT / 'setup.py'))
    return seen


def extras_of(setup_arguments: dict[str, object]) -> dict[str, list[Requirement]]:
    """The requirements of each extra."""
    stated = setup_arguments['extras_require']
    assert isinstance(stated, dict)
    return {name: [Requirement(text) for text in texts] for name, texts in stated.items()}


def copy_of_checkout(folder: Path) -> Path:
    """Copy what is, or may become, part of the repository; skip the test outside of one."""
    listed = subprocess.run(
        ['git', '-C', str(ROOT), 'ls-files', '-coz', '--exclude-standard'],
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip('needs the files of a git checkout')
    for name in listed.stdout.split('\0'):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def shared_files(checkout: Path) -> list[str]:
    """What must be installed in share/: all of launch/, and the shipped model."""
    files = [
        *(path for path in (checkout / 'launch').rglob('*') if '__pycache__' not in path.parts),
        *(checkout / 'models' / 'default').glob('*'),
        checkout / 'package.xml',
    ]
    return sorted(str(path.relative_to(checkout)) for path in files if path.is_file())


def underlay() -> dict[str, str]:
    """The environment with ROS 2 and without this package's and pytest's own settings."""
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith('PYTEST')
    }
    environment.setdefault('AMENT_PREFIX_PATH', sys.prefix)
    environment['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), environment['PATH']])
    return environment


def run(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
