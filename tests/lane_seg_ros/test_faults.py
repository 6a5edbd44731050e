"""What must not stop the node: fuzzed messages, killed processes, full memory, any signal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy')
pytest.importorskip('openvino')

from lifecycle_msgs.msg import Transition
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

from lane_seg.errors import ImageError, ImageErrorCause
from lane_seg_ros.doctor.fastdds import segments_in
from lane_seg_ros.image_messages import SUPPORTED_ENCODINGS
from lane_seg_ros.pictures import picture_from, stamp_of
from tests.lane_seg_ros.node_process import Client, NodeProcess, road_msg, running_node, values_of

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
# What `SIGTERM` may take, plus what a loaded machine needs to give the process its turn.
_END_S = 2.0


SIZES = st.integers(0, 70) | st.integers(0, 2**32 - 1)
FUZZED = st.builds(
    Image,
    height=SIZES,
    width=SIZES,
    encoding=st.sampled_from(SUPPORTED_ENCODINGS) | st.text(st.characters(codec='ascii')),
    is_bigendian=st.integers(0, 255),
    step=SIZES,
    data=st.binary(max_size=300) | st.integers(0, 20_000).map(bytes),
)


def damaged(msg: Image, flips: list[tuple[int, int]], cut: int) -> bytes:
    """The message as bytes, some of them changed and the end cut off."""
    buffer = bytearray(serialize_message(msg))
    for place, value in flips:
        buffer[place % len(buffer)] = value
    return bytes(buffer[: len(buffer) - cut])


FLIPS = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4)


@pytest.mark.slow
def test_ten_thousand_fuzzed_images_crash_nothing() -> None:
    fed = 0

    @settings(max_examples=10_000, suppress_health_check=list(HealthCheck), database=None)
    @given(FUZZED, FLIPS, st.integers(0, 12), st.booleans())
    def feed(msg: Image, flips: list[tuple[int, int]], cut: int, as_bytes: bool) -> None:
        nonlocal fed
        fed += 1
        read(damaged(msg, flips, cut) if as_bytes else msg)

    feed()
    assert fed >= 10_000


def read(payload: bytes | Image) -> None:
    """Read an image, every byte of it: a view beyond the end of its buffer would crash here."""
    try:
        stamp_of(payload)
        picture = picture_from(payload)
    except ImageError as error:
        assert error.cause in get_args(ImageErrorCause)
    else:
        assert (picture.image.dtype, picture.image.ndim) == (np.uint8, 3)
        picture.image.sum()


def test_damaged_images_leak_nothing() -> None:
    rng = np.random.default_rng(0)
    usage = []
    for number in range(6000):
        msg = road_msg(number, height=96, width=128)
        msg.encoding = SUPPORTED_ENCODINGS[number % len(SUPPORTED_ENCODINGS)]
        flips = [(int(rng.integers(0, 80)), int(rng.integers(256))) for _ in range(number % 3)]
        read(damaged(msg, flips, int(rng.integers(0, 2)) * 9))
        if number % 3000 == 2999:
            usage.append(resident_kib(os.getpid()))
    assert usage[1] - usage[0] < 3000, usage


def resident_kib(process: int) -> int:
    """Memory of a process."""
    fields = Path(f'/proc/{process}/status').read_text(encoding='ascii')
    return int(fields.partition('VmRSS:')[2].split()[0])


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(['jpeg', 'png', '', 'rgb8; jpeg compressed bgr8']))
def test_any_compressed_bytes_give_an_image_or_a_clear_error(data: bytes, fmt: str) -> None:
    start = {'jpeg': b'\xff\xd8', 'png': b'\x89PNG\r\n\x1a\n'}.get(fmt, b'')
    try:
        picture_from(CompressedImage(format=fmt, data=start + data))
    except ImageError as error:
        assert error.cause == 'compressed'


def test_a_node_outlives_damaged_messages_on_the_wire(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    rng = np.random.default_rng(1)
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        client.mask_of(road_msg(0))
        for number in range(300):
            flips = [(int(rng.integers(0, 80)), int(rng.integers(256))) for _ in range(4)]
            client.images.publish(damaged(road_msg(number), flips, int(rng.integers(0, 40))))
            client.executor.spin_once(timeout_sec=0.002)
        good = road_msg(7, frame_id='after the storm')
        assert client.mask_of(good).header == good.header
        status = client.status_where(lambda values: int(values['bad_images']) > 0)
        assert values_of(status)['inference_errors'] == '0'
        assert node.stop() == 0
        assert 'Traceback' not in node.log


def test_a_camera_that_is_killed_and_comes_back_is_seen_again(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    def start_camera() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, '-m', 'lane_seg_ros.camera_player', '--ros-args']
            + ['-p', 'height:=48', '-p', 'width:=64', '-p', 'rate_hz:=30.0'],
            env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    with running_node(tmp_path / 'node.log', model=str(bundle), stale_after_s=0.5):
        for _ in range(2):
            camera = start_camera()
            try:
                client.received.masks.clear()
                client.wait_until(lambda: len(client.received.masks) > 3, 'masks of the camera')
            finally:
                camera.kill()
                camera.wait()
            status = client.status_where(lambda values: float(values['seconds_without_image']) > 1)
            assert 'no image on /image' in status.message


def test_a_killed_node_leaves_no_shared_memory_behind_once_another_has_started(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'first.log', model=str(bundle)) as node:
        client.mask_of(road_msg(0))
        # By the owner, because other tests come and go beside this one.
        left = {
            one.name for one in segments_in() if one.owner == node.process.pid and not one.is_port
        }
        node.process.kill()
        node.process.wait()
    assert left, 'a participant has a segment'
    time.sleep(1.1)  # what is younger than a second is left alone
    with running_node(tmp_path / 'second.log', model=str(bundle)):
        client.mask_of(road_msg(1))
        assert not left & {one.name for one in segments_in()}


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which('unshare') is None,
    reason='needs root and unshare for a /dev/shm of its own',
)
def test_a_full_shared_memory_is_named_and_does_not_kill_the_node(
    bundle: Path, tmp_path: Path
) -> None:
    script = (
        'mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77; '
        f'exec {sys.executable} -m lane_seg_ros.lane_seg_node --ros-args -p model:={bundle}'
    )
    log = tmp_path / 'node.log'
    with log.open('wb') as output:
        process = subprocess.Popen(
            ['unshare', '--mount', 'sh', '-c', script],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
        )
    try:
        end_s = time.monotonic() + 30
        while '-> /lane_seg_node/mask' not in log.read_text() and process.poll() is None:
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(0.05)
        if process.poll() == 77:
            pytest.skip('mounting is not allowed here')
        assert process.poll() is None, log.read_text()
        assert '/dev/shm has' in log.read_text()
        assert 'over UDP instead of shared memory' in log.read_text()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, log.read_text()


@pytest.mark.parametrize('phase', ['unconfigured', 'inactive', 'active', 'switching'])
def test_sigterm_ends_the_node_in_any_state(
    phase: str, bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), autostart=False) as node:
        assert client.state() == 'unconfigured'
        if phase != 'unconfigured':
            assert client.change_state(Transition.TRANSITION_CONFIGURE)
        if phase in ('active', 'switching'):
            assert client.change_state(Transition.TRANSITION_ACTIVATE)
            client.mask_of(road_msg(0))
        if phase == 'switching':
            assert client.set_parameter('model', 'default').successful
        _assert_ends_in_time(node)


def _assert_ends_in_time(node: NodeProcess) -> None:
    client_s = time.monotonic()
    assert node.stop() == 0, node.log
    # On a machine whose cores are all taken the process itself may have to wait.
    slack_s = 4.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert time.monotonic() - client_s < _END_S + slack_s
    assert 'Traceback' not in node.log
    assert 'terminate called' not in node.log


def test_repeated_activation_and_configuration_do_not_grow(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), autostart=False) as node:
        usage = []
        for _ in range(24):
            assert client.change_state(Transition.TRANSITION_CONFIGURE)
            for _ in range(2):
                assert client.change_state(Transition.TRANSITION_ACTIVATE)
                assert client.change_state(Transition.TRANSITION_DEACTIVATE)
            assert client.change_state(Transition.TRANSITION_CLEANUP)
            usage.append(resident_kib(node.process.pid))
        # The first rounds fill pools of OpenVINO and Fast DDS.
        assert usage[-1] - usage[8] < 16_000, usage
