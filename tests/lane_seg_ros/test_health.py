"""`lane-seg health`: the judgement, and what the process does over real topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import QoSProfile, ReliabilityPolicy

from lane_seg_cli.main import main
from lane_seg_ros.health import judge, statuses_in
from tests.lane_seg_ros.node_process import Client, running_node
from tests.tiny_bundle import make_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]
OURS = [KeyValue(key='model_sha256', value='0123')]


def report(*levels: bytes, node: str = 'lane_seg_node') -> DiagnosticArray:
    """A report with one status per level."""
    return DiagnosticArray(
        status=[
            DiagnosticStatus(level=level, name=f'{node}: camera{number}', values=OURS)
            for number, level in enumerate(levels)
        ]
    )


def health_of(*levels: bytes) -> bool:
    statuses = statuses_in(report(*levels), 'lane_seg_node')
    return judge(statuses, node='lane_seg_node', timeout_s=5.0).healthy


def test_the_worst_camera_decides() -> None:
    assert health_of(DiagnosticStatus.OK, DiagnosticStatus.WARN)
    assert not health_of(DiagnosticStatus.OK, DiagnosticStatus.ERROR)
    assert not health_of(DiagnosticStatus.STALE)


def test_silence_is_not_well_and_says_what_to_look_at() -> None:
    health = judge((), node='lane_seg_node', timeout_s=2.5)
    assert not health.healthy
    assert 'no report of lane_seg_node on /diagnostics within 2.5 s' in health.text
    assert 'ROS_DOMAIN_ID' in health.text


def test_the_text_is_one_line_with_all_messages() -> None:
    msg = report(DiagnosticStatus.OK, DiagnosticStatus.ERROR, node='front/lane_seg_node')
    msg.status[1].message = 'the engine\nfailed'
    health = judge(statuses_in(msg, 'lane_seg_node'), node='lane_seg_node', timeout_s=5.0)
    assert health.text == (
        '/front/lane_seg_node camera0: OK, ; '
        '/front/lane_seg_node camera1: ERROR, the engine failed'
    )


@pytest.mark.parametrize(
    ('node', 'found'),
    [
        ('lane_seg_node', 1),
        ('/front/lane_seg_node', 1),
        ('/lane_seg_node', 0),
        ('front/lane_seg_node', 0),
        ('other', 0),
    ],
)
def test_a_name_with_a_slash_is_full_and_one_without_fits_any_namespace(
    node: str, found: int
) -> None:
    msg = report(DiagnosticStatus.OK, node='front/lane_seg_node')
    assert len(statuses_in(msg, node)) == found


def test_statuses_of_others_do_not_count() -> None:
    msg = report(DiagnosticStatus.ERROR)
    msg.status[0].values = []
    assert statuses_in(msg, 'lane_seg_node') == ()


@pytest.mark.parametrize('seconds', ['0', 'soon', '-1', 'nan', '1e9'])
def test_a_timeout_that_is_none_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    assert main(['health', '--timeout', seconds]) == 2
    assert 'expected 0.5 to 600 seconds' in capsys.readouterr().err


def start_health(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-m', 'lane_seg_cli.main', 'health', *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src')},
    )


@pytest.mark.ros
def test_a_running_node_is_well_and_a_program_can_read_it(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    with running_node(tmp_path / 'node.log', model=str(bundle)):
        process = start_health('--json', '--timeout', '30')
        said, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
        content = json.loads(said)
        assert content['healthy'] is True
        assert [status['node'] for status in content['statuses']] == ['/lane_seg_node']
        assert {status['part'] for status in content['statuses']} == {'pipeline'}


@pytest.mark.ros
@pytest.mark.parametrize(
    'reliability', [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT]
)
def test_reliable_and_best_effort_reports_are_heard(
    client: Client, reliability: ReliabilityPolicy
) -> None:
    qos = QoSProfile(depth=1, reliability=reliability)
    publisher = client.node.create_publisher(DiagnosticArray, '/diagnostics', qos)
    process = start_health('--timeout', '30')
    while process.poll() is None:
        publisher.publish(report(DiagnosticStatus.ERROR))
        time.sleep(0.05)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert said == '/lane_seg_node camera0: ERROR, \n'


@pytest.mark.ros
def test_sigterm_ends_it_and_leaves_no_shared_memory() -> None:
    def segments() -> set[str]:
        return {path.name for path in Path('/dev/shm').glob('fastrtps_????????????????')}

    def is_mine(name: str) -> bool:
        return name in Path(f'/proc/{process.pid}/maps').read_text(encoding='utf-8')

    process = start_health('--timeout', '60', '--node', 'nobody')
    end_s = time.monotonic() + 30
    mine: set[str] = set()
    while not mine:
        assert time.monotonic() < end_s
        time.sleep(0.05)
        mine = {name for name in segments() if is_mine(name)}
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint == 'interrupted\n'
    assert not mine & segments()
