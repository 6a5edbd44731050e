"""Terms that compare areas: analytic values, empty labels, the Lovasz extension by definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lane_seg_train.losses.cases import (
    ANY,
    NOT_LANE,
    C,
    certain,
    loss_of,
    random_classes,
    random_logits,
    random_target,
    set_table,
    whole,
)

LANES_ONLY = set_table(defines=(2,))[None]


# dice and jaccard


@pytest.mark.parametrize('name', ['dice', 'jaccard'])
def test_a_sure_wrong_answer_has_its_analytic_value(name: str) -> None:
    # 4 pixels labelled 1, predicted 0. Class 0: no overlap, area 4; class 1: the same.
    sets = set_table(defines=(0, 1))[None]
    loss = loss_of(name, certain(whole(0), 100.0), whole(1), sets, smooth=1.0)
    assert loss.item() == pytest.approx(1 - 1 / 5)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('dice', 1 - (8 / 3 + 1) / (16 / 3 + 1)), ('jaccard', 1 - (4 / 3 + 1) / (4 + 1))],
)
def test_an_unsure_answer_has_its_analytic_value(name: str, expected: float) -> None:
    # Each of 4 pixels: probability 1/3, labelled 1. Overlap 4/3, areas 4/3 and 4, union 4.
    sets = set_table(defines=(1,))[None]
    loss = loss_of(name, torch.zeros(1, C, 2, 2), whole(1), sets, smooth=1.0)
    assert loss.item() == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_of_sure_answers_they_are_1_minus_dice_and_iou(seed: int) -> None:
    target, answer = random_classes(seed), random_classes(seed + 1)
    logits = certain(answer, 100.0)
    dice, iou = [], []
    for index in range(C):
        left, right = target == index, answer == index
        overlap = (left & right).sum().item()
        dice.append(2 * overlap / max(1, left.sum().item() + right.sum().item()))
        iou.append(overlap / max(1, (left | right).sum().item()))
    for name, scores in (('dice', dice), ('jaccard', iou)):
        found = loss_of(name, logits, target, smooth=1e-6).item()
        assert found == pytest.approx(1 - np.mean(scores), abs=1e-5)


@pytest.mark.parametrize('smooth', [1.0, 100.0])
@pytest.mark.parametrize('name', ['dice', 'jaccard'])
def test_without_the_class_each_wrong_pixel_costs_a_little(name: str, smooth: float) -> None:
    # Without `smooth` one wrong pixel would cost as much as all of them, and none nothing: the
    # score of an empty label would be 0 or 1 by chance.
    costs = []
    for wrong in range(5):
        answer = torch.zeros(1, 1, 4)
        answer[..., :wrong] = 2
        loss = loss_of(
            name, certain(answer, 100.0), whole(NOT_LANE, (1, 1, 4)), LANES_ONLY, smooth=smooth
        )
        costs.append(loss.item())
        assert loss.item() == pytest.approx(wrong / (wrong + smooth), abs=1e-6)
    assert costs == sorted(costs)
    assert costs[-1] < 1


@pytest.mark.parametrize('name', ['dice', 'jaccard'])
def test_an_empty_image_does_not_change_what_the_others_cost(name: str) -> None:
    # One area over the batch, not a mean of images, of which the empty one would score 1.
    target, logits = random_classes(1), random_logits(1)
    target[1] = NOT_LANE
    logits[1] = certain(whole(0, (1, 4, 5)), 100.0)[0]
    both = loss_of(name, logits, target, LANES_ONLY.expand(2, -1, -1))
    first = loss_of(name, logits[:1], target[:1], LANES_ONLY)
    assert both.item() == pytest.approx(first.item(), rel=1e-6)


@pytest.mark.parametrize('name', ['dice', 'jaccard', 'lovasz'])
def test_a_class_that_no_data_set_defines_costs_nothing(name: str) -> None:
    sets = set_table(defines=())[None]
    assert loss_of(name, certain(whole(2)), whole(NOT_LANE), sets).item() == 0


@pytest.mark.parametrize('name', ['dice', 'jaccard'])
def test_a_set_of_two_is_neither_positive_nor_negative_for_its_classes(name: str) -> None:
    logits = random_logits(7, (1, 2, 2))
    sets = set_table(defines=(0, 1))[None]
    assert loss_of(name, logits, whole(NOT_LANE), sets).item() == pytest.approx(0, abs=1e-6)


# lovasz


def lovasz_by_definition(logits: torch.Tensor, target: torch.Tensor) -> float:
    """Mean over present classes of the Lovasz extension of 1 - IoU, set by set."""
    probability = logits.double().softmax(1).movedim(1, -1).numpy()
    counted = target.numpy() != ANY
    losses = []
    for index in range(C):
        label = target.numpy()[counted] == index
        if not label.any():
            continue
        error = np.abs(label - probability[counted][:, index])
        order = np.argsort(-error)
        loss, before = 0.0, 0.0
        for count in range(1, len(order) + 1):
            mistaken = np.zeros(len(order), bool)
            mistaken[order[:count]] = True
            answer = label ^ mistaken
            gap = 1 - (label & answer).sum() / (label | answer).sum()
            loss += error[order[count - 1]] * (gap - before)
            before = gap
        losses.append(loss)
    return float(np.mean(losses)) if losses else 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_lovasz_is_the_lovasz_extension_of_1_minus_iou(seed: int) -> None:
    logits, target = random_logits(seed), random_classes(seed)
    target[0, 0] = ANY
    found = loss_of('lovasz', logits, target).item()
    assert found == pytest.approx(lovasz_by_definition(logits, target), rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_of_sure_answers_lovasz_is_1_minus_iou(seed: int) -> None:
    target, answer = random_classes(seed), random_classes(seed + 1)
    target[:] = target.clamp(max=1)  # a class that is absent does not count
    scores = []
    for index in target.unique():
        left, right = target == index, answer == index
        scores.append(((left & right).sum() / (left | right).sum()).item())
    found = loss_of('lovasz', certain(answer, 100.0), target).item()
    assert found == pytest.approx(1 - np.mean(scores), abs=1e-6)


def test_for_lovasz_a_set_is_a_negative_of_the_classes_outside_it() -> None:
    logits, target = random_logits(3), random_target(3)
    lane_alone = {'background': 0.0, 'road': 0.0}
    expected = loss_of('lovasz', logits, target, class_weights=lane_alone)
    merged = torch.where(target < 2, NOT_LANE, target).to(torch.uint8)
    found = loss_of('lovasz', logits, merged, LANES_ONLY.expand(2, -1, -1))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_lovasz_stays_exact_with_a_million_pixels() -> None:
    # Differences of float32 IoUs would drown in rounding.
    target = torch.zeros(1, 1024, 1024, dtype=torch.uint8)
    target[:, :, :8] = 1
    answer = torch.zeros_like(target)
    answer[:, :, 4:8] = 1
    ious = (4 / 8, 1016 / 1020)
    found = loss_of('lovasz', certain(answer, 100.0), target).item()
    assert found == pytest.approx(1 - np.mean(ious), rel=1e-5)
