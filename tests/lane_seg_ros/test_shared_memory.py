"""Shared memory of dead processes goes, that of living ones stays."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lane_seg_ros.shared_memory import remove_dead_segments

SEGMENT = 'fastrtps_0123456789abcdef'
PORT = 'fastrtps_port7400'

PARTICIPANT = """
import rclpy, signal
rclpy.init()
node = rclpy.create_node('doomed')
print('up', flush=True)
signal.pause()
"""


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b'x')


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_dead_segment_and_a_dead_port_go_with_all_their_files(tmp_path: Path) -> None:
    make(tmp_path, SEGMENT, f'{SEGMENT}_el', PORT, f'{PORT}_el', f'sem.{PORT}_mutex')
    assert remove_dead_segments(tmp_path, minimum_age_s=0) == 2
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize('kind', [fcntl.LOCK_EX, fcntl.LOCK_SH])
@pytest.mark.parametrize('held', [f'{PORT}_el', f'{PORT}_sl'])
def test_a_port_stays_while_any_of_its_locks_is_held(tmp_path: Path, held: str, kind: int) -> None:
    make(tmp_path, PORT, f'{PORT}_el', f'{PORT}_sl', f'sem.{PORT}_mutex')
    with (tmp_path / held).open('rb') as file:
        fcntl.flock(file, kind)
        assert remove_dead_segments(tmp_path, minimum_age_s=0) == 0
        assert len(names_in(tmp_path)) == 4
    assert remove_dead_segments(tmp_path, minimum_age_s=0) == 1


def test_what_was_made_a_moment_ago_stays(tmp_path: Path) -> None:
    make(tmp_path, SEGMENT, f'{SEGMENT}_el')
    assert remove_dead_segments(tmp_path, minimum_age_s=3600) == 0
    an_hour_ago = time.time() - 3601
    os.utime(tmp_path / f'{SEGMENT}_el', (an_hour_ago, an_hour_ago))
    assert remove_dead_segments(tmp_path, minimum_age_s=3600) == 1


def test_files_of_others_and_segments_without_a_lock_file_stay(tmp_path: Path) -> None:
    others = {'fastrtps_port7410', 'fastrtps_nonsense_el', 'other_el', 'sem.mine'}
    make(tmp_path, *others)
    assert remove_dead_segments(tmp_path, minimum_age_s=0) == 0
    assert names_in(tmp_path) == others


def test_a_machine_without_shared_memory_has_nothing_to_remove(tmp_path: Path) -> None:
    assert remove_dead_segments(tmp_path / 'absent') == 0


@pytest.mark.ros
@pytest.mark.skipif(
    importlib.util.find_spec('rclpy') is None or not Path('/dev/shm').is_dir(),
    reason='needs rclpy and /dev/shm',
)
def test_a_killed_participant_leaves_memory_that_can_be_removed() -> None:
    shared = Path('/dev/shm')
    before = names_in(shared)
    with subprocess.Popen(
        [sys.executable, '-c', PARTICIPANT], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == 'up\n'
            locks = {name for name in names_in(shared) - before if name.endswith('_el')}
            if not locks:
                pytest.skip('this middleware uses no Fast DDS shared memory')
            remove_dead_segments(minimum_age_s=0)
            assert locks <= names_in(shared)
        finally:
            process.send_signal(signal.SIGKILL)
    assert locks <= names_in(shared)
    remove_dead_segments(minimum_age_s=0)
    assert not locks & names_in(shared)
