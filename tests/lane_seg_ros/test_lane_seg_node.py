"""The node over real topics: masks, headers, overlays, parameters, lifecycle, signals."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('openvino')
pytest.importorskip('onnx')

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from tests.lane_seg_ros.node_process import Client, NodeProcess, road_msg, running_node, values_of
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ros

DEFAULT_MODEL = Path(__file__).resolve().parents[2] / 'models' / 'default' / 'model.yaml'


@pytest.fixture
def node(bundle: Path, tmp_path: Path) -> Iterator[NodeProcess]:
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        yield node


def classes_of(mask: Image) -> list[int]:
    """Class of the middle of each third of the image of `road_msg`."""
    pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
    return [int(pixels[mask.height // 2, mask.width * (2 * i + 1) // 6]) for i in range(3)]


@pytest.mark.parametrize(('height', 'width'), [(48, 64), (37, 51), (1, 9), (240, 320)])
def test_a_mask_has_the_size_and_the_header_of_its_image(
    height: int, width: int, node: NodeProcess, client: Client
) -> None:
    msg = road_msg(3, height=height, width=width, frame_id='front/left')
    mask = client.mask_of(msg)
    assert mask.header == msg.header
    assert (mask.height, mask.width, mask.step) == (height, width, width)
    assert mask.encoding == 'mono8'
    assert classes_of(mask) == [0, 1, 2]


def test_every_header_comes_back_also_over_gaps_and_jumps_in_time(
    node: NodeProcess, client: Client
) -> None:
    client.mask_of(road_msg(frame_id='handshake'))
    sent = []
    for number in [5, 6, 7, 400, 401, 2, 2_000_000, 0, 9]:
        msg = road_msg(number, frame_id=f'camera{number}')
        sent.append(msg.header)
        client.images.publish(msg)
        client.wait_until(
            lambda: client.received.masks[-1].header == sent[-1],
            f'the mask of frame {number}',
        )
    headers = [mask.header for mask in client.received.masks]
    assert [header for header in headers if header.frame_id != 'handshake'] == sent


def test_an_overlay_is_drawn_only_while_somebody_looks(node: NodeProcess, client: Client) -> None:
    client.mask_of(road_msg(1))
    status = client.status_where(lambda values: values['masks_published'] != '0')
    assert values_of(status)['overlays_published'] == '0'

    client.watch_overlays()
    msg = road_msg(2)

    def overlay_came() -> bool:
        client.mask_of(msg)
        client.received.masks.clear()
        return any(overlay.header == msg.header for overlay in client.received.overlays)

    client.wait_until(overlay_came, 'an overlay with the header of its image')
    overlay = client.received.overlays[-1]
    assert (overlay.height, overlay.width, overlay.encoding) == (msg.height, msg.width, 'bgr8')
    assert overlay.data != msg.data

    assert client.set_parameter('publish_overlay', False).successful
    for number in range(1000, 1003):
        client.mask_of(road_msg(number))
    assert all(overlay.header.stamp.sec < 2000 for overlay in client.received.overlays)


def test_camera_info_comes_with_the_header_of_the_mask(node: NodeProcess, client: Client) -> None:
    client.mask_of(road_msg(1))
    info = CameraInfo(
        height=48, width=64, distortion_model='plumb_bob', k=[float(i) for i in range(9)]
    )
    number = 1

    def info_came() -> bool:
        nonlocal number
        number += 1
        client.infos.publish(info)
        client.mask_of(road_msg(number))
        return bool(client.received.camera_infos)

    client.wait_until(info_came, 'a camera info')
    out = client.received.camera_infos[-1]
    assert out.header in [mask.header for mask in client.received.masks]
    assert list(out.k) == list(info.k)
    assert out.distortion_model == 'plumb_bob'

    for number in range(1000, 1003):
        client.mask_of(road_msg(number, height=24, width=32))
    assert all(info.header.stamp.sec < 2000 for info in client.received.camera_infos)
    assert node.log.count('check that both topics are of the same camera') == 1


def test_diagnostics_name_the_engine_and_the_model_that_really_run(
    node: NodeProcess, client: Client
) -> None:
    client.mask_of(road_msg())
    status = client.status_where(lambda values: values['masks_published'] != '0')
    values = values_of(status)
    assert status.name == 'lane_seg_node: pipeline'
    assert (values['state'], values['engine'], values['model']) == ('active', 'openvino', 'tiny')
    assert len(values['model_sha256']) == 12
    assert float(values['inference_ms.p50']) > 0
    assert float(values['latency_ms.p99']) >= float(values['latency_ms.p50']) > 0


def test_diagnostics_warn_of_a_silent_camera(bundle: Path, tmp_path: Path, client: Client) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), stale_after_s=0.3):
        status = client.status_where(
            lambda values: (
                values['state'] == 'active' and float(values['seconds_without_image']) > 0.5
            )
        )
        assert status.level == DiagnosticStatus.WARN
        assert 'no image on /image' in status.message


def test_parameters_change_at_run_time_or_are_refused_with_a_reason(
    node: NodeProcess, client: Client
) -> None:
    client.mask_of(road_msg())
    assert client.set_parameter('overlay_alpha', 0.25).successful
    refused = client.set_parameter('overlay_alpha', 1.5)
    assert not refused.successful
    assert 'out of range' in refused.reason
    refused = client.set_parameter('engine', 'onnxruntime')
    assert not refused.successful
    assert 'deactivate and clean up first' in refused.reason
    refused = client.set_parameter('model', 'other')
    assert not refused.successful
    assert "expected a model bundle 'other'" in refused.reason
    refused = client.set_parameter('autostart', False)
    assert not refused.successful
    assert 'read-only' in refused.reason


def test_the_lifecycle_goes_round_twice_and_an_invalid_transition_harms_nobody(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), autostart=False) as node:
        assert client.state() == 'unconfigured'
        assert not client.change_state(Transition.TRANSITION_ACTIVATE)  # not configured yet
        for number in (1, 2):
            assert client.change_state(Transition.TRANSITION_CONFIGURE)
            assert not client.change_state(Transition.TRANSITION_CONFIGURE)
            assert client.change_state(Transition.TRANSITION_ACTIVATE)
            assert client.state() == 'active'
            client.mask_of(road_msg(number))
            assert client.change_state(Transition.TRANSITION_DEACTIVATE)
            assert client.change_state(Transition.TRANSITION_CLEANUP)
        assert client.state() == 'unconfigured'
        assert 'refused, the node is unconfigured' in node.log
        assert client.change_state(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert client.state() == 'finalized'
        assert node.stop() == 0


def test_a_failed_configure_can_be_mended_without_a_restart(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    gone = str(tmp_path / 'gone')
    with running_node(tmp_path / 'node.log', model=gone, autostart=False) as node:
        assert not client.change_state(Transition.TRANSITION_CONFIGURE)
        assert client.state() == 'unconfigured'
        node.wait_for_log('cannot configure: expected a model bundle')
        assert client.set_parameter('model', str(bundle)).successful
        assert client.change_state(Transition.TRANSITION_CONFIGURE)
        assert client.change_state(Transition.TRANSITION_ACTIVATE)
        client.mask_of(road_msg())


@pytest.mark.parametrize(
    'signals',
    [
        (signal.SIGINT,),
        (signal.SIGTERM,),
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGINT, signal.SIGTERM),
    ],
    ids=lambda signals: '+'.join(number.name for number in signals),
)
def test_a_signal_ends_the_node_in_good_order(
    signals: tuple[signal.Signals, ...], node: NodeProcess, client: Client
) -> None:
    client.mask_of(road_msg())
    for number in range(5):
        client.images.publish(road_msg(number))  # the end comes while it is at work
    assert node.stop(*signals) == 0, node.log
    assert 'Traceback' not in node.log
    assert 'terminate called' not in node.log


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_while_the_model_loads_ends_the_node_in_good_order(
    number: signal.Signals, node: NodeProcess
) -> None:
    node.wait_for_log('malloc')  # the last line before it
    assert node.stop(number) == 0, node.log
    assert 'Traceback' not in node.log


def test_an_incompatible_publisher_is_named_with_the_policy_and_the_remedy(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    client.node.create_publisher(Image, 'image', best_effort)
    with running_node(
        tmp_path / 'node.log', model=str(bundle), input_reliability='reliable'
    ) as node:
        node.wait_for_log('input_reliability:=best_effort')
        assert "a publisher on '/image' offers a RELIABILITY policy" in node.log


def test_an_incompatible_subscriber_is_named_with_the_policy_and_the_remedy(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(
        tmp_path / 'node.log', model=str(bundle), output_reliability='best_effort'
    ) as node:
        node.wait_for_log('output_reliability:=reliable')
        assert "a subscriber of '/lane_seg_node/mask' asks for a RELIABILITY policy" in node.log


@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({'model': '/nowhere/at/all'}, "expected a model bundle '/nowhere/at/all'"),
        ({'engine': 'magic'}, 'engine must be one of: auto'),
        ({'overlay_alpha': 1}, 'overlay_alpha'),
        ({'queue_depth': 0}, 'queue_depth'),
    ],
    ids=lambda value: '' if isinstance(value, str) else next(iter(value)),
)
def test_a_node_that_cannot_start_says_why_and_exits_with_one(
    parameters: dict[str, int | str], message: str, bundle: Path, tmp_path: Path
) -> None:
    with running_node(tmp_path / 'node.log', **{'model': str(bundle), **parameters}) as node:
        assert node.wait() == 1
        assert message in node.log
        assert 'Traceback' not in node.log


def test_an_altered_model_ends_the_start_with_both_hashes(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    with (bundle / 'model.onnx').open('ab') as file:
        file.write(b'!')
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        assert node.wait() == 1
        assert 'model.onnx was altered: expected sha256' in node.log
        assert 'restore it with' in node.log


def test_a_missing_model_file_ends_the_start_with_its_name(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    (bundle / 'model.onnx').unlink()
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        assert node.wait() == 1
        assert f'expected {bundle / "model.onnx"}' in node.log


@pytest.mark.skipif(not DEFAULT_MODEL.is_file(), reason='models/default is not in this checkout')
def test_the_shipped_model_runs(tmp_path: Path, client: Client) -> None:
    with running_node(tmp_path / 'node.log'):
        msg = road_msg(height=360, width=640)
        mask = client.mask_of(msg)
        assert set(np.frombuffer(mask.data, np.uint8)) <= {0, 1, 2, 255}
