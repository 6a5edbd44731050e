"""Paint on the ground: its area, its place and its dashes in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_scene.camera import PinholeCamera
from lane_seg_scene.ground import GroundRows, ground_rows, paint_pixels
from lane_seg_scene.road import CentreLine, Marking, RoadPiece

STRAIGHT = CentreLine((0.0,), (500.0,), (0.0,))
CAMERA = PinholeCamera(height=720, width=1280, fov_deg=70.0, z=1.5)


def rows_of(camera: PinholeCamera, line: CentreLine = STRAIGHT) -> tuple[GroundRows, RoadPiece]:
    piece = line.piece(0.0)
    return ground_rows(camera, piece), piece


@settings(deadline=None, max_examples=40)
@given(t=st.floats(-6, 6), width=st.floats(0.1, 0.5))
def test_a_solid_line_covers_as_much_as_it_measures(t: float, width: float) -> None:
    rows, _ = rows_of(CAMERA)
    paint = paint_pixels(rows, (Marking(left=t + width / 2, right=t - width / 2),))
    area = np.bincount(paint.row, paint.coverage, CAMERA.height)[rows.first :]
    left, right = rows.column(t + width / 2), rows.column(t - width / 2)
    inside = (left > 10) & (right < CAMERA.width - 10)
    expected = width / rows.scale[inside]
    np.testing.assert_allclose(area[inside], expected, rtol=0.03, atol=0.3)
    assert area[inside].sum() == pytest.approx(expected.sum(), rel=0.01)


def test_a_solid_line_lies_where_the_projection_of_its_middle_is() -> None:
    curve = CentreLine((0.15,), (400.0,), (0.4,))
    camera = PinholeCamera(height=720, width=1280, fov_deg=70.0, y=-1.7, yaw=0.02, pitch=-0.03)
    rows, piece = rows_of(camera, curve)
    t = -3.5
    paint = paint_pixels(rows, (Marking(left=t + 0.1, right=t - 0.1),))
    for s in (8.0, 12.0, 20.0, 40.0):
        x, y, _ = piece.at(np.array([s]), t)
        u, v = camera.project(camera.to_camera(np.array([x[0], y[0], 0.0])))
        row = round(v)
        here = paint.row == row
        middle = np.average(paint.column[here], weights=paint.coverage[here])
        slope = rows.column(t)[row - rows.first] - rows.column(t)[row - rows.first - 1]
        assert middle + (v - row) * slope == pytest.approx(u, abs=0.5)


def test_dashes_start_and_end_where_the_projection_says() -> None:
    rows, _ = rows_of(CAMERA)
    paint = paint_pixels(rows, (Marking(left=0.1, right=-0.1, on=3.0, period=12.0, phase=6.0),))
    painted = np.unique(paint.row[paint.coverage >= 0.5])
    for start, end in ((6.0, 9.0), (18.0, 21.0)):
        ground = np.array([[start, 0.0, 0.0], [end, 0.0, 0.0]])
        low, high = CAMERA.project(CAMERA.to_camera(ground))[:, 1]
        here = painted[(painted > high - 3) & (painted < low + 3)]
        assert here.max() == pytest.approx(low, abs=1.0)
        assert here.min() == pytest.approx(high, abs=1.0)
    between = CAMERA.project(CAMERA.to_camera(np.array([12.0, 0.0, 0.0])))[1]
    assert round(between) not in painted


def test_a_distant_thin_line_fades_out() -> None:
    rows, _ = rows_of(CAMERA)
    paint = paint_pixels(rows, (Marking(left=0.06, right=-0.06),))
    far = paint.row < rows.first + 4
    assert far.any()
    assert paint.coverage[far].max() < 0.5


def test_the_texture_coordinates_of_paint_are_those_of_the_marking() -> None:
    curve = CentreLine((0.15,), (400.0,), (0.4,))
    rows, _ = rows_of(CAMERA, curve)
    paint = paint_pixels(rows, (Marking(left=2.1, right=1.9),))
    solid = paint.coverage > 0.99
    assert np.abs(paint.t[solid] - 2.0).max() < 0.15


def test_a_camera_that_sees_no_ground_has_no_rows() -> None:
    rows, _ = rows_of(PinholeCamera(height=100, width=200, fov_deg=40.0, pitch=0.5))
    assert len(rows.s) == 0
