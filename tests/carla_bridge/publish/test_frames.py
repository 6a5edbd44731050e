"""Frames of a rig in a real world: the way through the vehicle and the direct one meet."""

from __future__ import annotations

import importlib.util
import json
import signal
from typing import TYPE_CHECKING

import pytest

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

pytestmark = [
    pytest.mark.carla,
    pytest.mark.ros,
    pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the client'),
]

RIG_ON_A_HILL = """
import json, sys
import numpy as np
from std_msgs.msg import Header
from carla_bridge.connection import connect
from carla_bridge.publish.cameras import spawned
from carla_bridge.publish.node import static_transforms
from carla_bridge.publish.poses import RosPose
from carla_bridge.rig import Rig, SensorSpec
from carla_bridge.sensor_frames import SensorFrames
from carla_bridge.world_session import WorldSession

def matrix(msg):
    t, q = msg.transform.translation, msg.transform.rotation
    axis, columns = np.array([q.x, q.y, q.z]), []
    for unit in np.eye(3):
        columns.append(unit + 2 * np.cross(axis, np.cross(axis, unit) + q.w * unit))
    full = np.eye(4)
    full[:3, :3] = np.column_stack(columns)
    full[:3, 3] = t.x, t.y, t.z
    return full

SIZE = {'image_size_x': '64', 'image_size_y': '48'}
rig = Rig('vehicle.tesla.model3', 'ego-vehicle 1', (
    SensorSpec('left', 'sensor.camera.rgb', x=0.4, y=-0.7, z=1.6, yaw=-40, pitch=-12, roll=5,
               attributes=SIZE),
    SensorSpec('front', 'sensor.camera.depth', x=1.5, z=1.2, attributes=SIZE),
))
with WorldSession(connect('127.0.0.1', int(sys.argv[1])), delta_s=0.05) as session:
    scene = spawned(session, rig, seed=2)
    frames = SensorFrames({camera.name: camera.actor for camera in scene.cameras})
    images = frames.get(session.tick())
    frames.stop()
    place = session.world.get_snapshot().find(scene.vehicles[0].actor.id).get_transform()
    header = Header(frame_id='map')
    vehicle = RosPose.of(np.array(place.get_matrix())).transform_msg(header, 'vehicle')
    static = static_transforms(scene)
    found = []
    for fixed in static:
        seen = images[fixed.child_frame_id].transform.get_matrix()
        direct = RosPose.of(np.array(seen), optical=True).transform_msg(header, 'camera')
        error = np.abs(matrix(vehicle) @ matrix(fixed) - matrix(direct)).max()
        found.append([fixed.header.frame_id, fixed.child_frame_id, float(error)])
    roles = [camera.actor.attributes['role_name'] for camera in scene.cameras]
print(json.dumps({'static': found, 'roles': roles, 'pitch': place.rotation.pitch}), flush=True)
"""


@pytest.fixture(scope='module')
def server() -> Iterator[Server]:
    with running_server('--map', 'Town_hills') as started:
        yield started


def test_map_to_vehicle_to_camera_ends_where_the_simulator_sees_the_camera(
    server: Server,
) -> None:
    ended = run_client(RIG_ON_A_HILL, server.port)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert abs(found['pitch']) > 0.01  # a level place would prove less
    names = [(parent, child) for parent, child, _ in found['static']]
    assert names == [
        ('ego_vehicle_1', 'ego_vehicle_1/left'),
        ('ego_vehicle_1', 'ego_vehicle_1/front'),
    ]
    assert max(error for _, _, error in found['static']) < 2e-3
    assert found['roles'] == ['left', 'front']


@pytest.fixture(scope='module')
def driving(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Listener]]:
    """A publisher whose car drives among two others, and somebody who came later."""
    words = ('--size', '64x48', '--driver', 'follower', '--traffic', '2', '--seconds', '600')
    folder = tmp_path_factory.mktemp('frames')
    with (
        running_command(folder, 'publish', '--port', server.port, *words) as publisher,
        listening('ego_vehicle/rgb_front') as listener,
    ):
        yield publisher, listener
        assert publisher.stop(signal.SIGINT) == 0


def test_odometry_goes_out_where_its_package_is_installed_and_is_named_where_not(
    driving: tuple[Running, Listener],
) -> None:
    publisher, listener = driving
    if importlib.util.find_spec('nav_msgs') is None:
        assert 'Odometry is not published: nav_msgs is not installed' in publisher.said()
        return
    from nav_msgs.msg import Odometry

    heard: list[Odometry] = []
    listener.node.create_subscription(Odometry, '/carla/ego_vehicle/odometry', heard.append, 10)
    listener.wait_until(
        lambda: len(heard) > 1 and heard[-1].twist.twist.linear.x > 4.0, 'the car at 4 m/s'
    )
    before, after = heard[-2], heard[-1]
    assert (after.header.frame_id, after.child_frame_id) == ('map', 'ego_vehicle')
    assert abs(after.twist.twist.linear.y) < 1.0
    passed_s = 1e-9 * (nanoseconds(after.header.stamp) - nanoseconds(before.header.stamp))
    moved = [
        getattr(after.pose.pose.position, axis) - getattr(before.pose.pose.position, axis)
        for axis in 'xyz'
    ]
    metres = sum(step * step for step in moved) ** 0.5
    assert metres / passed_s == pytest.approx(after.twist.twist.linear.x, rel=0.1)


def test_tf_goes_out_where_its_package_is_installed_and_is_named_where_not(
    driving: tuple[Running, Listener],
) -> None:
    publisher, listener = driving
    if importlib.util.find_spec('tf2_msgs') is None:
        assert 'TFMessage is not published: tf2_msgs is not installed' in publisher.said()
        return
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from tf2_msgs.msg import TFMessage

    moving: list[TFMessage] = []
    static: list[TFMessage] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    listener.node.create_subscription(TFMessage, '/tf', moving.append, 100)
    listener.node.create_subscription(TFMessage, '/tf_static', static.append, latched)
    listener.wait_until(lambda: bool(static) and len(moving) > 10, 'ten messages on /tf')
    parents = {(t.header.frame_id, t.child_frame_id) for m in moving for t in m.transforms}
    assert parents == {('map', 'ego_vehicle')}
    parents = {(t.header.frame_id, t.child_frame_id) for m in static for t in m.transforms}
    assert parents == {
        ('ego_vehicle', 'ego_vehicle/rgb_front'),
        ('ego_vehicle', 'ego_vehicle/semantic_segmentation_front'),
    }
    stamps = {nanoseconds(m.transforms[0].header.stamp) for m in moving[:8]}
    listener.wait_until(
        lambda: stamps <= {nanoseconds(m.clock) for m in listener.clocks}, 'the same on /clock'
    )
