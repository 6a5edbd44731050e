"""The demo: what it draws, scores and concludes, and the whole of it with real processes."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip('rclpy')
pytest.importorskip('rich')
pytest.importorskip('onnx')

from lane_seg.bundle import ClassInfo
from lane_seg.video_writer import new_video
from lane_seg_ros.demo.background_work import BackgroundWork
from lane_seg_ros.demo.pictures import (
    LabelScore,
    OverlayVideo,
    Portrait,
    draw_triptych,
    video_size,
)
from lane_seg_ros.demo.processes import DemoError, NodeProcess, free_domain_id
from lane_seg_ros.demo.report import NodeCounts, frames_of_window
from lane_seg_ros.shared_memory import remove_dead_segments
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'lane_marking', (0, 0, 255)),
    ClassInfo(2, 'pavement', (9, 9, 9)),
    ClassInfo(3, 'road', (0, 160, 0)),
)
FILES = ['frame.png', 'overlay.mp4', 'report.json']

# Scores


@given(
    pair=st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
        lambda hw: st.tuples(
            hnp.arrays(np.uint8, hw, elements=st.sampled_from([0, 1, 2, 3, 255])),
            hnp.arrays(np.uint8, hw, elements=st.sampled_from([0, 1, 2, 255])),
        )
    )
)
def test_the_score_is_intersection_over_union_by_the_names_of_the_classes(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> None:
    mask, label = pair
    score = LabelScore(CLASSES, unlabeled_id=255)
    score.add(mask, label)
    seen = (mask != 255) & (label != 255)
    for item, (mask_id, label_id) in zip(
        score.ious(), {'road': (3, 1), 'lane_marking': (1, 2)}.values(), strict=True
    ):
        predicted, true = (mask == mask_id) & seen, (label == label_id) & seen
        union = int((predicted | true).sum())
        if union:
            assert item.iou == pytest.approx(int((predicted & true).sum()) / union)
        else:
            assert math.isnan(item.iou)


def test_scores_add_up_over_pictures_of_any_size() -> None:
    score = LabelScore(CLASSES, unlabeled_id=255)
    score.add(np.full((10, 10), 3, np.uint8), np.full((10, 10), 1, np.uint8))
    score.add(np.full((30, 10), 3, np.uint8), np.zeros((30, 10), np.uint8))
    assert score.pictures == 2
    assert [item.iou for item in score.ious()][0] == pytest.approx(100 / 400)


# Pictures


def test_the_video_runs_as_fast_as_the_camera_also_over_gaps(tmp_path: Path) -> None:
    path = tmp_path / 'film.mp4'
    period_ns = 10**8
    places = [0, 1, 2, 5, 6, 9]
    with new_video(path, fps=10.0, size_hw=(32, 48)) as writer:
        video = OverlayVideo(writer, rate_hz=10.0, size_hw=(32, 48))
        for place in places:
            jitter_ns = (-1) ** place * period_ns // 5
            picture = np.full((64, 96, 3), 20 * place, np.uint8)
            video.add(picture, stamp_ns=10**18 + place * period_ns + jitter_ns)
    capture = cv2.VideoCapture(str(path))
    levels = []
    while True:
        is_frame, picture = capture.read()
        if not is_frame:
            break
        levels.append(round(float(picture.mean()) / 20))
    assert levels == [0, 1, 2, 2, 2, 5, 6, 6, 6, 9]


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_the_video_is_small_and_of_even_size(height: int, width: int) -> None:
    size_hw = video_size(height, width)
    assert all(side >= 2 and side % 2 == 0 for side in size_hw)
    assert size_hw[1] <= 960


@pytest.mark.parametrize(('height', 'width'), [(720, 1280), (37, 51), (1, 9), (500, 100)])
def test_a_triptych_shows_camera_overlay_and_mask(height: int, width: int) -> None:
    portrait = Portrait(
        camera=np.full((height, width, 3), 77, np.uint8),
        overlay=np.full((height, width, 3), 99, np.uint8),
        mask=np.full((height, width), 3, np.uint8),
        pixels=0,
    )
    picture = draw_triptych(portrait, CLASSES, caption='a caption')
    middle = picture[picture.shape[0] // 4 if height > 20 else 8]
    thirds = [middle[picture.shape[1] * (2 * i + 1) // 6] for i in range(3)]
    assert [third.tolist() for third in thirds] == [[77] * 3, [99] * 3, [0, 160, 0]]


# Where frames were lost


def counts(received: int = 0, dropped: int = 0, refused: int = 0, masks: int = 0) -> NodeCounts:
    return NodeCounts(received, dropped, refused, masks, 'openvino', 2, {})


@given(
    places=st.tuples(*[st.integers(0, 50)] * 4),
    masks=st.integers(1, 500),
)
def test_each_lost_frame_is_found_at_its_place(
    places: tuple[int, int, int, int], masks: int
) -> None:
    on_the_way, mailbox, refused, back = places
    published = masks + back
    frames = frames_of_window(
        camera=published + refused + mailbox + on_the_way,
        masks=masks,
        overlays=0,
        before=counts(100, 10, 1, 89),
        after=counts(
            100 + published + refused + mailbox, 10 + mailbox, 1 + refused, 89 + published
        ),
        masks_received_between=masks,
    )
    assert frames.lost == sum(places)
    found = (frames.camera_to_node, frames.mailbox, frames.refused, frames.node_to_listener)
    assert found == places


@given(
    camera=st.integers(0, 300),
    lost=st.integers(0, 300),
    numbers=st.tuples(*[st.integers(0, 300)] * 4),
)
def test_the_places_always_add_up_to_what_was_lost(
    camera: int, lost: int, numbers: tuple[int, int, int, int]
) -> None:
    dropped, refused, published, received = numbers
    frames = frames_of_window(
        camera=camera,
        masks=camera - min(lost, camera),
        overlays=0,
        before=counts(),
        after=counts(0, dropped, refused, published),
        masks_received_between=received,
    )
    places = (frames.camera_to_node, frames.mailbox, frames.refused, frames.node_to_listener)
    assert min(places) >= 0
    assert sum(places) == frames.lost


# Parts


def test_background_work_is_done_in_order_and_tells_of_its_first_error() -> None:
    done: list[int] = []
    work = BackgroundWork()
    for number in range(50):
        assert work.put(lambda number=number: done.append(number))
    work.finish()
    assert done == list(range(50))

    def fail() -> None:
        raise ValueError('disk full')

    work = BackgroundWork()
    work.put(fail)
    work.put(lambda: done.append(-1))
    with pytest.raises(ValueError, match='disk full'):
        work.finish()
    assert -1 not in done


def test_background_work_refuses_what_it_cannot_hold_and_can_be_abandoned() -> None:
    go_on = threading.Event()
    work = BackgroundWork()
    accepted = 0
    while work.put(lambda: go_on.wait(PATIENCE_S) and None):
        accepted += 1
        assert accepted < 10_000
    go_on.set()
    work.abandon()
    work.abandon()


def test_a_free_domain_is_one_that_nobody_listens_in() -> None:
    import socket

    domain_id = free_domain_id()
    assert 1 <= domain_id <= 100
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as somebody:
        somebody.bind(('', 7400 + 250 * domain_id + 10))
        assert free_domain_id() != domain_id


def test_a_process_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    process = NodeProcess('no_such_module_at_all', {}, log=tmp_path / 'log')
    process.wait(PATIENCE_S)
    with pytest.raises(DemoError, match=r'exit code 1(.|\n)*No module named'):
        process.check()
    assert process.stop() == 1


# The whole demo


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start demos that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*options: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'lane_seg_cli.main',
                'demo',
                '--size',
                '320x180',
                '--rate',
                '15',
                '--output',
            ]
            + [str(tmp_path / 'out'), *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT / 'src'), 'COLUMNS': '200'},
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    # What a test has killed leaves shared memory behind.
    time.sleep(1.1)
    remove_dead_segments()


def children_of(process: subprocess.Popen[str], number: int) -> list[int]:
    """The numbers of the demo's processes, once there are so many that have become Python."""
    tasks = Path(f'/proc/{process.pid}/task')
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        assert process.poll() is None, process.communicate()[0]
        lines = [path.read_text() for path in tasks.glob('*/children')]
        children = [int(word) for line in lines for word in line.split()]
        started = [pid for pid in children if b'lane_seg_ros.' in command_of(pid)]
        if len(started) == number:
            return started
        time.sleep(0.02)
    raise AssertionError('the demo has started no processes')


