"""The camera player: which frames, when, and over real topics."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.errors import LaneSegError
from lane_seg_ros import camera_player
from lane_seg_ros.camera_frames import (
    CameraFrame,
    FrameFeeder,
    FrameRequest,
    Pace,
    RateReport,
    frames_of,
)
from lane_seg_ros.demo.processes import NodeProcess
from lane_seg_scene import RoadScene
from tests.lane_seg_ros.node_process import PATIENCE_S, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three images of 48 x 64, of one grey level each."""
    folder = tmp_path / "Tom's drive: day 1"
    folder.mkdir()
    for number in range(3):
        image = np.full((48, 64, 3), 50 * number, np.uint8)
        assert cv2.imwrite(str(folder / f'{number}.png'), image)
    return folder


def levels_of(frames: Iterator[CameraFrame]) -> list[int]:
    return [int(frame.image[0, 0, 0]) for frame in frames]


def test_the_scene_comes_with_its_labels_and_is_the_same_every_time() -> None:
    request = FrameRequest(height=48, width=64, rate_hz=10.0, seed=5, count=3)
    scene = RoadScene(5, height=48, width=64)
    frames = list(frames_of(request))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        expected = scene.frame(number / 10.0)
        assert np.array_equal(frame.image, expected.image)
        assert frame.label is not None
        assert np.array_equal(frame.label, expected.label)


def test_a_folder_is_played_once_or_again_and_again(pictures: Path) -> None:
    assert levels_of(frames_of(FrameRequest(input=str(pictures)))) == [0, 50, 100]
    looped = frames_of(FrameRequest(input=str(pictures), loop=True, count=7))
    assert levels_of(looped) == [0, 50, 100, 0, 50, 100, 0]


def test_images_keep_their_size_unless_one_is_asked_for(pictures: Path) -> None:
    kept = next(frames_of(FrameRequest(input=str(pictures))))
    scaled = next(frames_of(FrameRequest(input=str(pictures), height=30, width=90)))
    assert kept.image.shape == (48, 64, 3)
    assert scaled.image.shape == (30, 90, 3)


@pytest.mark.parametrize('name', ['nowhere', 'empty', 'text.mp4'])
def test_an_input_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.mp4').write_text('this is no video')
    with pytest.raises(LaneSegError, match=name):
        next(frames_of(FrameRequest(input=str(tmp_path / name))))


def test_half_a_size_is_refused(pictures: Path) -> None:
    with pytest.raises(LaneSegError, match='both'):
        next(frames_of(FrameRequest(input=str(pictures), height=48)))


def test_the_feeder_hands_over_every_frame_in_order_and_then_ends() -> None:
    frames = [CameraFrame(np.full((1, 1, 3), level, np.uint8)) for level in range(20)]
    taken = []
    with FrameFeeder(frames) as feeder:
        while not feeder.ended:
            if (frame := feeder.get(PATIENCE_S)) is not None:
                taken.append(frame)
    assert taken == frames


def test_the_feeder_is_one_ahead_and_stops_when_nobody_wants_more() -> None:
    made = 0
    two_made = threading.Event()

    def endless() -> Iterator[CameraFrame]:
        nonlocal made
        while True:
            made += 1
            if made == 2:
                two_made.set()
            yield CameraFrame(np.zeros((1, 1, 3), np.uint8))

    with FrameFeeder(endless()) as feeder:
        # One waits in the queue, the next one is ready to follow it.
        assert two_made.wait(PATIENCE_S)
        assert feeder.get(PATIENCE_S) is not None
    assert made <= 4


def test_the_feeder_raises_what_the_source_raised_after_the_frames_before_it() -> None:
    def broken() -> Iterator[CameraFrame]:
        yield CameraFrame(np.zeros((1, 1, 3), np.uint8))
        raise LaneSegError('the disk is on fire')

    with FrameFeeder(broken()) as feeder:
        assert feeder.get(PATIENCE_S) is not None
        with pytest.raises(LaneSegError, match='on fire'):
            feeder.get(PATIENCE_S)
        assert feeder.ended


@given(
    rate_hz=st.floats(0.1, 240.0),
    delays=st.lists(st.floats(0.0, 0.99), min_size=1, max_size=300),
)
def test_frames_that_are_late_by_less_than_a_period_do_not_shift_the_grid(
    rate_hz: float, delays: list[float]
) -> None:
    pace = Pace(rate_hz)
    now_s = 1000.0
    first_s = pace.due_s(now_s)
    for number, delay in enumerate(delays, start=1):
        # Asked for at the moment at which the frame before it went out.
        due_s = pace.due_s(now_s)
        assert due_s == pytest.approx(first_s + number / rate_hz)
        now_s = due_s + delay / rate_hz


def test_after_a_long_delay_there_is_no_burst() -> None:
    pace = Pace(10.0)
    pace.due_s(0.0)
    assert pace.due_s(5.0) == 5.0
    assert pace.due_s(5.0) == pytest.approx(5.1)


def test_a_rate_that_is_not_reached_is_said_once_in_ten_seconds() -> None:
    slow, fast = RateReport(30.0), RateReport(30.0)
    said = [text for frame in range(401) if (text := slow.count(frame / 20.0))]
    assert len(said) == 2
    assert '20.0 frames per second instead of 30' in said[0]
    assert not any(fast.count(frame / 29.5) for frame in range(1000))


def test_a_damaged_file_of_a_folder_is_left_out_and_named_once(pictures: Path) -> None:
    (pictures / '1.png').write_bytes(b'no picture')
    warnings: list[str] = []
    request = FrameRequest(input=str(pictures), loop=True, count=6)
    assert levels_of(frames_of(request, warn=warnings.append)) == [0, 100] * 3
    assert len(warnings) == 1
    assert '1.png' in warnings[0]


