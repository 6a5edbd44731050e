"""What the renderer returns, and what weather, wear and time change in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.render import PICTURES, Renderer, Weather
from carla_bridge.pinhole import PinholeCamera
from lane_seg.errors import LaneSegError
from tests.carla_bridge.mini_carla.render.small_town import (
    hill,
    level,
    straight_town,
    vehicle,
)

ROAD, BUILDING, ROAD_LINES, CAR, TERRAIN, SKY = 1, 3, 24, 14, 10, 11
CAMERA = PinholeCamera(160, 90, 90.0)
POSE = Transform(x=2.0, z=1.6, pitch=-6.0)
HOUSE = Box('building', Transform(30.0, -14.0, 3.0), (6.0, 4.0, 5.0), (90, 120, 150), 12)
TREE = Box('crown', Transform(25.0, 8.0, 5.0), (2.0, 2.0, 2.2), (40, 90, 50), 13)
LAMP = Box('pole', Transform(18.0, 5.6, 3.5), (0.08, 0.08, 3.5), (120, 120, 120), 14)
TOWN = straight_town(boxes=(HOUSE, TREE, LAMP))
RENDERER = Renderer(TOWN, 5)


def picture(weather: Weather, frame: int = 0, boxes: tuple[Box, ...] = ()) -> NDArray[np.float64]:
    """Return B, G, R of the test view, (H, W, 3)."""
    seen = RENDERER.render(CAMERA, POSE, boxes, weather, ('rgb',), frame)
    return seen['rgb'][..., :3].astype(np.float64)


def labels(boxes: tuple[Box, ...] = ()) -> NDArray[np.generic]:
    return RENDERER.render(CAMERA, POSE, boxes, Weather(), ('semantic',), 0)['semantic']


def test_every_picture_has_its_shape_and_type() -> None:
    seen = RENDERER.render(CAMERA, POSE, (vehicle(12.0, 1.0),), Weather(), PICTURES, 0)
    assert {kind: (array.shape, array.dtype.name) for kind, array in seen.items()} == {
        'rgb': ((90, 160, 4), 'uint8'),
        'semantic': ((90, 160), 'uint8'),
        'instance': ((90, 160, 2), 'uint16'),
        'depth': ((90, 160), 'float32'),
    }
    assert (seen['rgb'][..., 3] == 255).all()
    np.testing.assert_array_equal(seen['instance'][..., 0], seen['semantic'])


def test_only_what_is_asked_for_is_returned_and_an_unknown_kind_is_refused() -> None:
    assert set(RENDERER.render(CAMERA, POSE, (), Weather(), ('depth',), 0)) == {'depth'}
    with pytest.raises(LaneSegError, match='lidar'):
        RENDERER.render(CAMERA, POSE, (), Weather(), ('lidar',), 0)


def test_equal_arguments_give_equal_arrays_whatever_was_drawn_before() -> None:
    rain = Weather(precipitation=80.0, cloudiness=90.0, wetness=70.0)
    boxes = (vehicle(12.0, 1.0),)
    first = Renderer(TOWN, 5).render(CAMERA, POSE, boxes, rain, PICTURES, 41)
    RENDERER.render(CAMERA, Transform(x=70.0, z=2.0), (), Weather(), PICTURES, 3)
    again = RENDERER.render(CAMERA, POSE, boxes, rain, PICTURES, 41)
    for kind in PICTURES:
        np.testing.assert_array_equal(first[kind], again[kind])


def test_frame_and_seed_change_the_picture_and_not_the_labels() -> None:
    rain = Weather(precipitation=80.0)
    one, two = (RENDERER.render(CAMERA, POSE, (), rain, PICTURES, n) for n in (1, 2))
    other = Renderer(TOWN, 6).render(CAMERA, POSE, (), rain, PICTURES, 1)
    for changed in (two, other):
        assert (one['rgb'] != changed['rgb']).any()
        for kind in ('semantic', 'instance', 'depth'):
            np.testing.assert_array_equal(one[kind], changed[kind])


def test_a_town_without_boxes_or_without_anything_can_be_drawn() -> None:
    for height in (level, hill):
        seen = Renderer(straight_town(height), 0).render(CAMERA, POSE, (), Weather(), PICTURES, 0)
        assert (seen['semantic'] == ROAD).any()
    nothing = Town('Town_empty', '', (), (), (), ())
    seen = Renderer(nothing, 0).render(CAMERA, POSE, (), Weather(), PICTURES, 0)
    assert set(np.unique(seen['semantic'])) == {TERRAIN, SKY}


def test_old_versions_get_their_own_tags() -> None:
    old = Renderer(TOWN, 5, version='0.9.13').render(
        CAMERA, POSE, (vehicle(12.0, 0.0),), Weather(), ('semantic',), 0
    )['semantic']
    new = labels((vehicle(12.0, 0.0),))
    for theirs, ours in ((7, ROAD), (6, ROAD_LINES), (10, CAR), (1, BUILDING)):
        np.testing.assert_array_equal(old == theirs, new == ours)


def test_paint_is_brighter_than_road_and_yellow_paint_is_yellow() -> None:
    seen = RENDERER.render(CAMERA, POSE, (), Weather(), ('rgb', 'instance'), 0)
    bgr = seen['rgb'][60:, :, :3].astype(np.float64)
    instance = seen['instance'][60:, :, 1]
    road, white, yellow = (bgr[instance == number].mean(axis=0) for number in (1, 4, 3))
    assert white.min() > road.max() + 40
    assert yellow[1] > road.max() + 15
    assert yellow[2] > yellow[0] + 40


def test_worn_paint_fades_and_paint_that_is_gone_is_not_labelled() -> None:
    def paint(wear: float) -> tuple[float, int]:
        renderer = Renderer(straight_town(wear=wear), 5)
        seen = renderer.render(CAMERA, POSE, (), Weather(), ('rgb', 'semantic'), 0)
        mark = seen['semantic'] == ROAD_LINES
        pixels = seen['rgb'][mark][:, :3].astype(float)
        return (float(pixels.mean()) if mark.any() else 0.0), int(mark.sum())

    fresh, worn, gone = paint(0.0), paint(0.6), paint(1.0)
    assert fresh[0] > worn[0] + 15
    assert fresh[1] == worn[1] > 0
    assert gone[1] == 0


def test_a_car_hides_the_paint_behind_it() -> None:
    car = vehicle(9.0, 0.0)  # on the yellow line
    before, after = labels(), labels((car,))
    body = after == CAR
    assert body.sum() > 100
    assert (before[body] == ROAD_LINES).sum() > 5
    np.testing.assert_array_equal(before[~body], after[~body])


def test_nearer_cars_hide_farther_ones() -> None:
    low = Box('vehicle', Transform(20.0, 0.0, 0.5), (2.2, 0.8, 0.5), (9, 9, 9), 5)
    alone, both = (
        RENDERER.render(CAMERA, POSE, boxes, Weather(), ('instance',), 0)['instance'][..., 1]
        for boxes in ((low,), (low, vehicle(9.0, 0.0)))
    )
    assert (alone == 5).sum() > 20
    assert (both == 77).any()
    assert not (both == 5).any()


def test_night_is_dark_but_for_the_head_lamps_and_street_lamps() -> None:
    noon, night = picture(Weather()), picture(Weather(sun_altitude_angle=-60.0))
    assert night.mean() < 0.5 * noon.mean()
    assert night[70:, 60:100].mean() > 2 * night[:20].mean()


def test_fog_hides_what_is_far_and_spares_what_is_near() -> None:
    seen = RENDERER.render(CAMERA, POSE, (), Weather(), ('semantic',), 0)['semantic']
    house = seen == BUILDING
    assert house.sum() > 50
    clear, foggy = picture(Weather()), picture(Weather(fog_density=100.0, fog_distance=0.0))

    def contrast(image: NDArray[np.float64]) -> float:
        return float(np.abs(image[house].mean(axis=0) - image[30:40, 60:100].mean((0, 1))).max())

    assert contrast(foggy) < 0.6 * contrast(clear)
    assert np.abs(clear[85:] - foggy[85:]).mean() < 40


def test_rain_darkens_the_road_and_shows_streaks() -> None:
    overcast = Weather(cloudiness=100.0)
    wet = Weather(cloudiness=100.0, wetness=100.0)
    rain = Weather(cloudiness=100.0, wetness=100.0, precipitation=100.0)
    road = labels() == ROAD
    road[:75] = False  # far ahead the wet road mirrors the sky instead
    assert picture(wet)[road].mean() < 0.9 * picture(overcast)[road].mean()
    frames = np.stack([picture(rain, frame) for frame in range(4)])
    calm = np.stack([picture(wet, frame) for frame in range(4)])
    assert frames[:, :30].std(axis=0).mean() > 2 * calm[:, :30].std(axis=0).mean()


def test_a_shadow_lies_on_the_side_away_from_the_sun() -> None:
    post = Box('wall', Transform(12.0, 0.0, 1.0), (0.5, 0.5, 1.0), (90, 90, 90), 3)
    road = labels((post,)) == ROAD
    for azimuth, side in ((90.0, -1), (-90.0, 1)):
        weather = Weather(sun_azimuth_angle=azimuth, sun_altitude_angle=40.0)
        change = picture(weather, boxes=(post,)) - picture(weather)
        darker = (change.mean(axis=2) < -15) & road
        columns = np.flatnonzero(darker.any(axis=0))
        assert darker.sum() > 10
        assert np.sign(columns.mean() - 80) == side


def test_clouds_grey_the_sky_and_sunset_warms_it() -> None:
    def sky(weather: Weather) -> NDArray[np.float64]:
        colour: NDArray[np.float64] = picture(weather)[:15].mean(axis=(0, 1))
        return colour

    clear, cloudy = sky(Weather(cloudiness=0.0)), sky(Weather(cloudiness=100.0))
    assert clear[0] - clear[2] > 3 * abs(cloudy[0] - cloudy[2])
    low_sun = Weather(cloudiness=0.0, sun_altitude_angle=4.0, sun_azimuth_angle=0.0)
    assert sky(low_sun)[2] / sky(low_sun)[0] > clear[2] / clear[0]


percent = st.floats(-20.0, 120.0)


@settings(max_examples=15)
@given(
    st.builds(
        Transform,
        st.floats(-40, 200), st.floats(-40, 40), st.floats(0.05, 60),
        st.floats(-90, 90), st.floats(-180, 180), st.floats(-180, 180),
    ),
    st.builds(
        Weather, percent, percent, percent, percent, st.floats(-360, 360), st.floats(-90, 90),
        percent, st.floats(0, 100), st.floats(0, 5), percent,
    ),
    st.tuples(st.integers(1, 70), st.integers(1, 70), st.floats(20.0, 150.0)),
)  # fmt: skip
def test_any_pose_size_and_weather_can_be_drawn(
    pose: Transform, weather: Weather, size: tuple[int, int, float]
) -> None:
    seen = RENDERER.render(PinholeCamera(*size), pose, (vehicle(12.0, 1.0),), weather, PICTURES, 0)
    assert seen['rgb'].shape == (size[1], size[0], 4)
    assert np.isfinite(seen['depth']).all()
    assert (seen['depth'] > 0).all()
