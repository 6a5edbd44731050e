"""Files that are no Python are found wherever the package was installed to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lane_seg.share import share_folders

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / 'src' / 'lane_seg' / 'share.py'


def found_from(packages: Path, **environment: str) -> list[Path]:
    """The share folders of a module that is installed in `packages`, in a process of its own."""
    copy = packages / 'lane_seg' / 'share.py'
    copy.parent.mkdir(parents=True)
    shutil.copy(MODULE, copy)
    program = f'import runpy; print(*runpy.run_path({str(copy)!r})["share_folders"](), sep="\\n")'
    said = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'AMENT_PREFIX_PATH': '', **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in said.stdout.splitlines()]


def test_a_checkout_is_its_own_share_folder() -> None:
    assert share_folders()[0] == ROOT
    assert (share_folders()[0] / 'models' / 'default' / 'model.yaml').is_file()


@pytest.mark.parametrize(
    'packages',
    [
        'lib/python3.12/site-packages',  # a virtual environment, --user, colcon
        'lib/python3.12/dist-packages',  # /usr/local on Debian and Ubuntu
    ],
)
def test_the_prefix_of_the_code_comes_first(tmp_path: Path, packages: str) -> None:
    found = found_from(tmp_path / packages, AMENT_PREFIX_PATH='/opt/ros/jazzy')
    assert found[0] == tmp_path / 'share' / 'lane_seg_ros'
    assert found[-2:] == [
        Path('/opt/ros/jazzy/share/lane_seg_ros'),
        Path(sys.prefix) / 'share' / 'lane_seg_ros',
    ]


def test_a_folder_given_by_target_is_found(tmp_path: Path) -> None:
    assert tmp_path / 'share' / 'lane_seg_ros' in found_from(tmp_path)


def test_no_folder_is_listed_twice(tmp_path: Path) -> None:
    found = found_from(tmp_path / 'lib/python3.12/site-packages', AMENT_PREFIX_PATH=str(tmp_path))
    assert found.count(tmp_path / 'share' / 'lane_seg_ros') == 1
