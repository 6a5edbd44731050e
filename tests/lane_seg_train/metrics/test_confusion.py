"""Ratios from one joint histogram equal their definitions, and those of torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torchmetrics.functional import classification, segmentation

from lane_seg_train.label_sets import ANY_ID, LabelTable
from lane_seg_train.metrics import Outcomes, SetConfusion

CLASSES = ('background', 'road', 'lane_marking')
EVERYTHING = LabelTable.from_config({0: 'background', 1: 'road', 2: 'lane_marking'}, CLASSES)
LANES_ONLY = LabelTable.from_config({255: 'lane_marking', 0: ['background', 'road']}, CLASSES)
ROAD_WITH_PAINT = LabelTable.from_config(
    {0: 'background', 3: ['road', 'lane_marking'], 11: 'any'}, CLASSES
)
OVERLAPPING = LabelTable.from_config(
    {
        0: 'background',
        1: 'road',
        2: 'lane_marking',
        3: ['road', 'lane_marking'],
        4: ['background', 'road'],
        5: 'any',
    },
    CLASSES,
)


def counted(table: LabelTable, *pairs: tuple[np.ndarray, np.ndarray]) -> SetConfusion:
    confusion = SetConfusion(table)
    for target, mask in pairs:
        confusion.update(torch.from_numpy(target), torch.from_numpy(mask))
    return confusion


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def slow_outcomes(
    table: LabelTable, target: np.ndarray, mask: np.ndarray, wanted: int
) -> Outcomes:
    """Ask the question of each pixel, one after the other, of Python sets."""
    allowed = [set(np.flatnonzero(table.sets[value])) for value in target.ravel()]
    members = set(np.flatnonzero(table.sets[wanted]))
    answers = [
        (labelled <= members, predicted in members)
        for labelled, predicted in zip(allowed, mask.ravel(), strict=True)
        if len(labelled) < len(table.classes) and (labelled <= members or not labelled & members)
    ]
    return Outcomes(*(answers.count(key) for key in (
        (True, True), (False, True), (True, False), (False, False)
    )))  # fmt: skip


@st.composite
def pairs(draw: st.DrawFn, targets: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(npst.array_shapes(min_dims=2, max_dims=3, max_side=8))
    target = draw(npst.arrays(np.uint8, shape, elements=st.sampled_from(targets)))
    return target, draw(npst.arrays(np.uint8, shape, elements=st.integers(0, 2)))


@settings(max_examples=100, deadline=None)
@given(pairs((0, 1, 2, 3, 4, ANY_ID)))
def test_the_counts_of_each_set_equal_their_definition(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    expected = {
        OVERLAPPING.name_of(wanted): slow_outcomes(OVERLAPPING, *pair, wanted)
        for wanted in range(5)
    }
    assert counted(OVERLAPPING, pair).outcomes() == expected


@settings(max_examples=60, deadline=None)
@given(pairs((0, 1, 2)))
def test_of_fully_labelled_data_every_ratio_is_that_of_torchmetrics(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    confusion = counted(EVERYTHING, pair)
    target, mask = (torch.from_numpy(array).long() for array in pair)
    outcomes = confusion.outcomes()
    reference = {
        'precision': classification.multiclass_precision,
        'recall': classification.multiclass_recall,
        'specificity': classification.multiclass_specificity,
        'dice': classification.multiclass_f1_score,
        'iou': classification.multiclass_jaccard_index,
    }
    for ratio, function in reference.items():
        expected = function(mask, target, num_classes=3, average=None)
        for index, name in enumerate(CLASSES):
            if not math.isnan(value := getattr(outcomes[name], ratio)):
                assert value == pytest.approx(float(expected[index]), abs=1e-6)
    micro = classification.multiclass_accuracy(mask, target, num_classes=3, average='micro')
    assert confusion.accuracy() == pytest.approx(float(micro), abs=1e-6)
    weighted = classification.multiclass_jaccard_index(
        mask, target, num_classes=3, average='weighted'
    )
    assert confusion.weighted_iou() == pytest.approx(float(weighted), abs=1e-6)


def test_the_mean_iou_of_full_labels_is_that_of_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    target, mask = rng.integers(0, 3, (2, 4, 20, 30)).astype(np.uint8)
    expected = segmentation.mean_iou(
        torch.from_numpy(mask).long().reshape(1, -1, 1),
        torch.from_numpy(target).long().reshape(1, -1, 1),
        num_classes=3,
        input_format='index',
    )
    assert counted(EVERYTHING, (target, mask)).miou() == pytest.approx(float(expected[0]))


def test_ratios_are_those_that_are_worked_out_by_hand() -> None:
    outcomes = Outcomes(true_positives=6, false_positives=2, false_negatives=4, true_negatives=88)
    assert outcomes.iou == 6 / 12
    assert outcomes.dice == 12 / 18
    assert outcomes.precision == 6 / 8
    assert outcomes.recall == 6 / 10
    assert outcomes.specificity == 88 / 90
    assert outcomes.accuracy == 94 / 100


def test_a_ratio_of_nothing_is_neither_0_nor_1() -> None:
    nothing = Outcomes(0, 0, 0, 0)
    for ratio in ('iou', 'dice', 'precision', 'recall', 'specificity', 'accuracy'):
        assert math.isnan(getattr(nothing, ratio))


def test_the_counts_of_many_images_are_those_of_all_pixels_at_once() -> None:
    rng = np.random.default_rng(0)
    targets = rng.choice(np.array([0, 1, 2, 3, 4, 255], np.uint8), (5, 6, 7))
    masks = rng.integers(0, 3, (5, 6, 7)).astype(np.uint8)
    one_by_one = counted(OVERLAPPING, *zip(targets, masks, strict=True))
    at_once = counted(OVERLAPPING, (targets, masks))
    assert one_by_one.outcomes() == at_once.outcomes()
    assert one_by_one.counts.sum() == targets.size


def test_the_iou_is_one_of_sums_and_not_a_mean_over_images() -> None:
    confusion = counted(EVERYTHING, (row(2, 2, 2, 0), row(2, 2, 2, 0)), (row(2), row(0)))
    assert confusion.iou()['lane_marking'] == 3 / 4  # the mean over images would be 1/2


def test_an_image_that_is_added_tells_of_itself_alone() -> None:
    confusion = counted(EVERYTHING, (row(2, 2, 2, 0), row(0, 0, 0, 0)))
    outcomes = confusion.add_image(torch.tensor([[2, 0]]), torch.tensor([[2, 0]]))
    assert outcomes['lane_marking'] == Outcomes(1, 0, 0, 1)
    assert confusion.outcomes()['lane_marking'] == Outcomes(1, 0, 3, 2)


def test_the_counts_of_several_processes_are_added() -> None:
    one, other = (
        counted(EVERYTHING, (row(0, 1, 2), row(0, 1, 1))),
        counted(EVERYTHING, (row(2, 2), row(2, 255))),
    )
    one.merge_state(other)
    assert one.outcomes()['lane_marking'] == Outcomes(1, 0, 2, 2)


def test_a_reset_forgets_everything() -> None:
    confusion = counted(EVERYTHING, (row(0, 1, 2), row(1, 2, 0)))
    assert set(confusion.iou().values()) == {0.0}
    confusion.reset()
    confusion.update(torch.tensor([[0, 1]]), torch.tensor([[0, 1]]))
    assert confusion.iou() == {'background': 1.0, 'road': 1.0}


def test_on_lane_only_data_it_is_the_plain_lane_iou() -> None:
    label = row(255, 255, 0, 0)
    confusion = counted(LANES_ONLY, (LANES_ONLY.target_from_label(label), row(2, 1, 2, 0)))
    assert confusion.iou() == {'lane_marking': 1 / 3, 'background+road': 1 / 3}


def test_road_that_is_labelled_with_its_paint_is_found_as_either() -> None:
    target = ROAD_WITH_PAINT.target_from_label(row(0, 3, 3, 11))
    confusion = counted(ROAD_WITH_PAINT, (target, row(0, 1, 2, 0)))
    assert confusion.iou() == {'background': 1.0, 'road+lane_marking': 1.0}


def test_an_answer_that_the_label_allows_is_never_wrong() -> None:
    # The second pixel is road or paint: that it was taken for paint says nothing about "road".
    confusion = counted(OVERLAPPING, (row(1, 3), row(1, 2)))
    assert confusion.iou() == {
        'road': 1.0,
        'road+lane_marking': 1.0,
        'background+road': 1.0,
    }


def test_a_perfect_mask_scores_1_and_a_wrong_one_0() -> None:
    label = row(0, 1, 2)
    assert counted(EVERYTHING, (label, label)).iou() == dict.fromkeys(CLASSES, 1.0)
    assert counted(EVERYTHING, (label, row(1, 2, 0))).iou() == dict.fromkeys(CLASSES, 0.0)


def test_pixels_that_may_be_anything_do_not_count() -> None:
    confusion = counted(EVERYTHING, (row(0, 255, 255), row(0, 1, 2)))
    assert confusion.iou() == {'background': 1.0}
    assert confusion.accuracy() == 1.0


def test_pixels_that_the_model_does_not_see_are_missed() -> None:
    confusion = counted(EVERYTHING, (row(1, 1, 2, 2), row(1, 1, 2, 255)))
    assert confusion.iou() == {'road': 1.0, 'lane_marking': 0.5}
    assert confusion.accuracy() == 3 / 4
    assert confusion.unseen.tolist()[:3] == [0, 0, 1]


def test_a_class_that_is_nowhere_is_left_out_of_the_mean() -> None:
    assert counted(EVERYTHING, (row(0, 1), row(0, 1))).miou() == 1.0


def test_a_class_that_is_predicted_and_nowhere_labelled_counts_0() -> None:
    confusion = counted(EVERYTHING, (row(0, 0, 1, 1), row(0, 0, 1, 2)))
    assert confusion.iou() == {'background': 1.0, 'road': 0.5, 'lane_marking': 0.0}
    assert confusion.miou() == 0.5
    assert confusion.mean_recall() == 0.75  # a class without a label has no recall


def test_the_mean_is_over_the_classes_that_the_data_defines() -> None:
    target = LANES_ONLY.target_from_label(row(255, 255, 0, 0))
    assert counted(LANES_ONLY, (target, row(2, 1, 1, 0))).miou() == 0.5


def test_where_labels_name_no_single_class_the_mean_is_over_their_sets() -> None:
    classes = ('background', 'road', 'lane_marking', 'pavement')
    table = LabelTable.from_config({0: classes[:2], 1: classes[2:]}, classes)
    assert not any(table.defined_classes())
    confusion = counted(table, (table.target_from_label(row(0, 0, 1, 1)), row(0, 1, 2, 1)))
    assert confusion.miou() == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_without_a_label_there_is_no_score() -> None:
    confusion = counted(EVERYTHING, (row(255, 255), row(0, 1)))
    assert confusion.iou() == {}
    assert math.isnan(confusion.miou())
    assert math.isnan(confusion.weighted_iou())
    assert math.isnan(confusion.accuracy())


def test_twenty_classes_fit() -> None:
    names = tuple(f'class{index}' for index in range(20))
    table = LabelTable.from_config(dict(enumerate(names)), names)
    label = np.arange(20, dtype=np.uint8)[None]
    assert counted(table, (label, label)).iou() == dict.fromkeys(names, 1.0)


def test_it_may_be_reset_in_inference_mode_and_used_outside_of_it() -> None:
    confusion = SetConfusion(EVERYTHING)
    nothing = torch.zeros((1, 4), dtype=torch.uint8)
    with torch.inference_mode():
        confusion.reset()
        confusion.update(nothing, nothing)
    confusion.update(nothing, torch.ones_like(nothing))
    assert confusion.iou() == {'background': 0.5, 'road': 0.0}


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r'of one shape, found \(1, 4\) and \(1, 3\)'):
        SetConfusion(EVERYTHING).update(torch.zeros(1, 4), torch.zeros(1, 3))
