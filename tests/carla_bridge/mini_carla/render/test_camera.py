"""Projection, culling and clipping of the renderer's camera."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.render.camera import NEAR_M, OVERSAMPLING, SHIFT, Ragged, View
from carla_bridge.pinhole import PinholeCamera as Spec

SPEC = Spec(160, 90, 90.0)

angles = st.floats(-180.0, 180.0)
places = st.floats(-500.0, 500.0)
transforms = st.builds(Transform, places, places, places, st.floats(-80, 80), angles, angles)


def pixels_of(outline: NDArray[np.int32]) -> NDArray[np.float64]:
    """Turn what OpenCV draws back into image coordinates (u, v)."""
    return outline / (OVERSAMPLING << SHIFT) + 0.5


@given(transforms, st.floats(1.0, 100.0), st.floats(-1.0, 1.0), st.floats(-0.5, 0.5))
def test_a_point_on_a_pixels_ray_projects_to_that_pixel(
    transform: Transform, depth: float, right: float, up: float
) -> None:
    local = np.array([depth, right * depth, up * depth, 1.0])
    world = (transform.matrix() @ local)[:3]
    view = View(SPEC, transform)
    camera = view.to_camera(world)
    np.testing.assert_allclose(camera, [right * depth, -up * depth, depth], atol=1e-6)
    np.testing.assert_allclose(view.project(camera), [80 + 80 * right, 45 - 80 * up], atol=1e-4)


@given(st.integers(2, 4000), st.floats(10.0, 150.0))
def test_the_field_of_view_spans_the_width(width: int, fov: float) -> None:
    half = width / 2 / Spec(width, 10, fov).focal
    assert math.degrees(2 * math.atan(half)) == pytest.approx(fov)


@given(transforms, st.floats(-1.0, 1.0), st.floats(-0.5, 0.5))
def test_the_inverse_depth_of_a_plane_is_that_of_its_points(
    transform: Transform, right: float, down: float
) -> None:
    view = View(SPEC, transform)
    normal = np.array([[0.2, -0.3, 0.9]]) / np.linalg.norm([0.2, -0.3, 0.9])
    ray = view.rotation.T @ np.array([right, down, 1.0])
    point = view.origin + 7.0 * ray  # depth 7
    if abs(float((normal @ ray).item())) < 0.05:
        return
    a, b, c = view.inverse_depth(normal, point[None])[0].tolist()
    assert 1.0 / (a * right + b * down + c) == pytest.approx(7.0, rel=1e-3)


def test_a_polygon_behind_the_camera_vanishes_and_one_beside_it_is_cut() -> None:
    view = View(SPEC, Transform())
    behind = np.array([[-1.0, 1, -5], [1, 1, -5], [0, 1, -3]])
    beside = np.array([[-1.0, 1, -5], [1, 1, -5], [1, 1, 20], [-1, 1, 20]])
    gone, cut = view.outlines(Ragged.of([behind, beside]))
    assert gone is None
    assert cut is not None
    far = pixels_of(cut)[pixels_of(cut)[:, 1] < 50]
    np.testing.assert_allclose(sorted(far[:, 0]), [80 - 4, 80 + 4], atol=0.02)


@given(st.lists(st.tuples(*[st.floats(-2000.0, 2000.0)] * 3), min_size=3, max_size=3))
def test_outlines_stay_within_what_opencv_can_walk(corners: list[tuple[float, ...]]) -> None:
    (outline,) = View(SPEC, Transform()).outlines(Ragged.of([np.array(corners)]))
    if outline is not None:
        u, v = pixels_of(outline).T
        assert np.abs(u - 80).max() <= 6.01 * 80
        assert np.abs(v - 45).max() <= 6.01 * 45


def test_a_clipped_polygon_keeps_its_part_of_the_picture() -> None:
    # A floor from behind the camera to far ahead covers the lower half, whatever is cut off.
    view = View(SPEC, Transform())
    floor = np.array([[-4000.0, 1, -4000], [4000, 1, -4000], [4000, 1, 4000], [-4000, 1, 4000]])
    (outline,) = view.outlines(Ragged.of([floor]))
    assert outline is not None
    u, v = pixels_of(outline).T
    assert u.min() < 0 < 160 < u.max()
    assert v.max() > 90
    assert v.min() == pytest.approx(45 + 80 / 4000, abs=0.05)


@given(transforms, st.tuples(places, places, places), st.floats(0.1, 50.0))
def test_nothing_that_shows_is_culled(
    transform: Transform, centre: tuple[float, float, float], radius: float
) -> None:
    view = View(SPEC, transform)
    camera = view.to_camera(np.array([centre]))
    steps = np.random.default_rng(0).normal(size=(200, 3))
    points = camera + radius * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    points = points[points[:, 2] > NEAR_M]
    uv = view.project(points)
    shows = ((uv >= 0) & (uv < (160, 90))).all(axis=1).any()
    assert view.in_sight(camera, np.array([radius]))[0] or not shows


def test_choosing_polygons_keeps_their_corners() -> None:
    shapes = [np.full((n, 3), n, np.float64) for n in (3, 5, 4)]
    chosen = Ragged.of(shapes).chosen(np.array([2, 0]))
    assert chosen.counts.tolist() == [4, 3]
    assert chosen.points[:, 0].tolist() == [4.0] * 4 + [3.0] * 3
