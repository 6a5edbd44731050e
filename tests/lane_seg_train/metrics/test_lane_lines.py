"""Painted lines become lists of points, dashes are joined, stop lines are not lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg_train.metrics import lines_from_mask

SIZE = (256, 512)
HORIZON = 100
# Columns at which lines of a road leave the picture, seen from the middle of a lane.
LEFT, RIGHT = 60, 440


def draw(mask: np.ndarray, bottom: float, top: float, line: tuple[float, float]) -> None:
    """Paint a piece of the line through (line[0], bottom row) and (line[1], horizon)."""
    height = mask.shape[0]
    rows = np.arange(round(top), round(bottom))
    share = (height - rows) / (height - HORIZON)
    middle = line[0] + share * (line[1] - line[0])
    half_width = np.maximum(1.0, 5 * (1 - share))
    columns = np.arange(mask.shape[1])
    for row, x, reach in zip(rows, middle, half_width, strict=True):
        mask[row, np.abs(columns - x) <= reach] = True


def road(*lines: tuple[float, float]) -> np.ndarray:
    mask = np.zeros(SIZE, np.bool_)
    for line in lines:
        draw(mask, SIZE[0], HORIZON + 10, line)
    return mask


def error_px(line: np.ndarray, expected: tuple[float, float]) -> float:
    share = (SIZE[0] - line[:, 1]) / (SIZE[0] - HORIZON)
    middle = expected[0] + share * (expected[1] - expected[0])
    return float(np.abs(line[:, 0] - middle).max())


def dashed(line: tuple[float, float], dash_m: float, gap_m: float, start_m: float) -> np.ndarray:
    """Dashes of one length on the road; a row below the horizon is 900 m px away by distance."""
    mask = np.zeros(SIZE, np.bool_)
    near_m = start_m
    while near_m < 60:
        bottom, top = (HORIZON + 900 / (4 + m) for m in (near_m, near_m + dash_m))
        draw(mask, min(bottom, SIZE[0]), min(top, SIZE[0]), line)
        near_m += dash_m + gap_m
    return mask


def test_solid_lines_are_found_from_left_to_right_within_a_pixel() -> None:
    expected = [(LEFT, 256.0), (RIGHT, 256.0)]
    lines = lines_from_mask(road(*expected))
    assert len(lines) == 2
    for line, truth in zip(lines, expected, strict=True):
        assert error_px(line, truth) <= 1
        assert line[0, 1] == SIZE[0] - 1
        assert line[-1, 1] <= HORIZON + 12


@settings(max_examples=25, deadline=None)
@given(
    bottom=st.floats(20, 490),
    dash_m=st.floats(2, 6),
    gap_share=st.floats(0.5, 1.5),
    start_m=st.floats(1.8, 3),
)
def test_the_dashes_of_a_line_make_one_line(
    bottom: float, dash_m: float, gap_share: float, start_m: float
) -> None:
    truth = (bottom, 256.0)
    mask = dashed(truth, dash_m, dash_m * gap_share, start_m)
    lines = lines_from_mask(mask)
    assert len(lines) == 1
    assert error_px(lines[0], truth) <= 2
    painted = np.flatnonzero(mask.any(axis=1))
    assert lines[0][0, 1] == painted[-1]
    assert lines[0][-1, 1] - painted[0] <= 20  # far dashes of a pixel or two are specks


def test_a_double_line_is_two_lines() -> None:
    lines = lines_from_mask(road((200.0, 250.0), (230.0, 262.0)))
    assert len(lines) == 2


def test_a_curve_is_followed() -> None:
    mask = np.zeros(SIZE, np.uint8)
    y = np.arange(SIZE[0] - 1, 110, -1)
    x = 150 + 0.012 * (SIZE[0] - y) ** 2
    points = np.round(np.stack([x, y], axis=1)).astype(np.int32)
    cv2.polylines(mask, [points], False, 1, 5)
    (line,) = lines_from_mask(mask > 0)
    expected = 150 + 0.012 * (SIZE[0] - line[:, 1]) ** 2
    assert np.abs(line[:-1, 0] - expected[:-1]).max() <= 3  # the upper end is a round cap
    assert line[-1, 1] <= 113


def test_a_stop_line_is_no_line_and_bends_none() -> None:
    truth = (LEFT, 256.0)
    mask = road(truth)
    mask[170:178, 20:490] = True
    (line,) = lines_from_mask(mask)
    assert error_px(line, truth) <= 2
    assert line[-1, 1] < 120


def test_a_car_in_front_of_a_line_does_not_end_it() -> None:
    truth = (RIGHT, 256.0)
    mask = road(truth)
    mask[140:190] = False
    (line,) = lines_from_mask(mask)
    assert error_px(line, truth) <= 1
    assert line[-1, 1] < 130


@pytest.mark.parametrize('share', [0.0, 0.002])
def test_nothing_and_specks_are_no_line(share: float) -> None:
    rng = np.random.default_rng(0)
    assert lines_from_mask(rng.random(SIZE) < share) == []


def test_a_mask_that_is_all_marking_is_no_line() -> None:
    assert lines_from_mask(np.ones(SIZE, np.bool_)) == []


@settings(max_examples=40, deadline=None)
@given(npst.arrays(np.bool_, npst.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_whatever_the_mask_lines_rise_and_stay_within_the_paint(mask: np.ndarray) -> None:
    for line in lines_from_mask(mask):
        assert (np.diff(line[:, 1]) < 0).all()
        rows, columns = np.nonzero(mask)
        assert line[:, 0].min() >= columns.min()
        assert line[:, 0].max() <= columns.max()
        assert line[:, 1].min() >= rows.min()
        assert line[:, 1].max() <= rows.max()


def test_a_mask_full_of_scraps_is_done_with() -> None:
    mask = np.zeros((720, 1280), np.bool_)
    for row in range(0, 700, 24):
        mask[row : row + 12, (row % 48) :: 18] = True
    for line in lines_from_mask(mask):
        assert len(line) >= 2


def test_lines_scale_with_the_image() -> None:
    small = road((LEFT, 256.0), (RIGHT, 256.0))
    large = np.repeat(np.repeat(small, 3, axis=0), 3, axis=1)
    for one, other in zip(lines_from_mask(small), lines_from_mask(large), strict=True):
        assert np.abs((other[0] - 1) / 3 - one[0]).max() <= 2
        assert np.abs((other[-1] - 1) / 3 - one[-1]).max() <= 4
