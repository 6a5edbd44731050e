"""`carla-bridge publish` as users run it: a real server, client, publisher and listener."""

from __future__ import annotations

import importlib.util
import json
import math
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.carla_tags import PALETTE_0_9_14, TAGS_0_9_14, UNKNOWN_TAG, tags_from_palette
from tests.carla_bridge.publish.listening import (
    Listener,
    Running,
    listening,
    nanoseconds,
    running_command,
)
from tests.carla_bridge.servers import Server, run_client, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from sensor_msgs.msg import Image

pytestmark = [
    pytest.mark.carla,
    pytest.mark.ros,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

WIDTH, HEIGHT, FOV_DEG, CAMERA_HEIGHT_M = 160, 96, 70.0, 1.8
KINDS = ('rgb', 'semantic_segmentation', 'instance_segmentation', 'depth')
CAMERAS = tuple(f'ego_vehicle/{kind}' for kind in KINDS)
RGB, SEMANTIC, INSTANCE, DEPTH = CAMERAS
ENCODINGS = dict(zip(CAMERAS, ('bgra8', 'bgra8', 'bgra8', '32FC1'), strict=True))

# What somebody who comes later finds in the world.
AFTERWARDS = """
import json, sys, carla
world = carla.Client('127.0.0.1', int(sys.argv[1])).get_world()
world.wait_for_tick(20.0)
settings = world.get_settings()
weather = world.get_weather()
print(json.dumps({
    'actors': [a.type_id for a in world.get_actors() if a.type_id != 'spectator'],
    'synchronous': settings.synchronous_mode,
    'fixed_delta_seconds': settings.fixed_delta_seconds,
    'precipitation': weather.precipitation,
}))
sys.stdout.flush()
"""


def objects_json(folder: Path) -> Path:
    """A sensor file of ros-bridge: four cameras at one place, a lidar and a pseudo sensor."""
    place = {'x': 0.5, 'y': 0.3, 'z': CAMERA_HEIGHT_M, 'roll': 0.0, 'pitch': 0.0, 'yaw': 0.0}
    size = {'image_size_x': WIDTH, 'image_size_y': HEIGHT, 'fov': FOV_DEG}
    sensors: list[dict[str, object]] = [
        {'type': f'sensor.camera.{kind}', 'id': kind, 'spawn_point': place, **size}
        for kind in KINDS
    ]
    sensors.append({'type': 'sensor.lidar.ray_cast', 'id': 'lidar', 'spawn_point': place})
    sensors.append({'type': 'sensor.pseudo.tf', 'id': 'tf'})
    content = {
        'objects': [{'type': 'vehicle.tesla.model3', 'id': 'ego_vehicle', 'sensors': sensors}]
    }
    path = folder / 'objects.json'
    path.write_text(json.dumps(content))
    return path


def pixels(msg: Image) -> NDArray[np.uint8]:
    """(H, W, channels) of a message of bytes."""
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, -1)


def by_stamp(messages: list[Image]) -> dict[int, Image]:
    return {nanoseconds(msg.header.stamp): msg for msg in messages}


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('publish')


@pytest.fixture(scope='module')
def server(folder: Path) -> Iterator[Server]:
    with running_server('--seed', '3', '--tick-log', str(folder / 'ticks.csv')) as started:
        yield started


@pytest.fixture(scope='module')
def publisher(server: Server, folder: Path) -> Iterator[Running]:
    """A car with four cameras that is driven along a ring, in heavy rain."""
    words = (
        '--sensors',
        objects_json(folder),
        '--driver',
        'follower',
        '--weather',
        'HardRainNoon',
    )
    with running_command(folder, 'publish', '--port', server.port, '--seed', 5, *words) as started:
        yield started


@pytest.fixture(scope='module')
def heard(publisher: Running) -> Iterator[Listener]:
    """Thirty images of each camera."""
    with listening(*CAMERAS) as listener:
        listener.wait_until(
            lambda: all(len(images) >= 30 for images in listener.images.values()),
            'thirty images of each camera',
        )
        yield listener


def test_it_says_when_images_flow_and_where(publisher: Running) -> None:
    assert publisher.ready.split(' ')[:2] == ['ready:', 'publishing']
    assert publisher.ready.split()[2:] == [f'/carla/{camera}/image' for camera in CAMERAS]


def test_topics_have_the_names_and_types_of_ros_bridge(heard: Listener) -> None:
    topics = dict(heard.node.get_topic_names_and_types())
    assert topics['/clock'] == ['rosgraph_msgs/msg/Clock']
    for camera in CAMERAS:
        assert topics[f'/carla/{camera}/image'] == ['sensor_msgs/msg/Image']
        assert topics[f'/carla/{camera}/camera_info'] == ['sensor_msgs/msg/CameraInfo']


def test_a_sensor_that_is_no_camera_is_named_and_left_out(publisher: Running) -> None:
    assert 'not published: lidar, sensor.pseudo.tf' in publisher.said()


