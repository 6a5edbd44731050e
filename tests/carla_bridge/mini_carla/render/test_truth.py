"""Labels and depth against geometry that is worked out here a second time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.render import Renderer, Weather
from carla_bridge.mini_carla.towns import available_towns, load_town
from carla_bridge.pinhole import PinholeCamera
from tests.carla_bridge.mini_carla.render.small_town import (
    MARKS,
    focal_length,
    hill,
    level,
    local_to,
    pixel_rays,
    projected,
    signed_distance,
    straight_town,
    strip,
    vehicle,
)

ROAD_LINES, ROAD, SKY, CAR = 24, 1, 11, 14
STANDING = (3, 4, 6, 7, 9, 28)  # tags of what may hide a mark
CAMERA = PinholeCamera(160, 90, 80.0)
PIXELS = np.argwhere(np.ones((90, 160), np.bool_))[:, ::-1] + 0.5
LEVEL = Renderer(straight_town(), 1)

poses = st.builds(
    Transform,
    x=st.floats(0.0, 60.0),
    y=st.floats(-3.0, 3.0),
    z=st.floats(1.2, 3.0),
    pitch=st.floats(-20.0, 2.0),
    yaw=st.floats(-25.0, 25.0),
    roll=st.floats(-6.0, 6.0),
)


def semantic(renderer: Renderer, pose: Transform) -> NDArray[np.generic]:
    return renderer.render(CAMERA, pose, (), Weather(), ('semantic',), 0)['semantic']


def sees_ground(pose: Transform, near: float, far: float) -> NDArray[np.bool_]:
    """Pixels (H * W,) that see level ground at a depth between `near` and `far` metres."""
    falling = np.minimum(pixel_rays(CAMERA, pose)[:, 2], -1e-9)
    depth = -pose.z / falling
    seen: NDArray[np.bool_] = (depth > near) & (depth < far)
    return seen


@settings(max_examples=25)
@given(poses)
def test_borders_of_marks_agree_with_the_projection_to_a_pixel(pose: Transform) -> None:
    found = semantic(LEVEL, pose).ravel() == ROAD_LINES
    inside = np.full(len(PIXELS), -np.inf)
    for y, width, _ in MARKS:
        whole = projected(strip(y, width, -12, 180, level), CAMERA, pose)
        inside = np.maximum(inside, signed_distance(whole, PIXELS))
    known = sees_ground(pose, 0.5, 100.0)
    assert found[known & (inside > 1.0)].all()
    assert not found[known & (inside < -1.0)].any()


@settings(max_examples=25)
@given(poses)
def test_depth_of_level_ground_is_that_of_the_ray(pose: Transform) -> None:
    seen = LEVEL.render(CAMERA, pose, (), Weather(), ('depth', 'semantic'), 0)
    label, metres = seen['semantic'], seen['depth']
    paved = np.isin(label.ravel(), (ROAD, ROAD_LINES)) & sees_ground(pose, 0.5, 150.0)
    wanted = -pose.z / pixel_rays(CAMERA, pose)[:, 2]
    np.testing.assert_allclose(metres.ravel()[paved], wanted[paved], rtol=2e-3)
    assert (metres[label == SKY] == 1000.0).all()


def test_depth_and_label_of_a_box_are_those_of_its_front() -> None:
    pose = Transform(z=1.5)
    car = vehicle(12.3, 0.0)
    seen = LEVEL.render(CAMERA, pose, (car,), Weather(), ('depth', 'semantic', 'instance'), 0)
    rear = np.array(
        [(10.0, y, z) for y, z in ((-0.95, 0.3), (0.95, 0.3), (0.95, 0.75), (-0.95, 0.75))]
    )
    inner = signed_distance(projected(rear, CAMERA, pose), PIXELS) > 1.0
    assert inner.sum() > 25
    assert (seen['semantic'].ravel()[inner] == CAR).all()
    assert (seen['instance'][..., 1].ravel()[inner] == 77).all()
    np.testing.assert_allclose(seen['depth'].ravel()[inner], 10.0, rtol=1e-4)


def test_nothing_of_a_vehicle_shows_outside_its_box() -> None:
    pose = Transform(z=1.6, y=-2.0)
    car = vehicle(11.0, 1.0, yaw=35.0)
    label = LEVEL.render(CAMERA, pose, (car,), Weather(), ('semantic',), 0)['semantic']
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    corners = np.c_[signs * car.extent, np.ones(8)] @ car.transform.matrix().T
    hull = projected(corners[:, :3], CAMERA, pose)
    shown = PIXELS[label.ravel() == CAR]
    assert len(shown) > 100
    low, high = hull.min(axis=0), hull.max(axis=0)
    assert (shown > low - 1).all()
    assert (shown < high + 1).all()


def test_a_crest_hides_the_road_and_a_car_behind_it() -> None:
    renderer = Renderer(straight_town(hill), 1)
    pose = Transform(x=10.0, y=1.0, z=hill(10.0, 0.0) + 1.5)
    behind = vehicle(75.0, 1.0, z=hill(75.0, 0.0))
    on_top = vehicle(47.0, 1.0, z=hill(47.0, 0.0))
    both = renderer.render(CAMERA, pose, (behind,), Weather(), ('instance', 'depth'), 0)
    assert not (both['instance'][..., 0] == CAR).any()
    # The valley behind is lower than the crest: nothing between the crest and the sky is farther.
    columns = both['depth'][:, 74:86]
    assert columns[columns < 999].max() < 60.0
    visible = renderer.render(CAMERA, pose, (on_top,), Weather(), ('semantic',), 0)['semantic']
    assert (visible == CAR).sum() > 20


def test_a_crest_cuts_the_lower_part_of_a_car_that_looks_over_it() -> None:
    renderer = Renderer(straight_town(hill), 1)
    pose = Transform(x=10.0, z=hill(10.0, 0.0) + 1.5)

    def rows_of_car(x: float, lift: float) -> NDArray[np.intp]:
        car = vehicle(x, 0.0, z=hill(x, 0.0) + lift)
        label = renderer.render(CAMERA, pose, (car,), Weather(), ('semantic',), 0)['semantic']
        return np.flatnonzero((label == CAR).any(axis=1))

    # The line of sight over the crest passes about 3 m above the road at 62 m.
    whole, partly = rows_of_car(62.0, 8.0), rows_of_car(62.0, 2.6)
    assert 0 < len(partly) < len(whole)


@pytest.mark.parametrize('name', available_towns())
def test_paint_of_every_town_lies_where_its_polygons_say(name: str) -> None:
    town = load_town(name)
    renderer = Renderer(town, 0)
    for index in (5, len(town.spawn_points) // 2):
        place = town.spawn_points[index]
        height = town.height(place.x, place.y) + 1.6
        pose = Transform(place.x, place.y, height, place.pitch - 4.0, place.yaw, 0.0)
        pixels = PIXELS[semantic(renderer, pose).ravel() == ROAD_LINES]
        assert len(pixels) > 40
        inside = np.full(len(pixels), -np.inf)
        for surface in town.surfaces:
            if surface.kind in ('lane_mark', 'crosswalk', 'stop_line', 'arrow'):
                polygon = projected(surface.vertices, CAMERA, pose)
                inside = np.maximum(inside, signed_distance(polygon, pixels))
        assert inside.min() > -1.0


@pytest.mark.parametrize('name', available_towns())
def test_solid_borders_of_every_town_are_labelled(name: str) -> None:
    town = load_town(name)
    renderer = Renderer(town, 0)
    checked = 0
    for index in range(3, len(town.spawn_points), len(town.spawn_points) // 25):
        place = town.spawn_points[index]
        height = town.height(place.x, place.y) + 1.6
        pose = Transform(place.x, place.y, height, place.pitch - 6.0, place.yaw, 0.0)
        label = semantic(renderer, pose)
        for border in town.borders:
            if border.kind != 'solid':
                continue
            ahead = local_to(border.points, pose)[:, 0]
            # Along the view the paint is more than three pixels wide here.
            chosen = (ahead > 2.0) & (ahead < focal_length(CAMERA) * border.width_m / 3)
            for u, v in projected(border.points[chosen], CAMERA, pose).tolist():
                if 1 < u < CAMERA.width - 1 and 1 < v < CAMERA.height - 1:
                    checked += 1
                    row, column = int(v), int(u)
                    around = label[row - 1 : row + 2, column - 1 : column + 2]
                    assert np.isin(around, (ROAD_LINES, *STANDING)).any(), (border, u, v)
    assert checked > 3
