"""Makes the picture of docs/carla_labels.md: one frame of our stand-in world and its labels.

python benchmarks/carla_labels_picture.py docs/images/carla_labels.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import carla
import cv2
import numpy as np

from carla_bridge.labels import LabelOptions, LaneLabeller, draw_labels
from carla_bridge.mini_carla.geometry import Box, Transform
from carla_bridge.mini_carla.render import Renderer, Weather
from carla_bridge.mini_carla.towns import load_town
from carla_bridge.pinhole import PinholeCamera
from lane_seg.files import atomic_path

TOWN, VERSION = 'Town_grid', '0.9.16'
WIDTH, HEIGHT, FOV_DEG = 960, 540, 90.0
CAR_AHEAD_M = 15.0
SEED = 3


def main(path: Path) -> None:
    """Render, label and write."""
    town = load_town(TOWN, SEED)
    map_ = carla.Map(TOWN, town.opendrive)
    # On the inner lane of an avenue, with the arrows and the stop line of a junction ahead.
    eye = map_.get_waypoint_xodr(1, -1, 74.0).transform
    pose = Transform(eye.location.x, eye.location.y, 1.9, -9.0, eye.rotation.yaw, 0.0)
    beside = map_.get_waypoint_xodr(1, -2, 74.0 + CAR_AHEAD_M).transform.location
    place = Transform(beside.x, beside.y, 0.75, 0.0, eye.rotation.yaw, 0.0)
    car = Box('vehicle', place, (2.2, 0.95, 0.75), (40, 40, 190), 1)
    seen = Renderer(town, SEED, VERSION).render(
        PinholeCamera(WIDTH, HEIGHT, FOV_DEG),
        pose,
        (car,),
        Weather(),
        ('rgb', 'semantic', 'depth'),
        0,
    )
    labels = LaneLabeller(map_, VERSION, LabelOptions(area=True)).label(
        np.asarray(seen['semantic'], np.uint8),
        PinholeCamera(WIDTH, HEIGHT, FOV_DEG),
        pose.matrix(),
        depth_m=np.asarray(seen['depth'], np.float32),
    )
    picture = np.ascontiguousarray(seen['rgb'][..., :3], np.uint8)
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), draw_labels(picture, labels))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
