"""Whatever is killed, the same command goes on: nothing is lost and nothing comes twice."""

from __future__ import annotations

import importlib.util
import os
import resource
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.carla_bridge.collect.collecting import (
    check_whole,
    is_alive,
    lines_of,
    started,
    until,
    write_plan,
)
from tests.carla_bridge.collect.test_collect import left_in
from tests.carla_bridge.servers import Server, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.carla,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server() as shared:
        yield shared


def test_kill_9_of_the_recording_process_and_of_its_supervisor(
    server: Server, tmp_path: Path
) -> None:
    plan, folder = write_plan(tmp_path, frames=40), tmp_path / 'recording'
    with started(plan, folder, server.port) as collection:
        collection.wait_for_frames(5)
        first = collection.child()
        os.kill(first, signal.SIGKILL)
        collection.wait_for_frames(12)
        second = collection.child()
        assert second != first
        os.kill(collection.process.pid, signal.SIGKILL)
        _, _, stderr = collection.end()
        assert 'starting anew' in stderr
        assert 'SIGKILL' in stderr
        until(lambda: not is_alive(second), 30.0)
    before = lines_of(folder)
    assert 12 <= len(before) < 40
    with started(plan, folder, server.port) as collection:
        code, stdout, stderr = collection.end()
    assert code == 0, stderr
    assert f'{len(before)} of 40 frames are there already' in stderr
    records = check_whole(folder)
    assert records[: len(before)] == before
    assert f'{40 - len(before)} of them new' in stdout
    assert left_in(server) == {'synchronous': False, 'actors': []}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_with_whole_frames_and_the_way_to_go_on(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    plan, folder = write_plan(tmp_path, frames=1000), tmp_path / 'recording'
    with started(plan, folder, server.port) as collection:
        collection.wait_for_frames(3)
        collection.process.send_signal(number)
        code, _, stderr = collection.end()
    assert code == 128 + number
    assert f'carla-bridge collect {plan} --output {folder}' in stderr
    assert 3 <= len(check_whole(folder, complete=False)) < 1000
    assert left_in(server) == {'synchronous': False, 'actors': []}


@pytest.mark.slow
def test_a_server_that_crashes_is_waited_for_if_asked(tmp_path: Path) -> None:
    plan, folder = write_plan(tmp_path), tmp_path / 'recording'
    with running_server() as lost, started(plan, folder, lost.port) as collection:
        collection.wait_for_frames(4)
        lost.process.kill()
        code, _, stderr = collection.end()
        assert code == 1
        assert '--wait-for-server' in stderr
        assert f'carla-bridge collect {plan} --output {folder}' in stderr
    with started(plan, folder, lost.port, '--wait-for-server', '120') as collection:
        with running_server('--port', str(lost.port)) as again:
            collection.wait_for_frames(10)
            again.process.kill()
            again.process.wait()
        with running_server('--port', str(lost.port)):
            code, _, stderr = collection.end()
    assert code == 0, stderr
    assert 'waiting for a server' in stderr
    check_whole(folder)


@pytest.mark.slow
def test_a_process_that_hangs_is_replaced(server: Server, tmp_path: Path) -> None:
    plan, folder = write_plan(tmp_path), tmp_path / 'recording'
    with started(plan, folder, server.port, '--watchdog', '6') as collection:
        collection.wait_for_frames(4)
        os.kill(collection.child(), signal.SIGSTOP)
        code, _, stderr = collection.end()
    assert code == 0, stderr
    assert 'no sign of life for 6 s' in stderr
    check_whole(folder)


def test_no_more_room_ends_it_with_whole_frames(server: Server, tmp_path: Path) -> None:
    plan, folder = write_plan(tmp_path), tmp_path / 'recording'

    def limit_files() -> None:
        # The manifest grows beyond this, as it would beyond the end of the disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    with started(plan, folder, server.port, preexec=limit_files) as collection:
        code, _, stderr = collection.end()
    assert code == 1
    assert 'expected room for another frame' in stderr
    assert f'carla-bridge collect {plan} --output {folder}' in stderr
    assert 0 < len(check_whole(folder, complete=False)) < 30
    with started(plan, folder, server.port) as collection:
        code, _, stderr = collection.end()
    assert code == 0, stderr
    check_whole(folder)


def test_a_process_that_fails_each_time_is_not_started_for_ever(tmp_path: Path) -> None:
    plan, folder = write_plan(tmp_path, towns=['Town_nowhere']), tmp_path / 'recording'
    with running_server() as server, started(plan, folder, server.port) as collection:
        code, _, stderr = collection.end()
        assert code == 1
        assert 'Town_nowhere' in stderr
        assert 'Town_ring' in stderr
    with started(plan, folder, server.port) as collection:
        code, _, stderr = collection.end()
    assert code == 1
    assert 'expected a CARLA server' in stderr
