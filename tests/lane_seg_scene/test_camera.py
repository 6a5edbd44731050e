"""The pinhole camera: projection of known points, the ground, near clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_scene.camera import NEAR_M, PinholeCamera, clip_near


def test_a_point_on_the_axis_lands_on_the_principal_point() -> None:
    camera = PinholeCamera(height=720, width=1280, fov_deg=90.0, z=1.5)
    uv = camera.project(camera.to_camera(np.array([10.0, 0.0, 1.5])))
    np.testing.assert_allclose(uv, [640.0, 360.0])


def test_a_known_ground_point_lands_where_the_hand_calculation_says() -> None:
    camera = PinholeCamera(height=720, width=1280, fov_deg=90.0, z=1.6)
    # Focal length 640: 10 m ahead, 2 m left, 1.6 m below.
    uv = camera.project(camera.to_camera(np.array([10.0, 2.0, 0.0])))
    np.testing.assert_allclose(uv, [640.0 - 128.0, 360.0 + 102.4])


def test_the_matrix_projects_like_the_camera() -> None:
    camera = PinholeCamera(height=480, width=640, fov_deg=70.0, z=1.4, yaw=0.1, pitch=-0.05)
    point = camera.to_camera(np.array([20.0, -3.0, 0.5]))
    homogeneous = camera.matrix @ point
    np.testing.assert_allclose(homogeneous[:2] / homogeneous[2], camera.project(point))


def test_looking_left_moves_the_picture_right_and_looking_up_moves_it_down() -> None:
    point = np.array([20.0, 0.0, 1.5])
    left = PinholeCamera(height=480, width=640, fov_deg=70.0, yaw=0.1)
    up = PinholeCamera(height=480, width=640, fov_deg=70.0, pitch=0.1)
    assert left.project(left.to_camera(point))[0] > 320
    assert up.project(up.to_camera(point))[1] > 240


@given(
    pitch=st.floats(-0.2, 0.05),
    z=st.floats(1.0, 2.5),
    distance=st.floats(4.0, 300.0),
    side=st.floats(-20.0, 20.0),
)
def test_rows_of_the_ground_agree_with_the_projection(
    pitch: float, z: float, distance: float, side: float
) -> None:
    camera = PinholeCamera(height=720, width=1280, fov_deg=70.0, z=z, pitch=pitch)
    u, v = camera.project(camera.to_camera(np.array([distance, side, 0.0])))
    row = np.array([v])
    assert v > camera.horizon
    assert camera.ground_distance(row)[0] == pytest.approx(distance, rel=1e-6)
    assert (camera.width / 2 - u) * camera.ground_scale(row)[0] == pytest.approx(side, abs=1e-6)


def test_a_polygon_in_front_is_not_clipped() -> None:
    square = np.array([[0.0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
    np.testing.assert_array_equal(clip_near(square), square)


def test_a_polygon_behind_vanishes() -> None:
    assert clip_near(np.array([[0.0, 0, -1], [1, 0, -1], [1, 1, 0.1]])).shape == (0, 3)


@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50)),
        min_size=3,
        max_size=8,
    )
)
def test_nothing_is_left_in_front_of_the_near_plane(points: list[tuple[float, ...]]) -> None:
    clipped = clip_near(np.array(points))
    assert clipped.shape[1] == 3
    assert (clipped[:, 2] >= NEAR_M).all()
    assert np.isfinite(clipped).all()


def test_a_line_that_crosses_the_near_plane_is_cut_on_it() -> None:
    triangle = np.array([[0.0, 0, -1 + NEAR_M], [0, 0, 1 + NEAR_M], [2, 0, 1 + NEAR_M]])
    clipped = clip_near(triangle)
    on_plane = clipped[np.isclose(clipped[:, 2], NEAR_M)]
    np.testing.assert_allclose(sorted(on_plane[:, 0]), [0.0, 1.0])


def test_the_field_of_view_sets_the_focal_length() -> None:
    camera = PinholeCamera(height=100, width=200, fov_deg=60.0)
    assert camera.focal == pytest.approx(100 / math.tan(math.radians(30)))