def command_of(pid: int) -> bytes:
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return b''


def wait_until_gone(pids: list[int]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while any(command_of(pid) for pid in pids):
        assert time.monotonic() < end_s, [command_of(pid) for pid in pids]
        time.sleep(0.02)


@pytest.mark.ros
@pytest.mark.slow
def test_the_demo_writes_video_picture_and_report(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    process = start('--model', bundle, '--seconds', '3', '--seed', '2')
    said, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0, said
    for words in ('frames in', 'masks out', 'latency', 'engine', 'IoU', 'lane marking'):
        assert words in said

    out = tmp_path / 'out'
    assert sorted(path.name for path in out.iterdir()) == FILES
    report = json.loads((out / 'report.json').read_text())
    frames = report['frames']
    assert frames['masks'] > 0
    places = ('camera_to_node', 'mailbox', 'refused', 'node_to_listener')
    assert frames['camera'] - frames['masks'] == frames['lost'] == sum(map(frames.get, places))
    assert report['latency_ms']['count'] == frames['masks']
    assert 0 < report['latency_ms']['p50'] <= report['latency_ms']['p99']
    assert set(report['iou']) == {'road', 'lane_marking'}
    assert report['iou_pictures'] > 0
    assert {'preprocess', 'inference', 'overlay'} <= set(report['node_stages_ms'])
    assert report['model']['name'] == 'tiny'
    assert report['model']['engine'] in ('openvino', 'onnxruntime', 'tensorrt')
    conditions = report['conditions']
    assert (conditions['height'], conditions['width']) == (180, 320)
    assert (conditions['seconds'], conditions['rate_hz'], conditions['seed']) == (3.0, 15.0, 2)
    assert conditions['warm_up_s'] > 0
    assert report['machine']['cpu']
    assert report['versions']['numpy'] == np.__version__

    picture = cv2.imread(str(out / 'frame.png'))
    assert picture is not None and picture.shape[1] > 3 * 640
    capture = cv2.VideoCapture(str(out / 'overlay.mp4'))
    is_frame, frame = capture.read()
    assert is_frame and frame.shape == (180, 320, 3)
    assert 30 <= capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 46


@pytest.mark.ros
@pytest.mark.slow
def test_a_single_image_is_enough_and_has_no_iou(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    picture = tmp_path / 'my road: "best" one.png'
    assert cv2.imwrite(str(picture), np.full((60, 80, 3), 200, np.uint8))
    process = start('--model', bundle, '--seconds', '1', '--input', picture, '--size', '80x60')
    said, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0, said
    assert 'no labels' in said
    report = json.loads((tmp_path / 'out' / 'report.json').read_text())
    assert report['iou'] is None
    assert report['conditions']['input'] == picture.name


@pytest.mark.ros
@pytest.mark.parametrize(
    ('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_a_demo_that_is_ended_leaves_nothing_running_and_no_files(
    start: Callable[..., subprocess.Popen[str]],
    bundle: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    process = start('--model', bundle, '--seconds', '600')
    children = children_of(process, 2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, said
    assert 'Traceback' not in said
    wait_until_gone(children)
    assert not any((tmp_path / 'out' / name).exists() for name in FILES)
    if number != signal.SIGKILL:
        assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.ros
def test_the_last_words_of_a_node_that_dies_are_shown(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    process = start('--model', bundle, '--seconds', '600')
    children = children_of(process, 2)
    node = next(pid for pid in children if b'lane_seg_node' in command_of(pid))
    os.kill(node, signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert 'lane_seg_ros.lane_seg_node has ended with exit code -9' in said
    assert 'Traceback' not in said
    wait_until_gone(children)
    assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--input', '/nowhere/at/all'], 'there is no /nowhere/at/all'),
        (['--seconds', '0'], '1 to 3600'),
        (['--rate', '1000'], '1 to 240'),
        (['--threads', '-1'], '0 to 256'),
        (['--model', '/nowhere/at/all'], '/nowhere/at/all'),
        (['--output', '/dev/null/demo'], '/dev/null/demo'),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    start: Callable[..., subprocess.Popen[str]], options: list[str], words: str
) -> None:
    process = start(*options)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert words in said
    assert 'Traceback' not in said


def test_an_altered_model_is_refused_with_the_bundles_own_message(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    altered = make_tiny_bundle(tmp_path / 'altered')
    with (altered / 'model.onnx').open('ab') as file:
        file.write(b'one byte more')
    process = start('--model', altered)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert 'sha256' in said
    assert 'Traceback' not in said


def test_help_needs_no_ros_and_without_ros_the_demo_says_what_to_install() -> None:
    command = (
        'import sys, importlib.util as util\n'
        'find = util.find_spec\n'
        "util.find_spec = lambda name: None if name == 'rclpy' else find(name)\n"
        "sys.modules['rclpy'] = None\n"
        'from lane_seg_cli.main import main\n'
        'sys.exit(main(sys.argv[1:]))\n'
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT / 'src')}
    for option, code, words in (('--help', 0, 'usage'), ('--seconds=1', 1, "'lane_seg_ros[ros]'")):
        done = subprocess.run(
            [sys.executable, '-c', command, 'demo', option],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == code, done.stderr
        assert words in done.stdout + done.stderr
