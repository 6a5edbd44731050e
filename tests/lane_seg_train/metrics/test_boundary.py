"""Outlines are compared as the papers say, and void hides them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg_train.label_sets import ANY_ID, LabelTable
from lane_seg_train.metrics.boundary import (
    TOLERANCES_PX,
    Region,
    boundary_score,
    outline,
    region_of,
)

CLASSES = ('background', 'road', 'lane_marking')
TABLE = LabelTable.from_config(
    {0: 'background', 1: 'road', 2: 'lane_marking', 3: ['road', 'lane_marking'], 4: 'any'},
    CLASSES,
)
ROAD, LANE = 1, 2
ROAD_OR_LANE = 3


def half(column: int, size: tuple[int, int] = (30, 60)) -> np.ndarray:
    region = np.zeros(size, np.bool_)
    region[:, :column] = True
    return region


def region(labelled: np.ndarray, predicted: np.ndarray, void: np.ndarray | None = None) -> Region:
    known = np.ones_like(labelled) if void is None else ~void
    return Region(labelled & known, known, predicted)


def slow_outline(labelled: np.ndarray, known: np.ndarray) -> set[tuple[int, int]]:
    height, width = labelled.shape
    found = set()
    for row, column in zip(*np.nonzero(labelled & known), strict=True):
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            other = (row + down, column + right)
            if (
                0 <= other[0] < height
                and 0 <= other[1] < width
                and known[other]
                and not labelled[other]
            ):
                found.add((int(row), int(column)))
    return found


def slow_distances(pixels: set[tuple[int, int]], others: set[tuple[int, int]]) -> list[float]:
    return [min((math.dist(one, other) for other in others), default=math.inf) for one in pixels]


def masks(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.bool_, shape)


@settings(max_examples=80, deadline=None)
@given(masks(7, 9), masks(7, 9), masks(7, 9), masks(7, 9))
def test_it_equals_its_definition_pixel_by_pixel(
    labelled: np.ndarray, predicted: np.ndarray, void: np.ndarray, also_void: np.ndarray
) -> None:
    void = void & also_void
    score = boundary_score(region(labelled, predicted, void))
    label = slow_outline(labelled & ~void, ~void)
    if not label:
        assert all(math.isnan(value) for value in (*score.f1, score.hausdorff_px))
        return
    prediction = slow_outline(predicted, np.ones_like(void))
    holes = {(int(row), int(column)) for row, column in zip(*np.nonzero(void), strict=True)}
    for tolerance, f1 in zip(TOLERANCES_PX, score.f1, strict=True):
        judged = {
            one
            for one, far in zip(prediction, slow_distances(prediction, holes), strict=True)
            if far > tolerance
        }
        right = [far <= tolerance for far in slow_distances(judged, label)]
        found = [far <= tolerance for far in slow_distances(label, prediction)]
        recall = sum(found) / len(found)
        precision = sum(right) / len(right) if right else math.nan
        if recall == 0 or precision == 0:
            assert f1 == 0
        else:
            expected = 2 * precision * recall / (precision + recall)
            assert f1 == pytest.approx(expected, nan_ok=True)
    if prediction:
        ways = [
            slow_distances(label, prediction),
            slow_distances(prediction - holes, label | holes),
        ]
        assert score.hausdorff_px == pytest.approx(max(max(way) for way in ways if way), rel=1e-5)
        expected = max(float(np.percentile(way, 95)) for way in ways if way)
        assert score.hausdorff95_px == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('shift', [0, 1, 2, 3, 4, 5])
def test_an_outline_that_is_off_by_some_pixels_is_right_from_that_tolerance_on(
    shift: int,
) -> None:
    score = boundary_score(region(half(30), half(30 + shift)))
    assert score.f1 == tuple(float(shift <= tolerance) for tolerance in TOLERANCES_PX)
    assert score.hausdorff_px == score.hausdorff95_px == shift


def test_a_stray_pixel_moves_the_hausdorff_distance_but_not_its_95th_percentile() -> None:
    predicted = half(30)
    predicted[15, 50] = True
    score = boundary_score(region(half(30), predicted))
    assert score.hausdorff_px == 21
    assert score.hausdorff95_px == 0


def test_the_edge_of_the_image_is_no_outline() -> None:
    everything = np.ones((8, 8), np.bool_)
    assert not outline(everything, everything).any()
    assert all(math.isnan(f1) for f1 in boundary_score(region(everything, everything)).f1)


def test_a_class_that_is_not_predicted_has_f1_0_and_no_distance() -> None:
    score = boundary_score(region(half(30), np.zeros((30, 60), np.bool_)))
    assert score.f1 == (0.0, 0.0, 0.0)
    assert math.isnan(score.hausdorff_px)


def test_a_class_that_is_not_labelled_has_no_score() -> None:
    nothing = np.zeros((30, 60), np.bool_)
    score = boundary_score(region(nothing, half(30)))
    assert all(math.isnan(value) for value in (*score.f1, score.hausdorff_px))


def test_what_is_predicted_in_void_costs_nothing() -> None:
    void = np.zeros((30, 60), np.bool_)
    void[:, 40:] = True
    predicted = half(30)
    predicted[5:25, 48:55] = True
    score = boundary_score(region(half(30), predicted, void))
    assert score.f1 == (1.0, 1.0, 1.0)
    assert score.hausdorff_px == 0


def test_an_outline_that_void_hides_may_run_anywhere_in_it() -> None:
    void = np.zeros((30, 60), np.bool_)
    void[:15, 28:34] = True  # over the upper half of the outline
    for column in (28, 31, 34):
        predicted = half(30)
        predicted[:15] = half(column)[:15]
        assert boundary_score(region(half(30), predicted, void)).hausdorff_px <= 4


def test_labels_that_leave_a_choice_are_known_where_the_choice_does_not_matter() -> None:
    target = np.array([[0, 1, 2, ROAD_OR_LANE, ANY_ID]], np.uint8)
    mask = np.array([[0, 1, 2, 2, 255]], np.uint8)
    both = region_of(target, mask, TABLE, ROAD_OR_LANE)
    assert both.labelled.tolist() == [[False, True, True, True, False]]
    assert both.known.tolist() == [[True, True, True, True, False]]
    assert both.predicted.tolist() == [[False, True, True, True, False]]
    lane = region_of(target, mask, TABLE, LANE)
    assert lane.labelled.tolist() == [[False, False, True, False, False]]
    assert lane.known.tolist() == [[True, True, True, False, False]]
    assert lane.predicted.tolist() == [[False, False, True, True, False]]
