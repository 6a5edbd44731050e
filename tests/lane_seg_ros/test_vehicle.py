"""In a vehicle: the node comes up by itself in any order, and says loudly what it lacks."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')
pytest.importorskip('onnxruntime')

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rosgraph_msgs.msg import Clock

from tests.lane_seg_ros.failing_bundles import fragile_bundle, hanging_bundle
from tests.lane_seg_ros.node_process import (
    PATIENCE_S,
    Client,
    NodeProcess,
    dark_msg,
    road_msg,
    running_node,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ros

RETRY_S = 0.3


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE_S)

    def told(self) -> list[str]:
        """The lines of the next message."""
        return self.socket.recv(4096).decode().split('\n')


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    path = tmp_path / 'notify'
    manager = Manager(path)
    monkeypatch.setenv('NOTIFY_SOCKET', str(path))
    yield manager
    manager.socket.close()


def health(*words: str) -> subprocess.CompletedProcess[str]:
    """What `lane-seg health` says of the node."""
    return subprocess.run(
        [sys.executable, '-m', 'lane_seg_cli.main', 'health', '--timeout', '20', *words],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    )


def test_a_camera_that_comes_later_than_the_node_is_taken_up(bundle: Path, tmp_path: Path) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), stale_after_s=0.2) as node:
        node.wait_for_log('-> /lane_seg_node/mask')
        time.sleep(0.5)
        done = health()
        assert done.returncode == 0, done.stdout
        assert 'WARN' in done.stdout
        assert 'nobody publishes it' in done.stdout
        camera = Client()
        try:
            assert camera.mask_of(road_msg()).height == 48
            assert health().returncode == 0
        finally:
            camera.close()


def test_a_model_that_comes_later_is_loaded_and_until_then_its_absence_is_an_error(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    place = tmp_path / 'later'
    with running_node(tmp_path / 'node.log', model=str(place), autostart_retry_s=RETRY_S) as node:
        status = client.status_where(lambda values: values['state'] == 'unconfigured')
        assert status.level == DiagnosticStatus.ERROR
        assert status.message.startswith('cannot configure: ')
        assert str(place) in status.message
        done = health()
        assert done.returncode == 1
        assert 'ERROR, cannot configure' in done.stdout

        # Half a copy is refused as well: its sha256 is another.
        place.mkdir()
        shutil.copy(bundle / 'model.yaml', place)
        (place / 'model.onnx').write_bytes((bundle / 'model.onnx').read_bytes()[:-9])
        client.wait_until(lambda: 'sha256' in node.log, 'the half copy to be refused')
        assert node.process.poll() is None

        shutil.copy(bundle / 'model.onnx', place)
        assert client.mask_of(road_msg()).height == 48
        status = client.status_where(lambda values: values['state'] == 'active')
        assert 'cannot' not in status.message
        assert f'trying again in {RETRY_S:g} s (autostart_retry_s)' in node.log
        assert 'started again' in node.log


@pytest.mark.skipif(Path('/dev/nvidiactl').exists(), reason='needs a machine without a GPU')
def test_an_engine_that_refuses_is_asked_again(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(
        tmp_path / 'node.log', model=str(bundle), engine='tensorrt', autostart_retry_s=RETRY_S
    ) as node:
        status = client.status_where(lambda values: values['state'] == 'unconfigured')
        assert status.level == DiagnosticStatus.ERROR
        assert 'engine tensorrt' in status.message
        assert client.set_parameter('engine', 'onnxruntime').successful
        client.mask_of(road_msg())
        assert 'runs on onnxruntime' in node.log


def test_without_a_retry_a_start_that_fails_ends_the_process(tmp_path: Path) -> None:
    with running_node(tmp_path / 'node.log', model=str(tmp_path / 'nowhere')) as node:
        assert node.wait() == 1
        assert 'cannot configure' in node.log


def test_a_node_that_was_deactivated_on_purpose_stays_so(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), autostart_retry_s=RETRY_S) as node:
        client.mask_of(road_msg())
        assert client.change_state(4)  # deactivate
        time.sleep(4 * RETRY_S)
        assert client.state() == 'inactive'
        assert 'trying again' not in node.log


def test_an_engine_that_failed_is_opened_anew(tmp_path: Path, client: Client) -> None:
    model = fragile_bundle(tmp_path / 'fragile')
    with running_node(
        tmp_path / 'node.log',
        model=str(model),
        engine='onnxruntime',
        max_engine_failures=2,
        autostart_retry_s=RETRY_S,
    ) as node:
        for number in range(2):
            client.mask_of(dark_msg(10 * number))
            fail(node, client, f'restarted {number}')
        client.mask_of(dark_msg(90))
        assert node.log.count('started again') == 2
        assert node.process.poll() is None


def fail(node: NodeProcess, client: Client, what: str) -> None:
    """Send bright images until the engine has failed too often, and wait for the restart."""
    count = node.log.count('trying again in')

    def failed() -> bool:
        client.images.publish(road_msg(500))
        return node.log.count('trying again in') > count

    client.wait_until(failed, what)


def test_an_engine_that_fails_again_and_again_ends_the_process(
    tmp_path: Path, client: Client
) -> None:
    model = fragile_bundle(tmp_path / 'fragile')
    with running_node(
        tmp_path / 'node.log',
        model=str(model),
        engine='onnxruntime',
        max_engine_failures=1,
        autostart_retry_s=0.1,
    ) as node:

        def ended() -> bool:
            client.images.publish(road_msg(500))
            return node.process.poll() is not None

        client.wait_until(ended, 'the end of the process')
        assert node.process.returncode == 1
        assert 'the engine was restarted 3 times and gave no mask' in node.log


def test_the_watchdog_is_fed_without_a_camera_and_not_while_the_engine_hangs(
    tmp_path: Path, client: Client, manager: Manager
) -> None:
    model = hanging_bundle(tmp_path / 'hanging')
    with running_node(tmp_path / 'node.log', model=str(model), engine='onnxruntime') as node:
        first = manager.told()
        assert 'READY=1' in first
        assert '-> /lane_seg_node/mask' in node.log
        assert 'WATCHDOG=1' in first
        assert 'WATCHDOG=1' in manager.told()

        def hangs() -> bool:
            client.images.publish(road_msg(500))
            return 'WATCHDOG=1' not in manager.told()

        client.wait_until(hangs, 'a message that does not feed the watchdog')
        lines = manager.told()
        assert 'WATCHDOG=1' not in lines
        assert lines[0].startswith('STATUS=the inference thread has ended or hangs')
        assert health().returncode == 1

        assert node.stop() == 0
        assert 'restart the node' in node.log
        last = lines
        while last[0].startswith('STATUS'):
            last = manager.told()
        assert last == ['STOPPING=1']


def test_a_node_that_is_to_recover_ends_when_its_engine_hangs(
    tmp_path: Path, client: Client
) -> None:
    model = hanging_bundle(tmp_path / 'hanging')
    with running_node(
        tmp_path / 'node.log', model=str(model), engine='onnxruntime', autostart_retry_s=RETRY_S
    ) as node:

        def ended() -> bool:
            client.images.publish(road_msg(500))
            return node.process.poll() is not None

        client.wait_until(ended, 'the end of the process')
        assert node.process.returncode == 1, node.log
        assert 'hangs in the engine: the process ends' in node.log


def test_a_killed_node_that_is_started_again_publishes_again(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    command = [sys.executable, '-m', 'lane_seg_ros.lane_seg_node']
    command += ['--ros-args', '-p', f'model:={bundle}']
    supervisor = subprocess.Popen(
        ['bash', '-c', f'until {shlex.join(command)}; do sleep 0.2; done'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    )
    try:
        client.mask_of(road_msg(0))
        first = child_of(supervisor.pid)
        os.kill(first, signal.SIGKILL)
        client.wait_until(lambda: child_of(supervisor.pid) not in (0, first), 'a second node')
        client.received.masks.clear()
        client.mask_of(road_msg(1))
    finally:
        node = child_of(supervisor.pid)
        if node:
            os.kill(node, signal.SIGTERM)
        assert supervisor.wait(PATIENCE_S) == 0


def child_of(parent: int) -> int:
    """The process that was started by another and is a node; 0 while there is none."""
    path = Path(f'/proc/{parent}/task/{parent}/children')
    for child in path.read_text(encoding='ascii').split():
        if b'lane_seg_node' in Path(f'/proc/{child}/cmdline').read_bytes():
            return int(child)
    return 0


def test_a_clock_that_jumps_by_years_stops_nothing(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    # A board without a battery starts in the past until NTP or GNSS tells the time. Of this
    # process alone, so by /clock: the node asks the same clock object.
    clock = client.node.create_publisher(Clock, '/clock', 10)

    def set_clock(sec: int) -> None:
        def is_set() -> bool:
            clock.publish(Clock(clock=Time(sec=sec)))
            stamps = [mask.header.stamp.sec for mask in client.received.masks]
            client.images.publish(stamped(sec))
            return sec in stamps

        client.received.masks.clear()
        client.wait_until(is_set, f'a mask at {sec}')

    with running_node(
        tmp_path / 'node.log', model=str(bundle), use_sim_time=True, max_age_ms=500.0
    ) as node:
        set_clock(1_000)
        set_clock(1_800_000_000)
        # What was stamped before the jump is too old by years, and is dropped and counted.
        before = client.status_where(lambda values: True)
        stale = int(values_of(before)['frames_dropped.stale'])

        def is_dropped() -> bool:
            client.images.publish(stamped(1_000))
            return any(
                int(values_of(status)['frames_dropped.stale']) > stale
                for status in client.received.statuses
            )

        client.wait_until(is_dropped, 'an image from before the jump to be dropped')
        set_clock(2_000)
        assert node.stop() == 0
        assert 'Traceback' not in node.log


def stamped(sec: int) -> object:
    """A road image of that second."""
    msg = road_msg()
    msg.header.stamp = Time(sec=sec)
    return msg
