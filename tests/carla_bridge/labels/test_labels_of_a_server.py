"""The real client, a running server, its cameras, and the labels of what they send."""

from __future__ import annotations

import json

import pytest

from tests.carla_bridge.servers import run_client, running_server

pytest.importorskip('carla', reason='needs the carla client')

pytestmark = pytest.mark.carla

# Prints a line of JSON for each frame that was labelled.
CODE = """
import dataclasses, json, sys
import carla, numpy as np
from carla_bridge.connection import connect
from carla_bridge.labels import LabelOptions, LaneLabeller
from carla_bridge.pinhole import PinholeCamera
from carla_bridge.sensor_frames import SensorFrames
from carla_bridge.world_session import WorldSession

client = connect('127.0.0.1', int(sys.argv[1]))
with WorldSession(client, delta_s=0.05) as session:
    map_ = session.world.get_map()
    labeller = LaneLabeller(map_, client.get_server_version(), LabelOptions(area=True))
    start = map_.get_waypoint_xodr(1, -1, 70.0)
    place = start.transform
    place.location.z += 0.3
    car = session.spawn('vehicle.tesla.model3', place)
    ahead = start.next(20.0)[0].get_left_lane().transform
    ahead.location.z += 0.3
    session.spawn('vehicle.audi.tt', ahead)
    size = {'image_size_x': '640', 'image_size_y': '360', 'fov': '90'}
    at = carla.Transform(carla.Location(x=0.6, z=1.9), carla.Rotation(pitch=-8.0))
    kinds = ('semantic_segmentation', 'depth')
    cameras = {
        kind: session.spawn('sensor.camera.' + kind, at, attach_to=car, attributes=size)
        for kind in kinds
    }
    frames = SensorFrames(cameras)
    car.apply_control(carla.VehicleControl(throttle=0.4))
    for _ in range(4):
        data = frames.get(session.tick(), timeout_s=60.0)
        pixels = {
            kind: np.frombuffer(image.raw_data, np.uint8).reshape(360, 640, 4).astype(np.float32)
            for kind, image in data.items()
        }
        tags = pixels['semantic_segmentation'][..., 2].astype(np.uint8)
        depth = pixels['depth'][..., 2::-1] @ np.array([1, 256, 65536]) / (2**24 - 1) * 1000
        image = data['depth']
        labels = labeller.label(
            tags, PinholeCamera(640, 360, image.fov), np.array(image.transform.get_matrix()),
            depth_m=depth.astype(np.float32), world_from_ego=car.get_transform(),
        )
        paint = tags == 24
        print(json.dumps({
            'paint': int(paint.sum()),
            'label': {str(v): int((labels.label[paint] == v).sum()) for v in (1, 2, 255)},
            'ego': int((labels.area == 1).sum()),
            'borders': [dataclasses.asdict(border) for border in labels.borders],
        }))
    frames.stop()
"""


def test_frames_of_a_running_server_are_labelled() -> None:
    with running_server('--map', 'Town_grid', '--seed', '3') as server:
        done = run_client(CODE, server.port)
    assert done.returncode == 0, done.stderr
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(frames) == 4
    for frame in frames:
        lines, road, unknown = (frame['label'][value] for value in ('2', '1', '255'))
        assert lines + road + unknown == frame['paint']
        # Both lines beside us, and the arrows ahead.
        assert lines > 1500
        assert road > 300
        assert unknown < 0.02 * frame['paint']
        assert frame['ego'] > 10000
        beside = {border['side']: border for border in frame['borders'] if border['road'] == 1}
        assert (beside['left']['kind'], beside['left']['colour']) == ('solid solid', 'yellow')
        assert beside['right']['lane'] == -1
        assert all(abs(border['offset_m']) < 0.03 for border in frame['borders'])