@pytest.mark.parametrize('camera', CAMERAS)
def test_images_are_of_the_size_the_encoding_and_the_frame_that_was_asked_for(
    heard: Listener, camera: str
) -> None:
    for msg in heard.images[camera]:
        assert (msg.height, msg.width, msg.encoding) == (HEIGHT, WIDTH, ENCODINGS[camera])
        assert (msg.step, len(msg.data)) == (4 * WIDTH, 4 * WIDTH * HEIGHT)
        assert msg.header.frame_id == camera
        assert not msg.is_bigendian


@pytest.mark.parametrize('camera', CAMERAS)
def test_camera_info_is_that_of_the_ideal_camera(heard: Listener, camera: str) -> None:
    focal = WIDTH / 2 / math.tan(math.radians(FOV_DEG / 2))
    for msg in heard.infos[camera]:
        assert (msg.height, msg.width) == (HEIGHT, WIDTH)
        assert msg.k == pytest.approx([focal, 0, WIDTH / 2, 0, focal, HEIGHT / 2, 0, 0, 1])
        assert msg.p == pytest.approx(
            [focal, 0, WIDTH / 2, 0, 0, focal, HEIGHT / 2, 0, 0, 0, 1, 0]
        )
        assert msg.r.tolist() == np.eye(3).ravel().tolist()
        assert (msg.distortion_model, list(msg.d)) == ('plumb_bob', [0.0] * 5)
        assert msg.header.frame_id == camera


def test_everything_of_a_tick_has_the_stamp_of_the_simulation(heard: Listener) -> None:
    clock = [nanoseconds(msg.clock) for msg in heard.clocks]
    assert clock[-1] < 3_600_000_000_000  # of the simulation, which has just begun
    assert set(np.diff(clock).tolist()) == {50_000_000}
    for camera in CAMERAS:
        images = [nanoseconds(msg.header.stamp) for msg in heard.images[camera]]
        infos = [nanoseconds(msg.header.stamp) for msg in heard.infos[camera]]
        assert images == sorted(set(images))
        first, last = max(images[0], infos[0], clock[0]), min(images[-1], infos[-1], clock[-1])
        assert [s for s in images if first <= s <= last] == [
            s for s in clock if first <= s <= last
        ]
        assert [s for s in infos if first <= s <= last] == [s for s in clock if first <= s <= last]


def test_semantic_images_have_the_palette_of_the_servers_version(heard: Listener) -> None:
    tags = tags_from_palette(pixels(heard.images[SEMANTIC][-1]), PALETTE_0_9_14)
    assert UNKNOWN_TAG not in tags
    assert {TAGS_0_9_14['Roads'], TAGS_0_9_14['RoadLines'], TAGS_0_9_14['Sky']} <= set(
        np.unique(tags).tolist()
    )


def test_instances_have_the_tags_of_the_semantic_image_of_their_stamp(heard: Listener) -> None:
    semantic, instances = by_stamp(heard.images[SEMANTIC]), by_stamp(heard.images[INSTANCE])
    both = semantic.keys() & instances.keys()
    assert len(both) >= 25
    for stamp in both:
        tags = tags_from_palette(pixels(semantic[stamp]), PALETTE_0_9_14)
        assert (pixels(instances[stamp])[..., 2] == tags).all()


def test_depth_is_metres_along_the_optical_axis(heard: Listener) -> None:
    depth, semantic = by_stamp(heard.images[DEPTH]), by_stamp(heard.images[SEMANTIC])
    stamp = max(depth.keys() & semantic.keys())
    metres = np.frombuffer(depth[stamp].data, '<f4').reshape(HEIGHT, WIDTH)
    tags = tags_from_palette(pixels(semantic[stamp]), PALETTE_0_9_14)
    assert (metres[tags == TAGS_0_9_14['Sky']] > 900).all()
    # Flat ground under a level camera, in the lowest row.
    focal = WIDTH / 2 / math.tan(math.radians(FOV_DEG / 2))
    expected = CAMERA_HEIGHT_M * focal / (HEIGHT / 2 - 0.5)
    near = metres[-1][tags[-1] == TAGS_0_9_14['Roads']]
    assert np.median(near) == pytest.approx(expected, rel=0.15)


def test_the_follower_drives(heard: Listener) -> None:
    first, last = (pixels(heard.images[DEPTH][at]) for at in (0, -1))
    assert (first != last).mean() > 0.1


def test_afterwards_there_is_no_trace(publisher: Running, server: Server) -> None:
    during = json.loads(run_client(AFTERWARDS, server.port).stdout)
    assert len(during['actors']) == 1 + len(CAMERAS)
    assert during['synchronous']
    assert during['precipitation'] > 50
    assert publisher.stop(signal.SIGTERM) == 0
    after = json.loads(run_client(AFTERWARDS, server.port).stdout)
    assert after['actors'] == []
    assert not after['synchronous']
    assert after['precipitation'] == 0
    assert 'Traceback' not in publisher.said()
