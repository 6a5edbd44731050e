"""Segments of Fast DDS and the processes behind its identities."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lane_seg_ros.doctor.fastdds import process_of, segments_in
from tests.lane_seg_ros.doctor.observed import CYCLONE_GID, OTHER_HOST_GID, OWN_GID

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = 'fastrtps_0123456789abcdef'

# Has Fast DDS loaded, and the lock of a segment.
PARTICIPANT = """
import fcntl, sys
import rclpy
rclpy.init()
file = open(sys.argv[1], 'wb')
fcntl.flock(file, fcntl.LOCK_EX)
"""


def gid_of_process(pid: int) -> bytes:
    return OWN_GID[:4] + (pid & 0xFFFF).to_bytes(2, 'little') + OWN_GID[6:]


def test_a_held_lock_names_the_owner_and_a_free_one_a_dead_segment(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(5000))
    (tmp_path / 'fastrtps_port7400').write_bytes(bytes(60))
    (tmp_path / 'fastrtps_port7400_sl').touch()
    lock = tmp_path / f'{NAME}_el'
    with lock.open('wb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held, port = segments_in(tmp_path)
    assert (held.name, held.size_bytes, held.owner) == (NAME, 5000, os.getpid())
    assert not held.is_dead
    assert not held.is_port
    assert port.is_port
    assert port.is_dead
    assert {segment.is_dead for segment in segments_in(tmp_path)} == {True}


def test_looking_leaves_every_file_where_it_is_and_unlocked(tmp_path: Path) -> None:
    for name in (NAME, f'{NAME}_el', 'fastrtps_port7400_sl', 'unrelated'):
        (tmp_path / name).touch()
    before = sorted(path.name for path in tmp_path.iterdir())
    segments_in(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    with (tmp_path / f'{NAME}_el').open('rb') as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_the_folder_there_are_no_segments(tmp_path: Path) -> None:
    assert segments_in(tmp_path / 'gone') == ()


@contextlib.contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run code that prints a line when it is ready and then waits; its end is seen to."""
    started = subprocess.Popen(
        [sys.executable, '-c', f'{code}\nprint("ready", flush=True)\nsys.stdin.read()']
        + [str(argument) for argument in arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == 'ready\n'
        yield started
    finally:
        started.communicate()


def skip_if_ambiguous(pid: int) -> None:
    pids = {int(path.name) for path in Path('/proc').iterdir() if path.name.isdigit()}
    if {other for other in pids if (other ^ pid) & 0xFFFF == 0} != {pid}:
        pytest.skip('another process has the same low bits: the identity is ambiguous')


def test_an_identity_leads_to_its_process(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(5000))
    with process(PARTICIPANT, tmp_path / f'{NAME}_el') as other:
        found = process_of(
            gid_of_process(other.pid), own_gid=OWN_GID, segments=segments_in(tmp_path)
        )
        skip_if_ambiguous(other.pid)
        assert found is not None
        assert (found.pid, found.uid) == (other.pid, os.getuid())
        assert found.segments_bytes == (5000,)
        assert found.same_shared_memory is True


def test_a_number_that_another_container_uses_as_well_leads_nowhere() -> None:
    assert process_of(gid_of_process(os.getpid()), own_gid=OWN_GID, segments=()) is None
    with process('import sys') as other:
        assert process_of(gid_of_process(other.pid), own_gid=OWN_GID, segments=()) is None


@pytest.mark.parametrize('gid', [OTHER_HOST_GID, CYCLONE_GID, b'', bytes(16)])
def test_identities_from_elsewhere_lead_nowhere(gid: bytes) -> None:
    assert process_of(gid, own_gid=OWN_GID, segments=()) is None
