"""What happens to a running node: several cameras, sleepers, other models, failing engines."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from onnx import numpy_helper

pytest.importorskip('rclpy')
pytest.importorskip('openvino')

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float64MultiArray, Header

from tests.lane_seg_ros.failing_bundles import fragile_bundle
from tests.lane_seg_ros.node_process import Client, dark_msg, road_msg, running_node
from tests.tiny_bundle import make_tiny_bundle, tiny_graph, tiny_spec, write_bundle

pytestmark = pytest.mark.ros


def all_road_bundle(directory: Path) -> Path:
    """A model of which everything is road."""
    model = tiny_graph(64, 128)
    for constant in model.graph.initializer:
        level = np.float32(0 if constant.name == 'road_from' else 999)
        constant.CopyFrom(numpy_helper.from_array(level, constant.name))
    return write_bundle(directory, model, name='all_road')


def ids_of(mask: Image) -> set[int]:
    return set(np.frombuffer(mask.data, np.uint8).tolist())


def test_two_cameras_share_an_engine_and_keep_their_topics_and_counts(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    received: dict[str, list[Image]] = {'front': [], 'rear': []}
    publishers = {}
    for name, masks in received.items():
        topic = f'/lane_seg_node/{name}/mask'
        client.node.create_subscription(Image, topic, masks.append, 10)
        publishers[name] = client.node.create_publisher(Image, f'/{name}/image', 10)
    with running_node(tmp_path / 'node.log', model=str(bundle), cameras=['front', 'rear']):
        number = 0

        def both_came() -> bool:
            nonlocal number
            number += 1
            publishers['front'].publish(road_msg(number, frame_id='front'))
            publishers['rear'].publish(road_msg(number, height=24, width=96, frame_id='rear'))
            return all(received.values())

        client.wait_until(both_came, 'a mask of each camera')
        for name, masks in received.items():
            assert {mask.header.frame_id for mask in masks} == {name}
        assert (received['rear'][0].height, received['rear'][0].width) == (24, 96)
        client.received.statuses.clear()
        client.wait_until(
            lambda: (
                {status.name for status in client.received.statuses}
                == {'lane_seg_node: front', 'lane_seg_node: rear'}
            ),
            'a status of each camera',
        )


@pytest.mark.parametrize('output', ['overlay', 'bundle/mask'])
def test_a_lazy_node_subscribes_only_while_somebody_listens(
    bundle: Path, tmp_path: Path, client: Client, output: str
) -> None:
    listener = client.node.create_subscription(Image, f'/lane_seg_node/{output}', id, 10)
    for subscription in client.subscriptions:
        client.node.destroy_subscription(subscription)
    with running_node(tmp_path / 'node.log', model=str(bundle), lazy=True, publish_bundle=True):
        client.wait_until(lambda: client.images.get_subscription_count() == 1, 'a subscription')
        client.node.destroy_subscription(listener)
        client.wait_until(lambda: client.images.get_subscription_count() == 0, 'its end')
        status = client.status_where(lambda values: values['state'] == 'active')
        assert status.level == DiagnosticStatus.OK
        assert 'nobody listens' in status.message


def test_jpeg_images_are_read_and_damaged_ones_counted(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    msg = road_msg(5)
    pixels = np.frombuffer(msg.data, np.uint8).reshape(48, 64, 3)
    jpeg = cv2.imencode('.jpg', pixels)[1].tobytes()
    out = client.node.create_publisher(CompressedImage, '/image/compressed', 10)
    with running_node(
        tmp_path / 'node.log', model=str(bundle), image_transport='compressed'
    ) as node:

        def mask_came() -> bool:
            out.publish(CompressedImage(header=msg.header, format='jpeg', data=jpeg))
            return bool(client.received.masks)

        client.wait_until(mask_came, 'a mask of a JPEG')
        assert client.received.masks[0].header == msg.header
        out.publish(CompressedImage(header=msg.header, format='jpeg', data=jpeg[:-9]))
        client.status_where(lambda values: values['bad_images.compressed'] == '1')
        assert 'cut or damaged' in node.log


@pytest.mark.parametrize('fast_path', [True, False])
def test_the_mask_is_the_same_as_bytes_and_as_an_object(
    fast_path: bool, bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle), fast_path=fast_path):
        msg = road_msg(3, frame_id='ä camera with a long name/' * 9)
        mask = client.mask_of(msg)
        assert mask.header == msg.header
        assert ids_of(mask) == {0, 1, 2}


def test_colours_and_timings_come_to_those_who_listen(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    colours: list[Image] = []
    timings: list[Float64MultiArray] = []
    client.node.create_subscription(Image, '/lane_seg_node/mask_color', colours.append, 10)
    client.node.create_subscription(Float64MultiArray, '/lane_seg_node/timing', timings.append, 10)
    with running_node(tmp_path / 'node.log', model=str(bundle)):
        number = 0

        def came() -> bool:
            nonlocal number
            number += 1
            client.mask_of(road_msg(number))
            return bool(colours and timings)

        client.wait_until(came, 'a coloured mask and its timing')
        pixels = np.frombuffer(colours[0].data, np.uint8).reshape(48, 64, 3)
        assert pixels[24, 10].tolist() == [0, 0, 0]
        assert pixels[24, 32].tolist() == [0, 160, 0]
        assert pixels[24, 54].tolist() == [0, 0, 255]
        labels = [dimension.label for dimension in timings[0].layout.dim]
        assert len(labels) == len(timings[0].data)
        assert {'wait_ms', 'inference_ms', 'latency_ms'} <= set(labels)


def test_another_model_takes_over_while_the_node_runs(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    other = all_road_bundle(tmp_path / 'other')
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        assert ids_of(client.mask_of(road_msg(0))) == {0, 1, 2}
        assert client.set_parameter('model', str(other)).successful
        node.wait_for_log('model all_road 0.0.1')
        client.status_where(lambda values: values['model'] == 'all_road')
        assert ids_of(client.mask_of(road_msg(1))) == {1}


def test_confidence_comes_as_soon_as_the_model_gives_it(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    sure = make_tiny_bundle(tmp_path / 'sure', confidence=True)
    received: list[Image] = []
    client.node.create_subscription(Image, '/lane_seg_node/confidence', received.append, 10)
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        mask = client.mask_of(road_msg(0))
        assert client.set_parameter('model', str(sure)).successful
        node.wait_for_log('from now on')
        assert not received
        number = 0

        def came() -> bool:
            nonlocal number
            number += 1
            assert client.mask_of(road_msg(number)).data == mask.data
            return bool(received)

        client.wait_until(came, 'a confidence')
    first = received[0]
    assert (first.encoding, first.height, first.width) == ('mono8', 48, 64)
    assert first.header.stamp.sec == road_msg(1).header.stamp.sec
    # The tiny model is the more confident, the brighter a pixel is.
    pixels = np.frombuffer(first.data, np.uint8).reshape(48, 64)
    assert pixels[24, [10, 32, 54]].tolist() == [20, 100, 250]


def test_a_model_that_does_not_load_leaves_the_one_before_it_running(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    broken = all_road_bundle(tmp_path / 'broken')
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        client.mask_of(road_msg(0))
        with (broken / 'model.onnx').open('ab') as file:
            file.write(b'!')
        refused = client.set_parameter('model', str(broken))
        assert not refused.successful
        assert 'altered' in refused.reason
        # Whole files with a graph that no engine takes: found only while loading.
        (broken / 'model.onnx').write_bytes(b'no graph')
        spec = tiny_spec(broken, 64, 128)
        (broken / 'model.yaml').write_text(yaml.safe_dump(spec), encoding='utf-8')
        assert client.set_parameter('model', str(broken)).successful
        node.wait_for_log('the one before it goes on')
        assert ids_of(client.mask_of(road_msg(1))) == {0, 1, 2}
        assert client.parameter('model') == str(bundle)


def test_an_engine_that_fails_three_times_ends_in_an_error_and_not_in_silence(
    tmp_path: Path, client: Client
) -> None:
    fragile = fragile_bundle(tmp_path / 'fragile')
    with running_node(tmp_path / 'node.log', model=str(fragile), engine='onnxruntime') as node:
        client.mask_of(dark_msg(0))
        for number in range(1, 4):
            client.images.publish(road_msg(number))
            client.status_where(
                lambda values, number=number: int(values['inference_errors']) >= number
            )
        status = client.status_where(lambda values: values['state'] == 'inactive')
        assert status.level == DiagnosticStatus.ERROR
        assert 'deactivated itself: the engine failed on 3 images in a row' in status.message
        assert client.state() == 'inactive'
        assert 'ros2 lifecycle set /lane_seg_node activate' in node.log
        assert client.change_state(Transition.TRANSITION_ACTIVATE)
        client.mask_of(dark_msg(9))
        status = client.status_where(lambda values: values['state'] == 'active')
        assert 'deactivated' not in status.message


def test_specks_are_removed_as_soon_as_the_parameter_says_so(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    def speck_msg(number: int) -> Image:
        msg = dark_msg(number)
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[20:24, 30:34] = 250
        msg.data = pixels.tobytes()
        return msg

    with running_node(tmp_path / 'node.log', model=str(bundle)):
        assert 2 in ids_of(client.mask_of(speck_msg(0)))
        assert client.set_parameter('min_blob_area', 40).successful
        assert ids_of(client.mask_of(speck_msg(1))) == {0}


def test_prometheus_reads_the_numbers_on_this_machine_only(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with running_node(tmp_path / 'node.log', model=str(bundle), metrics_port=port):
        client.mask_of(road_msg())
        client.status_where(lambda values: values['masks_published'] != '0')
        client.status_where(lambda values: True)
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=10) as answer:
            assert answer.headers['Content-Type'].startswith('text/plain; version=0.0.4')
            text = answer.read().decode()
        found = re.search(
            r'^lane_seg_masks_published\{status="lane_seg_node: pipeline"\} (\d+)$', text, re.M
        )
        assert found is not None and int(found[1]) > 0
        assert 'lane_seg_inference_ms_p99{' in text
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=10)
        listening = Path('/proc/net/tcp').read_text(encoding='ascii')
        assert re.search(rf' 0100007F:{port:04X} 00000000:0000 0A ', listening)
        assert not re.search(rf' 00000000:{port:04X} 00000000:0000 0A ', listening)


def test_a_taken_metrics_port_ends_the_start_with_its_number(bundle: Path, tmp_path: Path) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with running_node(tmp_path / 'node.log', model=str(bundle), metrics_port=port) as node:
            assert node.wait() == 1
            assert f'expected port {port} of 127.0.0.1' in node.log
            assert 'Traceback' not in node.log


def test_size_and_encoding_may_change_from_image_to_image(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    with running_node(tmp_path / 'node.log', model=str(bundle)):
        for number, (height, width) in enumerate([(48, 64), (96, 33), (24, 200), (48, 64)]):
            mask = client.mask_of(road_msg(number, height=height, width=width))
            assert (mask.height, mask.width) == (height, width)
        grey = road_msg(9)
        pixels = np.frombuffer(grey.data, np.uint8).reshape(48, 64, 3)
        grey.encoding, grey.step, grey.data = 'mono8', 64, pixels[..., 0].tobytes()
        assert ids_of(client.mask_of(grey)) == {0, 1, 2}


def test_a_bundle_for_mapping_comes_under_one_stamp(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    kinds = {'mask': Image, 'depth': Image, 'camera_info': CameraInfo}
    kinds['depth_camera_info'] = CameraInfo
    received: dict[str, list[Image | CameraInfo]] = {name: [] for name in kinds}
    for name, kind in kinds.items():
        topic = f'/lane_seg_node/bundle/{name}'
        client.node.create_subscription(kind, topic, received[name].append, 10)
    depths = client.node.create_publisher(Image, '/depth', 10)
    depth_infos = client.node.create_publisher(CameraInfo, '/depth_camera_info', 10)
    with running_node(
        tmp_path / 'node.log', model=str(bundle), publish_bundle=True, bundle_tolerance_ms=5.0
    ):
        number = 0

        def came() -> bool:
            nonlocal number
            number += 1
            msg = road_msg(number)
            stamp = msg.header.stamp
            later = Header(
                stamp=Time(sec=stamp.sec, nanosec=stamp.nanosec + 2_000_000), frame_id='depth'
            )
            client.infos.publish(CameraInfo(header=msg.header, height=48, width=64))
            depth_infos.publish(CameraInfo(header=later, height=2, width=3))
            depths.publish(
                Image(header=later, height=2, width=3, encoding='32FC1', step=12, data=bytes(24))
            )
            client.images.publish(msg)
            return all(received.values())

        client.wait_until(came, 'a whole bundle')
    stamps = [{item.header.stamp.sec for item in items} for items in received.values()]
    assert set.intersection(*stamps)
    depth = received['depth'][0]
    assert isinstance(depth, Image)
    assert (depth.header.frame_id, depth.encoding) == ('depth', '32FC1')
    assert depth.header.stamp in [item.header.stamp for item in received['mask']]


@pytest.mark.parametrize(
    'remapping', ['~/mask:=/image', 'image:=/lane_seg_node/overlay', '~/bundle/depth:=/depth']
)
def test_a_node_that_would_hear_itself_does_not_start(
    remapping: str, bundle: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'lane_seg_ros.lane_seg_node', '--ros-args']
        + ['-p', f'model:={bundle}', '-r', remapping],
        env={**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parents[2] / 'src')},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'which is a topic that comes in' in done.stdout
    assert 'Traceback' not in done.stdout


def test_without_vision_msgs_the_node_says_so_once(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    if importlib.util.find_spec('vision_msgs') is not None:
        pytest.skip('vision_msgs is installed here')
    with running_node(tmp_path / 'node.log', model=str(bundle)) as node:
        client.mask_of(road_msg())
        assert node.log.count('~/label_info is not published') == 1


@pytest.mark.skipif(
    importlib.util.find_spec('vision_msgs') is None, reason='vision_msgs is not on PyPI'
)
def test_the_classes_are_told_to_those_who_come_late(
    bundle: Path, tmp_path: Path, client: Client
) -> None:
    from vision_msgs.msg import LabelInfo

    with running_node(tmp_path / 'node.log', model=str(bundle)):
        client.mask_of(road_msg())
        found: list[LabelInfo] = []
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        client.node.create_subscription(LabelInfo, '/lane_seg_node/label_info', found.append, kept)
        client.wait_until(lambda: bool(found), 'label info')
        names = {item.class_id: item.class_name for item in found[0].class_map}
        assert names == {0: 'background', 1: 'road', 2: 'lane_marking'}
