"""Camera, node and listener as real processes over real topics: nothing lost, nothing mixed up."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('onnx')
pytest.importorskip('openvino')

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from lane_seg_ros.demo.processes import NodeProcess
from tests.lane_seg_ros.node_process import PATIENCE_S, Client, road_msg, running_node, values_of
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from rclpy.node import Node
    from std_msgs.msg import Header

pytestmark = [pytest.mark.ros, pytest.mark.slow]

DEFAULT_MODEL = Path(__file__).resolve().parents[1] / 'models' / 'default'
HEIGHT, WIDTH, RATE_HZ = 360, 640, 15.0
FRAME_ID = 'front/left'
# A machine that stalls for longer than a frame period makes the node drop frames, as it should:
# such a run is repeated.
ATTEMPTS = 3


@dataclass(frozen=True)
class Seen:
    """Header, size and encoding of a message: a picture of each would take 700 MB."""

    stamp: tuple[int, int]
    frame_id: str
    height: int
    width: int
    encoding: str


@dataclass
class Journey:
    """What was published and what came back, each in the order of its arrival."""

    images: list[Seen] = field(default_factory=list)
    masks: list[Seen] = field(default_factory=list)
    overlays: list[Seen] = field(default_factory=list)
    camera_infos: list[Seen] = field(default_factory=list)
    engine: str = ''
    camera_code: int | None = None
    node_code: int | None = None

    def listen(self, node: Node) -> None:
        """Subscribe to all four."""
        qos = QoSProfile(depth=400, reliability=ReliabilityPolicy.RELIABLE)
        for kind, topic, seen in (
            (Image, 'image', self.images),
            (Image, 'lane_seg_node/mask', self.masks),
            (Image, 'lane_seg_node/overlay', self.overlays),
            (CameraInfo, 'lane_seg_node/camera_info', self.camera_infos),
        ):
            node.create_subscription(kind, topic, lambda msg, seen=seen: note(msg, seen), qos)


def note(msg: Image | CameraInfo, seen: list[Seen]) -> None:
    header: Header = msg.header
    if header.frame_id == FRAME_ID:  # else it belongs to the handshake
        stamp = (header.stamp.sec, header.stamp.nanosec)
        encoding = getattr(msg, 'encoding', '')
        seen.append(Seen(stamp, header.frame_id, msg.height, msg.width, encoding))


def segments_of(pid: int) -> set[Path]:
    """The shared memory with the messages of a process: 16 MB, its own, locked by it."""
    held = set()
    for descriptor in Path(f'/proc/{pid}/fd').iterdir():
        target = descriptor.readlink()
        # The ports are small and belong to all who write to them as well.
        if re.fullmatch(r'fastrtps_[0-9a-f]{16}_el', target.name):
            held |= {target, target.with_name(target.name.removesuffix('_el'))}
    return held


def collect(client: Client, journey: Journey, frames: int) -> None:
    """Listen until everything has come for so many frames, or never will."""
    end_s = time.monotonic() + 2 * PATIENCE_S + frames / RATE_HZ
    outputs = (journey.masks, journey.overlays, journey.camera_infos)
    while min(map(len, (journey.images, *outputs))) < frames:
        assert time.monotonic() < end_s, [len(seen) for seen in (journey.images, *outputs)]
        if len(journey.images) > frames + 2 * RATE_HZ:
            return  # something was lost on the way: two seconds are enough for any mask
        client.executor.spin_once(timeout_sec=0.05)


def journey_of(model: Path, frames: int, folder: Path, number: signal.Signals) -> Journey:
    """Let a camera publish so many frames, and record what happens; end all with a signal."""
    journey = Journey()
    client = Client()
    camera: NodeProcess | None = None
    try:
        journey.listen(client.node)
        with running_node(
            folder / 'node.log', model=str(model), input_reliability='reliable', queue_depth=100
        ) as node:
            # Client and node have found each other when a mask has gone all the way.
            client.mask_of(road_msg(frame_id='handshake', height=HEIGHT, width=WIDTH))
            client.wait_until(
                lambda: client.node.count_publishers('lane_seg_node/overlay') == 1, 'the overlay'
            )
            camera = NodeProcess(
                'lane_seg_ros.camera_player',
                {
                    'rate_hz': RATE_HZ,
                    'height': HEIGHT,
                    'width': WIDTH,
                    'frame_id': FRAME_ID,
                    'wait_for_subscribers': 2,  # the node and this process
                },
                log=folder / 'camera.log',
            )
            collect(client, journey, frames)
            status = client.status_where(lambda values: values['masks_published'] != '0')
            journey.engine = values_of(status)['engine']
            segments = segments_of(camera.pid) | segments_of(node.process.pid)
            assert segments
            os.kill(camera.pid, number)
            journey.camera_code = camera.wait(PATIENCE_S)
            journey.node_code = node.stop(number)
            assert 'Traceback' not in camera.tail() + node.log
            assert not {path for path in segments if path.exists()}
    finally:
        if camera is not None:
            camera.stop()
        client.close()
    return journey


def check_that_nothing_is_mixed_up(journey: Journey) -> None:
    """Whatever came: each result is of one image, of its size, and in the images' order."""
    sizes = {seen.stamp: (seen.height, seen.width) for seen in journey.images}
    assert len(sizes) == len(journey.images)
    last_stamp = max(sizes)
    for results in (journey.masks, journey.overlays, journey.camera_infos):
        stamps = [seen.stamp for seen in results]
        assert stamps == sorted(set(stamps))
        for seen in results:
            if seen.stamp <= last_stamp:  # the image of a later one has not arrived here yet
                assert (seen.height, seen.width) == sizes[seen.stamp] == (HEIGHT, WIDTH)
    assert {seen.encoding for seen in journey.masks} == {'mono8'}
    assert {seen.encoding for seen in journey.overlays} == {'bgr8'}


@pytest.fixture(params=['tiny', 'default'])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == 'tiny':
        return make_tiny_bundle(tmp_path / 'tiny')
    if not (DEFAULT_MODEL / 'model.yaml').is_file():
        pytest.skip('models/default is not there')
    return DEFAULT_MODEL


@pytest.mark.parametrize(
    ('frames', 'number'), [(300, signal.SIGINT), (30, signal.SIGTERM)], ids=['SIGINT', 'SIGTERM']
)
def test_every_camera_frame_comes_back_as_mask_overlay_and_camera_info_in_order(
    model: Path, frames: int, number: signal.Signals, tmp_path: Path
) -> None:
    for attempt in range(ATTEMPTS):
        folder = tmp_path / f'attempt{attempt}'
        folder.mkdir()
        journey = journey_of(model, frames, folder, number)
        check_that_nothing_is_mixed_up(journey)
        assert (journey.camera_code, journey.node_code) == (0, 0)
        assert journey.engine in ('openvino', 'onnxruntime', 'tensorrt', 'tensorrt_rtx')
        published = [seen.stamp for seen in journey.images[:frames]]
        came_back = [
            [seen.stamp for seen in results[:frames]]
            for results in (journey.masks, journey.overlays, journey.camera_infos)
        ]
        if came_back == [published] * 3:
            break
    assert len(published) == frames
    assert came_back == [published] * 3
