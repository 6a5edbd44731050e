"""Scenes of the towns with traffic, and what of them is lane line by the renderer itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels import LabelOptions, LaneLabeller
from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.render import Renderer, Weather
from carla_bridge.mini_carla.towns import load_town
from carla_bridge.pinhole import PinholeCamera

VERSION = '0.9.16'
WIDTH, HEIGHT, FOV_DEG = 640, 360, 90.0
CAMERA = PinholeCamera(WIDTH, HEIGHT, FOV_DEG)
ROADS, ROAD_LINES = 1, 24
AREA = LabelOptions(area=True)
OTHER_PAINT = ('arrow', 'crosswalk', 'stop_line')


@dataclass(frozen=True, eq=False)
class Scene:
    """What a camera sees, and which pixels are lane lines.

    Attributes:
        pose: of the camera.
        tags: (H, W) uint8.
        depth: (H, W) float32, metres.
        lane: (H, W) bool, the paint of lane marks.
        mark: (H, W) uint16, number of the mark; 0 for what is no lane mark.
    """

    pose: Transform
    tags: NDArray[np.uint8]
    depth: NDArray[np.float32]
    lane: NDArray[np.bool_]
    mark: NDArray[np.uint16]


@cache
def town(name: str) -> Town:
    return load_town(name)


@cache
def labeller(name: str, options: LabelOptions = AREA) -> LaneLabeller:
    """Reading a map takes a second, so one is kept for each town."""
    import carla

    return LaneLabeller(carla.Map(name, town(name).opendrive), VERSION, options)


@cache
def renderers(name: str) -> tuple[Renderer, Renderer]:
    """The town, and the same without all paint that is no lane line."""
    whole = town(name)
    lines = tuple(item for item in whole.surfaces if item.kind not in OTHER_PAINT)
    return Renderer(whole, 1, VERSION), Renderer(replace(whole, surfaces=lines), 1, VERSION)


def scene(name: str, pose: Transform, cars: tuple[Box, ...] = ()) -> Scene:
    """Render one scene."""
    whole, lines = renderers(name)
    seen = whole.render(CAMERA, pose, cars, Weather(), ('semantic', 'depth'), 0)
    only = lines.render(CAMERA, pose, cars, Weather(), ('instance',), 0)['instance']
    lane = only[..., 0] == ROAD_LINES
    return Scene(
        pose,
        np.asarray(seen['semantic'], np.uint8),
        np.asarray(seen['depth'], np.float32),
        lane,
        np.where(lane, only[..., 1], 0).astype(np.uint16),
    )


@cache
def scenes(name: str, count: int, seed: int = 0) -> tuple[Scene, ...]:
    """Render scenes from random places on the roads, with cars in the way."""
    rng = np.random.default_rng(seed)
    places = town(name).spawn_points
    found = []
    for index in rng.permutation(len(places))[:count].tolist():
        at = places[index]
        pose = Transform(
            at.x + rng.normal(0.0, 0.3),
            at.y + rng.normal(0.0, 0.3),
            town(name).height(at.x, at.y) + rng.uniform(1.4, 2.4),
            at.pitch - rng.uniform(0.0, 9.0),
            at.yaw + rng.normal(0.0, 8.0),
            rng.normal(0.0, 1.5),
        )
        cars = [
            car(name, other)
            for other in places
            if 6.0 < np.hypot(other.x - at.x, other.y - at.y) < 70.0 and rng.random() < 0.3
        ]
        found.append(scene(name, pose, tuple(cars)))
    return tuple(found)


def car(name: str, at: Transform) -> Box:
    """A car of the usual size that stands on the road."""
    height = town(name).height(at.x, at.y) + 0.75
    place = Transform(at.x, at.y, height, at.pitch, at.yaw)
    return Box('vehicle', place, (2.2, 0.95, 0.75), (60, 60, 180), 60000)
