"""The doctor beside real publishers in processes of their own, each broken in its way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')

from lane_seg_ros.doctor.fastdds import segments_in
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.middleware import NO_TUNING_VARIABLE, PROFILE_PATH
from tests.lane_seg_ros.doctor.observed import the
from tests.lane_seg_ros.node_process import running_node
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ros

SCRIPT = Path(__file__).with_name('broken_cameras.py')
PATIENCE_S = 60.0
ATTEMPTS = 4
# What the machine's own settings might be must not decide what is found.
PLAIN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(('FASTRTPS', 'FASTDDS', 'RMW_')) and name != NO_TUNING_VARIABLE
}
# A namespace of mounts in which /dev/shm is another one: what a container without --ipc=host has.
OWN_SHARED_MEMORY = (
    'unshare', '--map-root-user', '--mount', 'sh', '-c',
    'mount -t tmpfs tmpfs /dev/shm && exec "$@"', 'sh',
)  # fmt: skip


def environment(**settings: str) -> dict[str, str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {
        **PLAIN,
        **{name: value for name, value in os.environ.items() if name.startswith('ROS_')},
        'PYTHONPATH': path,
        **settings,
    }


@contextlib.contextmanager
def cameras(mode: str, *prefix: str, **settings: str) -> Iterator[None]:
    """Broken cameras in a process that is ended by its id, come what may."""
    process = subprocess.Popen(
        [*prefix, sys.executable, str(SCRIPT), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**settings),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == 'ready\n', process.communicate()[1]
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@dataclass(frozen=True)
class Visit:
    """What the doctor said."""

    code: int
    text: str
    findings: tuple[Finding, ...]

    def of(self, topic: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.where.startswith(topic)]


def doctor(folder: Path, *options: str) -> Visit:
    report = folder / 'doctor.json'
    words = [sys.executable, '-m', 'lane_seg_cli.main', 'doctor', '--json', str(report), *options]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=2 * PATIENCE_S, env=environment()
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ''
    findings = json.loads(report.read_text())['findings']
    return Visit(done.returncode, done.stdout, tuple(Finding(**found) for found in findings))


def can_have_own_shared_memory() -> bool:
    try:
        return not subprocess.run([*OWN_SHARED_MEMORY, 'true'], capture_output=True).returncode
    except OSError:
        return False


def segments_of(pid: int) -> set[str]:
    """Without the ports, which participants share."""
    return {s.name for s in segments_in() if s.owner == pid and not s.is_port}


@pytest.fixture(scope='module')
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """One look at everything that can be wrong at the same time."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(cameras('faults'))
        stack.enter_context(cameras('silent'))
        stack.enter_context(cameras('large_by_default'))
        stack.enter_context(
            cameras('large_with_profile', FASTRTPS_DEFAULT_PROFILES_FILE=str(PROFILE_PATH))
        )
        if can_have_own_shared_memory():
            stack.enter_context(cameras('elsewhere', *OWN_SHARED_MEMORY))
        return doctor(tmp_path_factory.mktemp('doctor'), '--all', '--seconds', '5')


@pytest.mark.parametrize(
    ('topic', 'code', 'evidence'),
    [
        ('/carla/hero/front', 'k-carla-native', 'which is fov 60'),
        ('/carla/hero/front', 'frame-native', "frame_id 'front'"),
        ('/carla/hero/semantic', 'semantic-tags', '24 (RoadLines since 0.9.14)'),
        ('/carla/ego/semantic', 'semantic-palette', '100.00% of 0.9.14'),
        ('/without_frame', 'frame-empty', ''),
        ('/without_stamp', 'stamp-zero', 'stamps are 0'),
        ('/jumping', 'stamp-backward', 'at worst by'),
        ('/mixed_up', 'info-frame', "of the camera_info 'another'"),
        ('/mixed_up', 'info-stamps', '0 of '),
        ('/depth', 'image-encoding', '32FC1'),
        ('/best_effort', 'qos-reliability', 'offered best_effort, asked for reliable'),
        # On a loaded machine more topics are silent than are asked over UDP as well.
        ('/silent', 'publisher-silent', '0 images in'),
    ],
)
def test_each_fault_is_named_with_its_evidence(
    visit: Visit, topic: str, code: str, evidence: str
) -> None:
    found = the(visit.of(topic), code)
    assert evidence in found.evidence
    assert f'{found.severity} {code} {found.where}: {found.what}' in visit.text


