"""Lane lines score as on CULane and TuSimple, with the differences that are stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_train.metrics import LaneScore
from lane_seg_train.metrics.lane_scores import culane_counts, lane_ious, row_hits

CULANE = (590, 1640)
TUSIMPLE = (720, 1280)


def upright(x: float, bottom: float = 560, top: float = 30) -> np.ndarray:
    return np.array([[x, bottom], [x, top]])


def slanted(x: float, slope: float) -> np.ndarray:
    """From (x, 700) up to row 300; `slope` columns for each row."""
    return np.array([[x, 700.0], [x + 400 * slope, 300.0]])


def score(
    labelled: list[np.ndarray], predicted: list[np.ndarray], size: tuple[int, int]
) -> LaneScore:
    result = LaneScore()
    result.add(labelled, predicted, size)
    return result


def test_lines_are_drawn_30_pixels_wide_on_an_image_of_1640() -> None:
    for shift, expected in ((0, 1.0), (10, 20 / 40), (20, 10 / 50), (40, 0.0)):
        iou = lane_ious([upright(800)], [upright(800.0 + shift)], CULANE)
        assert iou[0, 0] == pytest.approx(expected, abs=0.04)
    half = lane_ious([upright(400)], [upright(405)], (295, 820))
    assert half[0, 0] == pytest.approx(10 / 20, abs=0.06)


@pytest.mark.parametrize(('shift', 'hits'), [(0, 1), (8, 1), (13, 0), (40, 0)])
def test_a_hit_needs_more_than_half_of_the_union(shift: float, hits: int) -> None:
    counts = culane_counts([upright(800)], [upright(800 + shift)], CULANE)
    assert counts == (hits, 1 - hits, 1 - hits)


def test_matching_is_one_to_one() -> None:
    twice = [upright(800), upright(802)]
    assert culane_counts([upright(801)], twice, CULANE) == (1, 1, 0)
    assert culane_counts(twice, [upright(801)], CULANE) == (1, 0, 1)


def test_matching_serves_all_lines_and_not_the_first_one_best() -> None:
    # Best alone would give line 806 to 803 and leave 812 to 797.
    labelled, predicted = [upright(803), upright(797)], [upright(806), upright(804)]
    assert culane_counts(labelled, predicted, CULANE) == (2, 0, 0)


def test_f1_is_one_of_sums_over_images() -> None:
    result = LaneScore()
    result.add([upright(300), upright(900)], [upright(300)], CULANE)
    result.add([], [upright(500)], CULANE)
    result.add([], [], CULANE)
    assert (result.true_positives, result.false_positives, result.false_negatives) == (1, 1, 1)
    assert (result.f1, result.precision, result.recall) == (0.5, 0.5, 0.5)
    assert result.images == 3


def test_without_lines_there_is_no_score() -> None:
    nothing = score([], [], CULANE)
    for name in ('f1', 'precision', 'recall', 'row_accuracy', 'false_positive_rate'):
        assert math.isnan(getattr(nothing, name))


def test_labels_have_a_point_every_10_rows_of_720() -> None:
    _, rows = row_hits([slanted(600, 0.0)], [], TUSIMPLE)
    assert rows.tolist() == [41]  # rows 300, 310 ... 700
    _, rows = row_hits([np.array([[10.0, 350.0], [10.0, 150.0]])], [], (360, 640))
    assert rows.tolist() == [41]


@pytest.mark.parametrize(('shift', 'right'), [(0, 41), (19, 41), (21, 0)])
def test_a_point_of_an_upright_line_is_right_within_20_pixels(shift: float, right: int) -> None:
    hits, _ = row_hits([slanted(600, 0)], [slanted(600 + shift, 0)], TUSIMPLE)
    assert hits.tolist() == [[right]]


@pytest.mark.parametrize('slope', [-2.0, -1.0, 0.0, 0.5, 1.0])
def test_the_tolerance_grows_with_the_slant_of_the_line(slope: float) -> None:
    tolerance = 20 / math.cos(math.atan(slope))
    label = slanted(600, slope)
    for shift, right in ((0.99 * tolerance, 41), (1.01 * tolerance, 0)):
        hits, _ = row_hits([label], [slanted(600 + shift, slope)], TUSIMPLE)
        assert hits.tolist() == [[right]]


def test_rows_that_the_prediction_leaves_out_are_wrong_and_what_it_adds_is_not_asked_for() -> None:
    label = np.array([[600.0, 700.0], [600.0, 300.0]])
    shorter = np.array([[600.0, 700.0], [600.0, 500.0]])
    assert row_hits([label], [shorter], TUSIMPLE)[0].tolist() == [[21]]
    assert row_hits([shorter], [label], TUSIMPLE)[0].tolist() == [[21]]
    result = score([label], [shorter], TUSIMPLE)
    assert result.row_accuracy == 21 / 41
    assert (result.false_positive_rate, result.false_negative_rate) == (1.0, 1.0)
    result = score([label], [np.array([[600.0, 700.0], [600.0, 340.0]])], TUSIMPLE)
    assert result.row_accuracy == 37 / 41
    assert (result.false_positive_rate, result.false_negative_rate) == (0.0, 0.0)


def test_a_predicted_line_serves_one_labelled_line_only() -> None:
    result = score([slanted(600, 0), slanted(610, 0)], [slanted(605, 0)], TUSIMPLE)
    assert result.row_accuracy == 0.5
    assert result.false_negative_rate == 0.5
    assert result.false_positive_rate == 0.0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(50, 1200), st.floats(-1.5, 1.5)), min_size=1, max_size=4),
    st.randoms(),
)
def test_the_labels_themselves_score_1_in_any_order(
    lines: list[tuple[float, float]], random: object
) -> None:
    labelled = [slanted(x, slope) for x, slope in lines]
    predicted = list(labelled)
    random.shuffle(predicted)  # type: ignore[attr-defined]
    result = score(labelled, predicted, TUSIMPLE)
    assert result.row_accuracy == 1.0
    assert result.false_negative_rate == 0.0
    assert result.f1 == 1.0
