"""Segments of Fast DDS and the processes behind its identities."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from lane_seg_ros.doctor.fastdds import process_of, segments_in
from tests.lane_seg_ros.doctor.observed import CYCLONE_GID, OTHER_HOST_GID, OWN_GID

NAME = 'fastrtps_0123456789abcdef'


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


def test_an_identity_leads_to_its_process(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(5000))
    with (tmp_path / f'{NAME}_el').open('wb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = process_of(
            gid_of_process(os.getpid()), own_gid=OWN_GID, segments=segments_in(tmp_path)
        )
    pids = {int(path.name) for path in Path('/proc').iterdir() if path.name.isdigit()}
    if {pid for pid in pids if (pid ^ os.getpid()) & 0xFFFF == 0} != {os.getpid()}:
        pytest.skip('another process has the same low bits: the identity is ambiguous')
    assert found is not None
    assert (found.pid, found.uid) == (os.getpid(), os.getuid())
    assert found.segments_bytes == (5000,)
    assert found.same_shared_memory is True


@pytest.mark.parametrize('gid', [OTHER_HOST_GID, CYCLONE_GID, b'', bytes(16)])
def test_identities_from_elsewhere_lead_nowhere(gid: bytes) -> None:
    assert process_of(gid, own_gid=OWN_GID, segments=()) is None