def test_errors_make_the_exit_code_1(visit: Visit) -> None:
    assert visit.code == 1


def test_the_publisher_that_must_load_the_profile_is_told_by_its_segment(visit: Visit) -> None:
    by_default = {f.code: f for f in visit.of('/large_by_default')}
    found = [by_default[c] for c in ('loss', 'few-images', 'segment-small') if c in by_default]
    assert found, by_default
    assert str(PROFILE_PATH) in found[0].fix
    assert 'segment' in found[0].evidence


def test_with_the_profile_the_same_images_need_no_advice(visit: Visit) -> None:
    codes = {f.code for f in visit.of('/large_with_profile')}
    assert not codes & {'segment-small', 'few-images'}
    assert not any(str(PROFILE_PATH) in f.fix for f in visit.of('/large_with_profile'))


def test_a_publisher_with_another_shared_memory_is_proven_by_udp(visit: Visit) -> None:
    if not can_have_own_shared_memory():
        pytest.skip('this user may not make a namespace of mounts (unshare --mount)')
    found = the(visit.of('/elsewhere'), 'shared-memory-silent')
    assert 'has another /dev/shm than this one' in found.evidence
    assert '0 images in 5.0 s' in found.evidence
    assert 'FASTDDS_BUILTIN_TRANSPORTS=UDPv4' in found.fix


def test_a_paused_simulator_is_told_from_a_silent_camera(tmp_path: Path) -> None:
    with cameras('paused'):
        visit = doctor(tmp_path, '--image', '/paused/image', '--seconds', '3')
    assert visit.code == 1
    assert '/clock stands at 12.000 s' in the(visit.findings, 'simulator-paused').evidence


def test_a_camera_on_which_nothing_is_wrong_is_exit_code_0(tmp_path: Path) -> None:
    with cameras('well'):
        visit = doctor(tmp_path, '--seconds', '3')
    assert visit.code == 0, visit.text
    assert the(visit.findings, 'rate').where == '/well/image'
    assert 'rate' not in visit.text  # only --all shows what is well
    assert '\n0 errors, ' in visit.text


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_no_shared_memory(number: signal.Signals) -> None:
    words = [sys.executable, '-m', 'lane_seg_cli.main', 'doctor', '--seconds', '60']
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        end_s = time.monotonic() + PATIENCE_S
        while not (mine := segments_of(process.pid)):
            assert time.monotonic() < end_s
            assert process.poll() is None
            time.sleep(0.05)
        # From the segment to the handler of the signal it is a moment.
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, '', 'interrupted\n')
    assert not mine & {segment.name for segment in segments_in()}


def test_the_node_is_quoted_and_its_own_topics_are_left_alone(tmp_path: Path) -> None:
    bundle = str(make_tiny_bundle(tmp_path / 'tiny'))
    settings = {'publish_mask_color': True, 'stale_after_s': 0.2}
    with cameras('well'), running_node(tmp_path / 'log', model=bundle, **settings):
        # A loaded machine may need longer until both have found each other.
        for _ in range(ATTEMPTS):
            visit = doctor(tmp_path, '--all', '--seconds', '3')
            if any(f.code == 'rate' for f in visit.findings):
                break
    assert {f.where for f in visit.findings if f.code == 'rate'} == {'/well/image'}
    assert 'no image on /image' in the(visit.findings, 'node').what


def test_masks_of_a_node_with_several_cameras_are_no_cameras(tmp_path: Path) -> None:
    bundle = str(make_tiny_bundle(tmp_path / 'tiny'))
    with running_node(tmp_path / 'log', model=bundle, cameras=['front', 'rear']):
        for _ in range(ATTEMPTS):
            visit = doctor(tmp_path, '--all', '--seconds', '3')
            if any(f.code.startswith('node') for f in visit.findings):
                break
    assert the(visit.findings, 'no-images').where == 'graph'


def test_an_empty_graph_is_exit_code_1_and_says_where_it_looked(tmp_path: Path) -> None:
    visit = doctor(tmp_path, '--seconds', '1')
    assert visit.code == 1
    assert (
        f'ROS_DOMAIN_ID {os.environ["ROS_DOMAIN_ID"]}' in the(visit.findings, 'no-images').evidence
    )
