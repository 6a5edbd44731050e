"""The whole scene: reproducible, every size, picture and label agree."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lane_seg_scene
from lane_seg_scene import BACKGROUND, LANE_MARKING, ROAD, RoadScene

SIZES = [(64, 48), (48, 64), (33, 1001), (1001, 33), (361, 641), (720, 1280), (600, 200)]


def small(seed: int) -> RoadScene:
    return RoadScene(seed, height=180, width=320)


def test_the_same_seed_and_time_give_the_same_bytes_in_any_order() -> None:
    first, second = small(7), small(7)
    times = [0.0, 1.5, 20.25, -3.0]
    expected = [first.frame(t) for t in times]
    for t, frame in reversed(list(zip(times, expected, strict=True))):
        again = second.frame(t)
        assert again.image.tobytes() == frame.image.tobytes()
        assert again.label.tobytes() == frame.label.tobytes()
        assert again.time_s == t


def test_a_frame_does_not_share_memory_with_the_next() -> None:
    scene = small(2)
    first = scene.frame(0.0)
    copy = first.image.copy()
    scene.frame(1.0)
    np.testing.assert_array_equal(first.image, copy)


def test_different_seeds_and_times_give_different_pictures() -> None:
    pictures = {small(seed).frame(0.0).image.tobytes() for seed in range(8)}
    scene = small(0)
    pictures |= {scene.frame(t).image.tobytes() for t in (0.5, 1.0, 1.5)}
    assert len(pictures) == 11


@pytest.mark.parametrize(('height', 'width'), SIZES)
def test_every_size_is_rendered_with_road_in_it(height: int, width: int) -> None:
    frame = RoadScene(4, height=height, width=width).frame(2.0)
    assert frame.image.shape == (height, width, 3)
    assert frame.image.dtype == np.uint8
    assert frame.label.shape == (height, width)
    assert frame.label.dtype == np.uint8
    assert (frame.label == ROAD).mean() > 0.05


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    height=st.integers(32, 200),
    width=st.integers(32, 300),
    fov_deg=st.floats(20.0, 130.0),
    time_s=st.floats(-1e4, 1e6),
)
def test_whatever_is_asked_for_is_rendered(
    seed: int, height: int, width: int, fov_deg: float, time_s: float
) -> None:
    scene = RoadScene(seed, height=height, width=width, fov_deg=fov_deg)
    frame = scene.frame(time_s)
    assert frame.image.shape == (height, width, 3)
    assert set(np.unique(frame.label)) <= {BACKGROUND, ROAD, LANE_MARKING}
    assert np.isfinite(scene.camera_matrix).all()


@pytest.mark.parametrize('seed', range(30))
def test_every_seed_shows_road_ahead_and_markings_and_no_road_in_the_sky(seed: int) -> None:
    scene = small(seed)
    road = marking = 0.0
    for time_s in (0.0, 4.0, 9.0):
        frame = scene.frame(time_s)
        road += float((frame.label == ROAD).mean()) / 3
        marking += float((frame.label == LANE_MARKING).mean()) / 3
        horizon = math.floor(scene.camera(time_s).horizon)
        assert not frame.label[:horizon].any()
        assert 20 < frame.image.mean() < 235
    assert road > 0.15
    assert marking > 0.001


@pytest.mark.parametrize('seed', range(12))
def test_paint_is_brighter_than_the_road_beside_it(seed: int) -> None:
    frame = RoadScene(seed, height=360, width=640).frame(3.0)
    grey = frame.image[180:].max(axis=2).astype(np.float64)  # yellow is bright in red only
    label = frame.label[180:]
    for rows in np.array_split(np.arange(label.shape[0]), 4)[1:]:
        paint, road = label[rows] == LANE_MARKING, label[rows] == ROAD
        near = np.zeros_like(road)
        for shift in range(-8, 9):
            near |= np.roll(paint, shift, axis=1)
        near &= road
        if paint.sum() > 60:
            assert grey[rows][paint].mean() > grey[rows][near].mean() + 5


def test_what_stands_in_front_of_the_road_is_background() -> None:
    """The label of a moment must differ from the bare road where cars are."""
    hidden = 0
    for seed in range(10):
        scene = small(seed)
        frame = scene.frame(1.0)
        rows = np.flatnonzero((frame.label > 0).any(axis=1))
        for row in rows:
            inside = np.flatnonzero(frame.label[row])
            hidden += int((frame.label[row, inside[0] : inside[-1]] == BACKGROUND).sum())
    assert hidden > 200


def test_the_camera_matrix_is_that_of_a_centred_pinhole() -> None:
    scene = RoadScene(0, height=720, width=1280, fov_deg=90.0)
    expected = [[640.0, 0.0, 640.0], [0.0, 640.0, 360.0], [0.0, 0.0, 1.0]]
    np.testing.assert_allclose(scene.camera_matrix, expected)


def test_the_car_drives_at_about_twenty_metres_per_second() -> None:
    for seed in range(5):
        scene = small(seed)
        assert 15.0 < scene.position(1.0) - scene.position(0.0) < 25.0


@pytest.mark.parametrize('size', [0, -5, 31, 4097, 64.0, True])
def test_a_bad_size_is_refused_with_its_name(size: int) -> None:
    with pytest.raises(ValueError, match='height must be an integer from 32 to 4096'):
        RoadScene(0, height=size)
    with pytest.raises(ValueError, match='width must be an integer from 32 to 4096'):
        RoadScene(0, width=size)


@pytest.mark.parametrize('fov_deg', [0.0, 180.0, math.nan])
def test_a_bad_field_of_view_is_refused(fov_deg: float) -> None:
    with pytest.raises(ValueError, match='fov_deg must be from 20 to 130'):
        RoadScene(0, fov_deg=fov_deg)


def test_a_bad_seed_or_time_is_refused() -> None:
    with pytest.raises(ValueError, match='seed must be an integer >= 0'):
        RoadScene(-1)
    with pytest.raises(ValueError, match='finite'):
        small(0).frame(math.inf)


def test_importing_the_package_needs_numpy_and_opencv_only() -> None:
    code = (
        'import sys; import lane_seg_scene; '
        'heavy = {"torch", "rclpy", "onnx", "openvino", "lane_seg"} & set(sys.modules); '
        'sys.exit(str(heavy) if heavy else 0)'
    )
    package = Path(lane_seg_scene.__file__).parents[1]
    subprocess.run([sys.executable, '-c', code], check=True, cwd=package)
