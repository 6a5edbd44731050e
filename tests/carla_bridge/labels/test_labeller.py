"""The labeller: what holds for any camera, versions of CARLA, wrong input, areas."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

carla = pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.labels import (  # noqa: E402
    LANE_MARKING,
    ROAD,
    UNLABELED,
    LabelOptions,
    LaneLabeller,
)
from carla_bridge.mini_carla.geometry import Transform  # noqa: E402
from carla_bridge.mini_carla.render import Renderer, Weather  # noqa: E402
from carla_bridge.pinhole import PinholeCamera  # noqa: E402
from lane_seg.carla_tags import TAGS_0_9_13  # noqa: E402
from lane_seg.errors import LaneSegError  # noqa: E402
from tests.carla_bridge.labels.scenes import (  # noqa: E402
    CAMERA,
    FOV_DEG,
    HEIGHT,
    ROAD_LINES,
    ROADS,
    VERSION,
    WIDTH,
    car,
    labeller,
    scene,
    town,
)

pytestmark = pytest.mark.carla

SMALL = PinholeCamera(64, 36, 100.0)
NO_ROADS = '<OpenDRIVE><header revMajor="1" revMinor="4"/></OpenDRIVE>'

poses = st.builds(
    Transform,
    x=st.floats(-400.0, 400.0),
    y=st.floats(-400.0, 400.0),
    z=st.one_of(st.floats(-30.0, 60.0), st.just(5000.0)),
    pitch=st.floats(-180.0, 180.0),
    yaw=st.floats(-180.0, 180.0),
    roll=st.floats(-180.0, 180.0),
)


def on_lane(name: str, road: int, lane: int, s: float, pitch: float = -6.0) -> Transform:
    """A camera over a lane that looks along it."""
    at = labeller(name)._map.get_waypoint_xodr(road, lane, s).transform
    place = at.location
    return Transform(
        place.x, place.y, place.z + 1.8, at.rotation.pitch + pitch, at.rotation.yaw, 0.0
    )


@settings(max_examples=30, deadline=None)
@given(
    poses, st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(['Town_grid', 'Town_hills'])
)
def test_any_camera_and_any_tags_give_labels_within_the_road(
    pose: Transform, seed: int, with_depth: bool, name: str
) -> None:
    rng = np.random.default_rng(seed)
    tags = rng.choice([0, ROADS, 11, 14, ROAD_LINES, 255], (36, 64)).astype(np.uint8)
    depth = rng.uniform(0.0, 1000.0, (36, 64)).astype(np.float32) if with_depth else None
    labels = labeller(name).label(tags, SMALL, pose.matrix(), depth_m=depth)
    paint, road = tags == ROAD_LINES, tags == ROADS
    assert set(np.unique(labels.label)) <= {0, ROAD, LANE_MARKING, UNLABELED}
    assert (labels.label[road] == ROAD).all()
    assert not labels.label[~road & ~paint].any()
    assert (labels.label[paint] > 0).all()
    assert ((labels.lanes > 0) == (labels.label == LANE_MARKING)).all()
    assert [border.pixels for border in labels.borders] == [
        int((labels.lanes == k).sum()) for k in range(1, len(labels.borders) + 1)
    ]
    assert labels.area is not None
    assert not labels.area[~road & ~paint].any()
    assert labels.area.max() <= 3


def test_a_picture_without_paint_has_no_lines() -> None:
    tags = np.full((36, 64), ROADS, np.uint8)
    labels = labeller('Town_grid').label(tags, SMALL, Transform(z=1.5).matrix())
    assert labels.borders == ()
    assert (labels.label == ROAD).all()


def test_the_old_tags_give_the_same_labels() -> None:
    seen = scene('Town_ring', on_lane('Town_ring', 1, -1, 60.0))
    new = labeller('Town_ring').label(seen.tags, CAMERA, seen.pose.matrix())
    spec = PinholeCamera(WIDTH, HEIGHT, FOV_DEG)
    tags = Renderer(town('Town_ring'), 1, '0.9.13').render(
        spec, seen.pose, (), Weather(), ('semantic',), 0
    )['semantic']
    assert TAGS_0_9_13['RoadLines'] in tags
    map_ = carla.Map('Town_ring', town('Town_ring').opendrive)
    old = LaneLabeller(map_, '0.9.13').label(
        np.asarray(tags, np.uint8), CAMERA, seen.pose.matrix()
    )
    assert (old.label == new.label).all()
    assert (old.lanes == new.lanes).all()
    assert old.borders == new.borders
    assert len(old.borders) >= 3


def test_arrows_crosswalks_and_stop_lines_ahead_are_road() -> None:
    seen = scene('Town_grid', on_lane('Town_grid', 1, -1, 76.0, pitch=-10.0))
    other = (seen.tags == ROAD_LINES) & ~seen.lane
    assert other.sum() > 800
    labels = labeller('Town_grid').label(seen.tags, CAMERA, seen.pose.matrix(), depth_m=seen.depth)
    assert (labels.label[other] == ROAD).mean() > 0.97
    assert (labels.label[other] == LANE_MARKING).mean() < 0.01


def test_paint_that_the_map_lacks_is_unlabeled_if_it_looks_like_a_line() -> None:
    """A line 15 cm wide and 12 m long in the middle of a lane, as in no map."""
    pose = on_lane('Town_ring', 1, -1, 20.0)
    seen = scene('Town_ring', pose)
    along = np.linspace(6.0, 18.0, 400)[:, None, None]
    across = np.linspace(-0.07, 0.07, 9)[None, :, None]
    yaw = math.radians(pose.yaw)
    ahead, right = (
        np.array([math.cos(yaw), math.sin(yaw)]),
        np.array([-math.sin(yaw), math.cos(yaw)]),
    )
    points = np.zeros((400, 9, 3))
    points[..., :2] = np.array([pose.x, pose.y]) + along * ahead + across * right
    uv = CAMERA.project(CAMERA.to_optical(points.reshape(-1, 3), pose.matrix()))
    column, row = np.floor(uv).astype(int).T
    tags = seen.tags.copy()
    inside = (row < HEIGHT) & (tags[np.minimum(row, HEIGHT - 1), column] == ROADS)
    tags[row[inside], column[inside]] = ROAD_LINES
    drawn = (tags == ROAD_LINES) & (seen.tags == ROADS)
    assert drawn.sum() > 100
    label = labeller('Town_ring').label(tags, CAMERA, pose.matrix()).label
    assert (label[drawn] == UNLABELED).mean() > 0.95
    road = labeller('Town_ring', LabelOptions(lane_like=False))
    assert (road.label(tags, CAMERA, pose.matrix()).label[drawn] == ROAD).mean() > 0.9


def test_paint_outside_of_all_roads_is_unlabeled() -> None:
    pose = on_lane('Town_ring', 1, -1, 60.0)
    seen = scene('Town_ring', pose)
    tags = seen.tags.copy()
    lawn = tags == 10
    tags[lawn] = ROAD_LINES
    label = labeller('Town_ring').label(tags, CAMERA, pose.matrix(), depth_m=seen.depth).label
    assert lawn.sum() > 3000
    assert (label[lawn] == UNLABELED).mean() > 0.9
    assert not (label[lawn] == LANE_MARKING).any()


def test_sides_and_areas_are_those_of_the_ego_lane() -> None:
    name = 'Town_highway'
    pose = on_lane(name, 1, -3, 120.0)
    ahead = labeller(name)._map.get_waypoint_xodr(1, -4, 138.0).transform.location
    hidden = car(name, Transform(ahead.x, ahead.y, 0.0, 0.0, pose.yaw))
    seen = scene(name, pose, (hidden,))
    labels = labeller(name).label(seen.tags, CAMERA, pose.matrix(), depth_m=seen.depth)
    sides = {(border.road, border.lane): border.side for border in labels.borders}
    assert sides[1, -3] == 'right'
    assert sides[1, -2] == 'left'
    assert sides[1, -4] == 'other'
    assert labels.area is not None
    # Seen from the middle of the lane, half a metre inside of its borders, on flat ground.
    x, y, z = np.meshgrid([6.0, 10.0, 20.0, 40.0], [0.0, 3.75, -3.75], [-1.8], indexing='ij')
    local = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    flat = dataclasses.replace(pose, pitch=0.0).matrix()
    uv = CAMERA.project(CAMERA.to_optical(local @ flat[:3, :3].T + flat[:3, 3], pose.matrix()))
    for (forward, side, _), (u, v) in zip(local.tolist(), uv.tolist(), strict=True):
        if 0 <= u < WIDTH and 0 <= v < HEIGHT and seen.tags[int(v), int(u)] == ROADS:
            expected = 1 if side == 0.0 else 2
            assert labels.area[int(v), int(u)] == expected, (forward, side)
    assert not labels.area[(seen.tags != ROADS) & (seen.tags != ROAD_LINES)].any()
    for area in (1, 2, 3):
        assert (labels.area == area).sum() > 200


def test_the_place_of_the_vehicle_and_not_of_the_camera_decides() -> None:
    name = 'Town_highway'
    pose = on_lane(name, 1, -3, 120.0)
    seen = scene(name, pose)
    beside = labeller(name)._map.get_waypoint_xodr(1, -4, 120.0).transform
    labels = labeller(name).label(seen.tags, CAMERA, pose.matrix(), world_from_ego=beside)
    sides = {border.lane: border.side for border in labels.borders if border.road == 1}
    assert (sides[-3], sides[-4]) == ('left', 'right')


def test_facts_about_borders_are_plain_json() -> None:
    seen = scene('Town_grid', on_lane('Town_grid', 1, -1, 60.0))
    labels = labeller('Town_grid').label(seen.tags, CAMERA, seen.pose.matrix())
    facts = [dataclasses.asdict(border) for border in labels.borders]
    assert json.loads(json.dumps(facts)) == facts
    assert {'yellow solid solid', 'white broken'} <= {
        f'{border.colour} {border.kind}' for border in labels.borders
    }


def test_wrong_input_is_named() -> None:
    tags = np.zeros((36, 64), np.uint8)
    pose = np.eye(4)
    with pytest.raises(LaneSegError, match='expected tags of shape'):
        labeller('Town_grid').label(tags[1:], SMALL, pose)
    with pytest.raises(LaneSegError, match='uint8'):
        labeller('Town_grid').label(tags.astype(np.int64), SMALL, pose)
    with pytest.raises(LaneSegError, match='depth image'):
        labeller('Town_grid').label(tags, SMALL, pose, depth_m=np.zeros((4, 4), np.float32))
    with pytest.raises(LaneSegError, match='get_matrix'):
        labeller('Town_grid').label(tags, SMALL, np.full((4, 4), np.nan))
    with pytest.raises(LaneSegError, match='slack_m'):
        LabelOptions(slack_m=-0.1)
    with pytest.raises(LaneSegError, match='expected a CARLA version'):
        LaneLabeller(carla.Map('Town_grid', town('Town_grid').opendrive), 'newest')
    with pytest.raises(LaneSegError, match='lanes to drive on'):
        LaneLabeller(carla.Map('Nowhere', NO_ROADS), VERSION)
