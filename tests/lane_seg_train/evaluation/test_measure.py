"""Figures of a data set are those of its pixels; empty labels are told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg_train.evaluate import evaluate
from lane_seg_train.evaluation.measure import Measures, measure
from lane_seg_train.evaluation.scores import DataScore, ImageScore, plain
from tests.lane_seg_train.evaluation.fixed_answers import (
    SIZE,
    blank,
    data_of,
    lane,
    painted_pipeline,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT, WIDTH = SIZE


class Listener:
    def __init__(self) -> None:
        self.scores: list[ImageScore] = []
        self.arrays: list[tuple[NDArray[np.uint8], ...]] = []

    def add(self, score: ImageScore, *arrays: NDArray[np.uint8]) -> None:
        self.scores.append(score)
        self.arrays.append(tuple(array.copy() for array in arrays))


def by_name(data: DataScore) -> dict[str, float]:
    return {score.classes: score.iou for score in data.scores}


def test_iou_is_that_of_all_pixels_of_all_images_together(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(20)), (lane(40, width=12), lane(40))])
    score = measure(painted_pipeline(), data)
    found = by_name(score)
    assert found['lane_marking'] == 12 / 18
    assert found['road'] == (2 * WIDTH - 18) / (2 * WIDTH - 12)
    assert score.miou == pytest.approx((found['lane_marking'] + found['road']) / 2)
    assert score.pixel_accuracy == (2 * WIDTH - 6) / (2 * WIDTH)
    assert score.images == 2
    assert score.median_ms > 0


def test_evaluate_gives_the_scores_of_all_data_sets_in_order(tmp_path: Path) -> None:
    sets = [
        data_of(tmp_path, [(lane(20), lane(20))], name='first'),
        data_of(tmp_path, [(lane(20), lane(50))], name='second'),
    ]
    scores = evaluate(painted_pipeline(), sets)
    assert [(score.data, score.classes, score.images) for score in scores] == [
        ('first', 'road', 1), ('first', 'lane_marking', 1),
        ('second', 'road', 1), ('second', 'lane_marking', 1),
    ]  # fmt: skip
    assert [score.iou for score in scores][:2] == [1.0, 1.0]
    assert scores[3].iou == 0.0


def test_measuring_again_gives_the_same(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(22)), (lane(40), lane(41))])
    pipeline = painted_pipeline()
    first, second = measure(pipeline, data), measure(pipeline, data)
    assert first.scores == second.scores


def test_images_without_the_class_are_reported_by_their_false_pixels(tmp_path: Path) -> None:
    empty = np.ones(SIZE, np.uint8)
    void = np.full(SIZE, 9, np.uint8)
    data = data_of(
        tmp_path,
        [
            (lane(20), lane(20)),
            (empty, lane(60, width=3)),  # 3 columns of paint that is not there
            (empty, empty),
            (void, lane(10)),  # says nothing, so it is not empty either
        ],
    )
    listener = Listener()
    score = measure(painted_pipeline(), data, listeners=[listener])
    marking = next(one for one in score.scores if one.classes == 'lane_marking')
    assert marking.iou == 6 / 9
    assert marking.empty_images == 2
    assert marking.empty_false_positives == 3 * HEIGHT / 2
    with_lane, false, clean, nothing = listener.scores
    assert with_lane.iou == {'road': 1.0, 'lane_marking': 1.0}
    # Neither 0 nor 1: an image without the class has no IoU of it.
    assert set(false.iou) == set(clean.iou) == {'road'}
    assert nothing.iou == {}
    assert math.isnan(nothing.mean_iou)
    assert [one.false_positives['lane_marking'] for one in listener.scores] == [
        0, 3 * HEIGHT, 0, 0
    ]  # fmt: skip


def test_a_class_that_is_nowhere_has_no_score_and_one_that_is_invented_has_0(
    tmp_path: Path,
) -> None:
    road = np.ones(SIZE, np.uint8)
    assert by_name(measure(painted_pipeline(), data_of(tmp_path, [(road, road)], name='a'))) == {
        'road': 1.0
    }
    invented = data_of(tmp_path, [(road, lane(20, width=1))], name='b')
    assert by_name(measure(painted_pipeline(), invented))['lane_marking'] == 0.0


def test_listeners_get_image_target_and_mask_of_each_image_by_name(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(30)), (lane(40), lane(50))])
    listener = Listener()
    measure(painted_pipeline(), data, listeners=[listener])
    assert [score.name for score in listener.scores] == ['00', '01']
    for (image, target, mask), columns in zip(listener.arrays, ((20, 30), (40, 50)), strict=True):
        assert image.shape == (*SIZE, 3)
        np.testing.assert_array_equal(target, lane(columns[0]))
        np.testing.assert_array_equal(mask, lane(columns[1]))


def test_images_are_scored_at_their_own_size(tmp_path: Path) -> None:
    label = np.repeat(np.repeat(lane(20), 3, axis=0), 2, axis=1)
    data = data_of(tmp_path, [(label, label)])
    listener = Listener()
    score = measure(painted_pipeline(), data, listeners=[listener])
    assert listener.arrays[0][2].shape == (3 * HEIGHT, 2 * WIDTH)
    assert min(one.iou for one in score.scores) == 1.0


def test_outlines_are_compared_where_asked_for(tmp_path: Path) -> None:
    empty = np.ones(SIZE, np.uint8)
    pairs = [(lane(20), lane(22)), (lane(60), lane(60)), (lane(80), empty), (empty, lane(10))]
    data = data_of(tmp_path, pairs)
    assert measure(painted_pipeline(), data).boundaries == ()
    score = measure(painted_pipeline(), data, Measures(boundary=True))
    found = {one.classes: one for one in score.boundaries}
    assert set(found) == {'road', 'lane_marking'}
    marking = found['lane_marking']
    assert marking.images == 3  # the last one shows no outline by its label
    assert marking.unpredicted == 1
    assert marking.f1[1] == pytest.approx((0 + 1 + 0) / 3)
    assert marking.f1[2] == marking.f1[4] == pytest.approx((1 + 1 + 0) / 3)
    assert marking.hausdorff_px == marking.hausdorff95_px == 1.0  # mean of 2 and 0


def test_lane_lines_are_compared_where_asked_for_and_labelled(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20, 90), lane(20)), (lane(50), lane(50, 100))])
    assert measure(painted_pipeline(), data).lanes is None
    lanes = measure(painted_pipeline(), data, Measures(lane_class='lane_marking')).lanes
    assert lanes is not None
    assert (lanes.source, lanes.labelled, lanes.predicted) == ('mask', 3, 3)
    assert lanes.f1 == lanes.precision == lanes.recall == pytest.approx(2 / 3)
    assert lanes.row_accuracy == pytest.approx(2 / 3)
    unlabelled = data_of(
        tmp_path, [(blank(), blank())], {0: 'background', 1: ['road', 'lane_marking']}, 'other'
    )
    score = measure(painted_pipeline(), unlabelled, Measures(lane_class='lane_marking'))
    assert score.lanes is None


def test_lines_predicted_in_void_do_not_count(tmp_path: Path) -> None:
    label = lane(20)
    label[:, 80:] = 9
    data = data_of(tmp_path, [(label, lane(20, 100))])
    lanes = measure(painted_pipeline(), data, Measures(lane_class='lane_marking')).lanes
    assert lanes is not None
    assert (lanes.predicted, lanes.f1) == (1, 1.0)


def test_figures_become_plain_json() -> None:
    score = ImageScore('a', 'b', {'road': math.nan}, {'road': 3}, math.inf)
    assert plain([score, (1, 'x')]) == [
        {
            'data': 'a',
            'name': 'b',
            'iou': {'road': None},
            'false_positives': {'road': 3},
            'ms': None,
        },
        [1, 'x'],
    ]
