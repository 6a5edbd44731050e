"""The demo: its parts, and the whole of it with real processes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('rich')
pytest.importorskip('onnx')

from lane_seg_ros.demo import command
from lane_seg_ros.demo.processes import DemoError, NodeProcess, free_domain_id
from lane_seg_ros.shared_memory import remove_dead_segments
from tests.carla_bridge.servers import environment
from tests.small_disk import small_disk
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
FILES = ['frame.png', 'overlay.mp4', 'report.html', 'report.json']

# Parts


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


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        'import pathlib, sys, time\n'
        'from lane_seg_ros.demo.processes import ChildProcess\n'
        "child = ChildProcess('http.server', ['0'], log=pathlib.Path(sys.argv[1]))\n"
        'print(child.pid, flush=True)\n'
        'time.sleep(600)\n'
    )
    parent = subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path / 'log')],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    end_s = time.monotonic() + PATIENCE_S
    while b'http.server' not in command_of(child).partition(b'-m')[2]:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    parent.kill()
    parent.communicate()
    wait_until_gone([child])


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(options)


def test_without_the_carla_client_the_built_in_road_is_shown_and_the_reason_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rich.console import Console

    monkeypatch.setattr(command, 'carla_missing', lambda: 'carla')
    console = Console(record=True, width=200)
    request = command._request(parsed(), console)
    assert (request.input, request.rate_hz, request.seconds) == ('scene', 30.0, 10.0)
    assert "carla is not installed here: pip install 'lane_seg_ros[carla]'" in (
        console.export_text()
    )
    asked = parsed('--input', 'mini_carla', '--output', str(tmp_path))
    with pytest.raises(DemoError, match=r'finds no carla: pip install .*--input scene'):
        command._check(command._request(asked, console), asked)


def test_scenes_take_towns_and_weathers_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from lane_seg_ros.demo.sources import MiniCarlaSource

    monkeypatch.setattr(command, 'carla_missing', lambda: '')
    asked = parsed('--town', 'A', 'B', '--weather', 'Rain', 'Fog', 'Sun')
    source = MiniCarlaSource(command._request(asked, Console()))
    assert source.scenes == ('A, Rain', 'B, Fog', 'A, Sun')


# The whole demo


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
            env={**environment(), 'COLUMNS': '200'},
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
        ours = (b'lane_seg_ros.', b'carla_bridge.')
        started = [pid for pid in children if any(name in command_of(pid) for name in ours)]
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
    process = start('--model', bundle, '--seconds', '3', '--seed', '2', '--input', 'scene')
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
    assert report['iou_frames'] > 0
    assert report['label_coding'] == 'classes'
    assert report['world'] == 'camera'
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
    page = (out / 'report.html').read_text()
    assert page.count('data:image/jpeg') == 3 and 'mini_carla' not in page


@pytest.mark.ros
@pytest.mark.carla
@pytest.mark.slow
def test_the_demo_drives_through_towns_of_mini_carla_and_says_that_it_is_not_carla(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip('carla')
    towns = ('--town', 'Town_ring', 'Town_highway', '--weather', 'ClearNoon')
    process = start('--model', bundle, '--seconds', '4', *towns, '--input', 'mini_carla')
    said, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 0, said
    assert 'it is not CARLA' in said and 'NOT CARLA' in said

    out = tmp_path / 'out'
    assert sorted(path.name for path in out.iterdir()) == FILES
    report = json.loads((out / 'report.json').read_text())
    assert report['world'] == 'mini_carla, a stand-in and not CARLA'
    assert report['label_coding'] == 'tags-0.9.14'
    assert list(report['scenes']) == ['Town_ring, ClearNoon', 'Town_highway, ClearNoon']
    frames = [scene['frames'] for scene in report['scenes'].values()]
    assert all(scene['masks'] > 0 for scene in frames)
    assert sum(scene['camera'] for scene in frames) == report['frames']['camera']
    assert report['conditions']['seconds'] == 4.0
    assert 0 < report['iou']['road'] <= 1
    # Simulated time: it may be slower than real time, and is never faster.
    assert 0 < report['real_time_factor'] < 1.1
    page = (out / 'report.html').read_text()
    assert 'it is not CARLA' in page and 'Town_highway, ClearNoon' in page
    capture = cv2.VideoCapture(str(out / 'overlay.mp4'))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) >= 0.8 * report['frames']['overlays']


@pytest.mark.ros
@pytest.mark.carla
def test_a_town_that_mini_carla_does_not_have_ends_the_demo_with_the_servers_own_words(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip('carla')
    process = start('--model', bundle, '--town', 'Atlantis', '--input', 'mini_carla')
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, said
    assert "found 'Atlantis'" in said
    assert 'Traceback' not in said
    assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.ros
@pytest.mark.slow
def test_a_full_disk_ends_the_demo_in_plain_words(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / 'disk') as disk:
        options = ('--seconds', '20', '--input', 'scene', '--output', disk)
        process = start('--model', bundle, *options)
        said, _ = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == 1, said
        assert 'the disk was full after' in said
        assert 'Traceback' not in said
        assert list(disk.iterdir()) == []


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
    ('number', 'code', 'world', 'children'),
    [
        (signal.SIGINT, 130, 'scene', 2),
        (signal.SIGTERM, 130, 'mini_carla', 2),
        (signal.SIGINT, 130, 'mini_carla', 3),
        (signal.SIGKILL, -9, 'mini_carla', 3),
    ],
)
def test_a_demo_that_is_ended_leaves_nothing_running_and_no_files(
    start: Callable[..., subprocess.Popen[str]],
    bundle: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    world: str,
    children: int,
) -> None:
    if world == 'mini_carla':
        pytest.importorskip('carla')
    process = start('--model', bundle, '--seconds', '600', '--input', world)
    started = children_of(process, children)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, said
    assert 'Traceback' not in said
    wait_until_gone(started)
    assert not any((tmp_path / 'out' / name).exists() for name in FILES)
    if number != signal.SIGKILL:
        assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.ros
def test_the_last_words_of_a_node_that_dies_are_shown(
    start: Callable[..., subprocess.Popen[str]], bundle: Path, tmp_path: Path
) -> None:
    process = start('--model', bundle, '--seconds', '600', '--input', 'scene')
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
        (['--rate', '1000', '--input', 'scene'], '1 to 240'),
        (['--rate', '5', '--input', 'mini_carla'], '10 to 240'),
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
    for option, code, words in (('--help', 0, 'usage'), ('--seconds=1', 1, "'lane_seg_ros[ros]'")):
        done = subprocess.run(
            [sys.executable, '-c', command, 'demo', option],
            capture_output=True,
            text=True,
            env=environment(),
        )
        assert done.returncode == code, done.stderr
        assert words in done.stdout + done.stderr
