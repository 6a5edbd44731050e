"""CARLA's projection, checked against the client's own matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.pinhole import OPTICAL_FROM_CARLA, PinholeCamera

CAMERA = PinholeCamera(width=1280, height=720, fov_deg=90.0)
ANGLES = st.floats(-180.0, 180.0)
METRES = st.floats(-50.0, 50.0)
TRANSFORMS = st.builds(
    Transform, x=METRES, y=METRES, z=METRES, pitch=ANGLES, yaw=ANGLES, roll=ANGLES
)


def in_world(transform: Transform, *local: float) -> NDArray[np.float64]:
    """World place of a point given in the frame of the sensor."""
    return (transform.matrix() @ np.array([*local, 1.0]))[:3]


def test_the_matrix_is_that_of_the_field_of_view() -> None:
    half = math.atan(CAMERA.matrix[0, 2] / CAMERA.matrix[0, 0])
    assert math.degrees(2 * half) == pytest.approx(90.0)
    np.testing.assert_allclose(CAMERA.matrix, [[640, 0, 640], [0, 640, 360], [0, 0, 1]])


def test_optical_axes_are_right_down_and_ahead() -> None:
    ahead, right, up = np.eye(3)
    np.testing.assert_array_equal(OPTICAL_FROM_CARLA @ ahead, [0, 0, 1])
    np.testing.assert_array_equal(OPTICAL_FROM_CARLA @ right, [1, 0, 0])
    np.testing.assert_array_equal(OPTICAL_FROM_CARLA @ up, [0, -1, 0])


@given(TRANSFORMS)
def test_what_is_straight_ahead_is_in_the_middle(transform: Transform) -> None:
    optical = CAMERA.to_optical(in_world(transform, 10.0, 0.0, 0.0)[None], transform.matrix())
    np.testing.assert_allclose(optical, [[0.0, 0.0, 10.0]], atol=1e-9)
    np.testing.assert_allclose(CAMERA.project(optical), [[640.0, 360.0]], atol=1e-6)


@given(TRANSFORMS)
def test_what_is_right_and_high_is_right_and_high_in_the_image(transform: Transform) -> None:
    point = in_world(transform, 8.0, 4.0, 2.0)
    (u, v) = CAMERA.project(CAMERA.to_optical(point, transform.matrix()))
    assert (u, v) == (pytest.approx(640 + 640 * 0.5), pytest.approx(360 - 640 * 0.25))
