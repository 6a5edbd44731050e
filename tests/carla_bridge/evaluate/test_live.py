"""The live evaluation of a real node, with our own camera and with the real CARLA client."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import cv2
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('onnx')

from lane_seg_ros.demo.processes import ChildProcess, NodeProcess
from lane_seg_ros.shared_memory import remove_dead_segments
from tests.carla_bridge.servers import environment, running_server
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 90.0
FILES = {'report.json', 'report.html', 'evaluation.png'}
OWN = ('--image', '/image', '--label', '/label')

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@contextmanager
def running(process: ChildProcess) -> Iterator[ChildProcess]:
    try:
        yield process
    finally:
        process.stop()
        remove_dead_segments()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / 'tiny')


def node(tiny: Path, log: Path, image: str = 'image') -> NodeProcess:
    return NodeProcess(
        'lane_seg_ros.lane_seg_node',
        {'model': str(tiny), 'diagnostics_period_s': 0.2, 'threads': 1},
        log=log,
        remappings={'image': image, 'camera_info': image.replace('image', 'camera_info')},
    )


def camera(log: Path, **parameters: float) -> NodeProcess:
    size = {'height': 90, 'width': 160, 'rate_hz': 10.0}
    return NodeProcess('lane_seg_ros.camera_player', {**size, **parameters}, log=log)


def start_evaluation(output: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-m', 'carla_bridge.command', 'evaluate', '--output', str(output)]
        + ['--patience', '60', *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment(), 'COLUMNS': '200'},
    )


def said_by(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=PATIENCE_S)[0]
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_a_node_is_evaluated_and_fails_an_iou_that_it_does_not_reach(
    tmp_path: Path, tiny: Path
) -> None:
    output = tmp_path / 'out'
    with running(node(tiny, tmp_path / 'node.log')), running(camera(tmp_path / 'camera.log')):
        limits = ('--min-iou', 'road=0', 'lane_marking=0.999')
        process = start_evaluation(output, *OWN, '--seconds', '4', *limits)
        said = said_by(process)
    assert process.returncode == 1, said
    assert 'expected an IoU of lane_marking of 0.999, found 0.' in said
    assert 'IoU of road' not in said

    assert {path.name for path in output.iterdir()} == FILES
    report = json.loads((output / 'report.json').read_text())
    assert report['label_coding'] == 'classes'
    assert report['camera_hw'] == report['mask_hw'] == report['label_hw'] == [90, 160]
    frames = report['frames']
    assert frames['masks'] > 0 and frames['somewhere'] == 0
    places = ('camera_to_node', 'mailbox', 'refused', 'node_to_listener')
    assert frames['camera'] - frames['masks'] == frames['lost'] == sum(map(frames.get, places))
    assert 0 < report['latency_ms']['p50'] <= report['latency_ms']['max']
    assert report['latency_ms']['p50'] < report['age_ms']['p99']
    assert 0 < report['iou']['road'] < 1
    assert report['pixels_by_label_and_mask']['road']['road'] > 0
    assert cv2.imread(str(output / 'evaluation.png')) is not None
    page = (output / 'report.html').read_text()
    assert 'best of' in page and len(re.findall('data:image/jpeg', page)) == 3


def test_ctrl_c_ends_the_measuring_and_loses_nothing(tmp_path: Path, tiny: Path) -> None:
    output = tmp_path / 'out'
    with running(node(tiny, tmp_path / 'node.log')), running(camera(tmp_path / 'camera.log')):
        options = ('--seconds', '0', '--no-pictures', '--label-coding', 'classes')
        process = start_evaluation(output, *OWN, *options)
        assert process.stdout is not None
        line = process.stdout.readline()  # how it goes, after five seconds
        process.send_signal(signal.SIGINT)
        said = line + said_by(process)
    assert process.returncode == 0, said
    assert '5 s: frames' in line
    report = json.loads((output / 'report.json').read_text())
    assert report['frames']['masks'] > 0 and report['iou_frames'] > 0
    assert 'data:image/jpeg' not in (output / 'report.html').read_text()


def test_a_camera_picture_as_label_is_refused_in_words(tmp_path: Path, tiny: Path) -> None:
    with running(node(tiny, tmp_path / 'node.log')), running(camera(tmp_path / 'camera.log')):
        process = start_evaluation(tmp_path / 'out', '--image', '/image', '--label', '/image')
        said = said_by(process)
    assert process.returncode == 1, said
    assert 'expected a semantic image on /image' in said
    assert 'not in the palette' in said
    assert 'Traceback' not in said


@pytest.mark.carla
def test_the_whole_chain_with_the_real_carla_client(tmp_path: Path, tiny: Path) -> None:
    pytest.importorskip('carla')
    output = tmp_path / 'out'
    image = '/carla/ego_vehicle/rgb_front/image'
    with ExitStack() as stack:
        stack.enter_context(running(node(tiny, tmp_path / 'node.log', image)))
        server = stack.enter_context(running_server('--map', 'Town_ring'))
        client = stack.enter_context(
            running(
                ChildProcess(
                    'carla_bridge.command',
                    ['publish', '--port', str(server.port), '--size', '320x180']
                    + ['--driver', 'follower', '--fixed-delta', '0.1'],
                    log=tmp_path / 'client.log',
                )
            )
        )
        process = start_evaluation(output, '--seconds', '4')
        while process.poll() is None:
            client.check()
            time.sleep(0.1)
        said = said_by(process)
    assert process.returncode == 0, said
    report = json.loads((output / 'report.json').read_text())
    # ros-bridge's colours, told by the pixels.
    assert report['label_coding'] == 'palette'
    assert report['camera_hw'] == report['mask_hw'] == report['label_hw'] == [180, 320]
    assert report['iou_frames'] > 0
    truth = report['pixels_by_label_and_mask']
    assert sum(truth['road'].values()) > sum(truth['lane_marking'].values()) > 0
    # The tiny model knows grey from bright and nothing else; that is enough for some road.
    assert report['iou']['road'] > 0.1
    assert 'arrows, stop lines and crosswalks' in said
    assert set(FILES) == {path.name for path in output.iterdir()}