def test_a_size_is_written_as_width_x_height_and_read_as_height_width() -> None:
    assert camera_player.parse_size('1280x720') == (720, 1280)
    for text in ('1280', '1280x', 'x720', '0x720', '12.5x4', '-1x4', 'axb', '1x2x3'):
        with pytest.raises(argparse.ArgumentTypeError, match='1280x720'):
            camera_player.parse_size(text)


def test_without_ros_the_command_says_what_to_install() -> None:
    code = (
        'import sys\n'
        'class Block:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        "        if name == 'rclpy': raise ModuleNotFoundError(name)\n"
        'import importlib.util as util\n'
        'find = util.find_spec\n'
        "util.find_spec = lambda name: None if name == 'rclpy' else find(name)\n"
        'sys.meta_path.insert(0, Block())\n'
        'from lane_seg_ros.camera_player import main\n'
        'sys.exit(main([]))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )
    assert done.returncode == 1
    assert "pip install 'lane_seg_ros[ros]'" in done.stderr
    assert 'Traceback' not in done.stderr


class Listener(Client):
    """Everything that the camera player says."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Image] = []
        self.labels: list[Image] = []
        self.camera_infos: list[CameraInfo] = []
        qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
        for kind, topic, messages in (
            (Image, 'image', self.pictures),
            (Image, 'label', self.labels),
            (CameraInfo, 'camera_info', self.camera_infos),
        ):
            self.node.create_subscription(kind, topic, messages.append, qos)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start camera players that end with the test."""
    started: list[NodeProcess] = []

    def start_one(**parameters: bool | int | float | str) -> NodeProcess:
        log = tmp_path / f'camera{len(started)}.log'
        started.append(NodeProcess('lane_seg_ros.camera_player', parameters, log=log))
        return started[-1]

    yield start_one
    for process in started:
        process.stop()


@pytest.mark.ros
def test_image_camera_info_and_label_of_a_frame_have_one_header(
    start: Callable[..., NodeProcess], listener: Listener
) -> None:
    player = start(
        height=48, width=64, rate_hz=40, seed=3, frame_id='front/left', wait_for_subscribers=1
    )
    listener.wait_until(
        lambda: min(len(listener.pictures), len(listener.labels)) >= 10, 'ten frames'
    )
    player.stop()

    scene = RoadScene(3, height=48, width=64)
    stamps = [(msg.header.stamp.sec, msg.header.stamp.nanosec) for msg in listener.pictures]
    assert stamps == sorted(set(stamps))
    labels = {str(msg.header): msg for msg in listener.labels}
    infos = {str(msg.header): msg for msg in listener.camera_infos}
    complete = [
        (number, msg)
        for number, msg in enumerate(listener.pictures)
        if str(msg.header) in labels and str(msg.header) in infos
    ]
    assert len(complete) >= 5
    for number, msg in complete:
        label, info = labels[str(msg.header)], infos[str(msg.header)]
        truth = scene.frame(number / 40.0)
        assert msg.header.frame_id == 'front/left'
        assert (msg.height, msg.width, msg.encoding) == (48, 64, 'bgr8')
        assert bytes(msg.data) == truth.image.tobytes()
        assert (label.encoding, bytes(label.data)) == ('mono8', truth.label.tobytes())
        assert (info.height, info.width, info.distortion_model) == (48, 64, 'plumb_bob')
        assert list(info.k) == pytest.approx(list(scene.camera_matrix.ravel()))


@pytest.mark.ros
def test_no_frame_is_lost_on_those_it_waits_for(
    start: Callable[..., NodeProcess], listener: Listener, pictures: Path
) -> None:
    player = start(input=str(pictures), rate_hz=20.0, wait_for_subscribers=1, fov_deg=90)
    listener.wait_until(lambda: len(listener.pictures) == 3, 'all three images')
    assert player.wait(PATIENCE_S) == 0
    assert [msg.data[0] for msg in listener.pictures] == [0, 50, 100]
    assert listener.labels == []
    info = listener.camera_infos[-1]
    assert info.k[0] == pytest.approx(info.width / 2)  # a field of view of 90 degrees
    assert 'ended after 3 frames' in player.tail()


@pytest.mark.ros
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('waiting', [True, False])
def test_a_signal_ends_it_cleanly(
    start: Callable[..., NodeProcess], listener: Listener, number: signal.Signals, waiting: bool
) -> None:
    player = start(height=48, width=64, wait_for_subscribers=100 if waiting else 0)
    if waiting:
        listener.wait_until(lambda: listener.node.count_publishers('label') == 1, 'the camera')
    else:
        listener.wait_until(lambda: bool(listener.pictures), 'a frame')
    os.kill(player.pid, number)
    assert player.wait(PATIENCE_S) == 0
    assert 'Traceback' not in player.tail()


@pytest.mark.ros
@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({'input': '/nowhere/at/all'}, '/nowhere/at/all'),
        ({'rate_hz': 0.0}, 'rate_hz'),
        ({'rate_hz': 1000}, 'rate_hz'),
        ({'rate_hz': 'fast'}, 'rate_hz'),
        ({'height': 5, 'width': 5}, 'road scene'),
        ({'seed': -1}, 'seed'),
    ],
)
def test_what_cannot_be_played_is_said_in_plain_words(
    start: Callable[..., NodeProcess], parameters: dict[str, int | float | str], message: str
) -> None:
    player = start(**parameters)
    assert player.wait(PATIENCE_S) == 1
    assert message in player.tail()
    assert 'Traceback' not in player.tail()
