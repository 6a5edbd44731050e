"""Terms that are means over pixels, against other ways to compute them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lane_seg_train.losses import allowed_from_targets
from lane_seg_train.losses.prediction import SetPrediction
from tests.lane_seg_train.losses.cases import (
    ANY,
    NOT_BACKGROUND,
    NOT_LANE,
    C,
    certain,
    full_sets,
    loss_of,
    random_classes,
    random_logits,
    random_target,
    set_table,
    whole,
)

WEIGHTS = {'background': 0.25, 'road': 1.0, 'lane_marking': 9.0}
seeds = st.integers(0, 1 << 20)


# ce


@settings(max_examples=30, deadline=None)
@given(seed=seeds, with_weights=st.booleans())
def test_with_one_admissible_class_ce_is_that_of_torch(seed: int, with_weights: bool) -> None:
    logits, target = random_logits(seed), random_classes(seed)
    target[0, 0] = ANY
    weights = WEIGHTS if with_weights else {}
    expected = functional.cross_entropy(
        logits,
        target.long(),
        weight=torch.tensor(list(weights.values())) if weights else None,
        ignore_index=ANY,
    )
    found = loss_of('ce', logits, target, class_weights=weights)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_ce_is_minus_the_log_of_the_admissible_probability(seed: int) -> None:
    logits, target = random_logits(seed), random_target(seed)
    allowed = allowed_from_targets(target, full_sets(2))
    probability = (logits.double().softmax(1) * allowed).sum(1)
    counted = target != ANY
    expected = -probability[counted].log().mean().item() if counted.any() else 0.0
    assert loss_of('ce', logits, target).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_gradient_of_ce_is_softmax_minus_softmax_within_the_set() -> None:
    logits, target = random_logits(3).requires_grad_(), random_target(3)
    allowed = allowed_from_targets(target, full_sets(2))
    loss_of('ce', logits, target).backward()
    values = logits.detach().double()
    inside = values.masked_fill(~allowed, -math.inf).softmax(1)
    expected = (values.softmax(1) - inside) / (target != ANY).sum()
    assert logits.grad is not None
    assert torch.allclose(logits.grad.double(), expected, atol=1e-6)


@pytest.mark.parametrize('margin', [50.0, 120.0, 1e4, 1e20])
@pytest.mark.parametrize('target', [1, NOT_BACKGROUND])
def test_ce_of_a_probability_too_small_for_a_float_is_still_exact(
    target: int, margin: float
) -> None:
    logits = torch.zeros(1, C, 1, 1)
    logits[:, 0] = margin
    logits.requires_grad_()
    loss = loss_of('ce', logits, whole(target, (1, 1, 1)))
    loss.backward()
    share = 1.0 if target == 1 else 0.5
    assert loss.item() == pytest.approx(margin + math.log(share), rel=1e-6)
    assert logits.grad is not None
    expected = [1.0, -share, -share if target == NOT_BACKGROUND else 0.0]
    assert logits.grad.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_a_margin_that_overflows_still_teaches() -> None:
    most = torch.finfo(torch.float32).max
    logits = torch.tensor([most, -most, -most]).view(1, C, 1, 1).repeat(1, 1, 8, 8)
    logits.requires_grad_()
    loss = loss_of('ce', logits, whole(1, (1, 8, 8)))
    loss.backward()
    assert 1e29 < loss.item() < math.inf
    assert logits.grad is not None
    assert logits.grad.sum(dim=(0, 2, 3)).tolist() == pytest.approx([1, -1, 0], abs=1e-20)


def test_rounding_makes_no_set_more_likely_than_1() -> None:
    logits = random_logits(0, (1, 64, 64))
    logits[:, 2] = -100
    prediction = SetPrediction(
        logits, allowed_from_targets(whole(NOT_LANE, (1, 64, 64)), full_sets(1)), torch.ones(1, C)
    )
    assert prediction.set_log_probability.max() == 0


def test_a_set_of_classes_weighs_as_much_as_they_do_on_average() -> None:
    logits = random_logits(4, (1, 1, 2))
    target = torch.tensor([[[NOT_LANE, 2]]], dtype=torch.uint8)
    each = [loss_of('ce', logits[..., [k]], target[..., [k]]).item() for k in range(2)]
    found = loss_of('ce', logits, target, class_weights=WEIGHTS).item()
    weight = (WEIGHTS['background'] + WEIGHTS['road']) / 2
    assert found == pytest.approx((weight * each[0] + 9 * each[1]) / (weight + 9), rel=1e-5)


# bce


@settings(max_examples=30, deadline=None)
@given(seed=seeds, with_weights=st.booleans())
def test_with_one_admissible_class_bce_is_that_of_torch(seed: int, with_weights: bool) -> None:
    logits, target = random_logits(seed), random_classes(seed)
    hot = functional.one_hot(target.long(), C).movedim(-1, 1).float()
    weights = torch.tensor(list(WEIGHTS.values()) if with_weights else [1.0] * C)
    each = functional.binary_cross_entropy_with_logits(logits, hot, reduction='none')
    expected = (each * weights[:, None, None]).mean() / weights.mean()
    found = loss_of('bce', logits, target, class_weights=WEIGHTS if with_weights else {})
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_bce_leaves_out_what_a_set_leaves_open() -> None:
    logits = random_logits(5, (1, 2, 2)).requires_grad_()
    loss = loss_of('bce', logits, whole(NOT_LANE))
    loss.backward()
    lane = logits.detach()[:, 2]
    assert loss.item() == pytest.approx(functional.softplus(lane).mean().item(), rel=1e-5)
    assert logits.grad is not None
    assert not logits.grad[:, :2].any()
    assert logits.grad[:, 2].all()


def test_data_with_lanes_only_does_not_push_the_other_logits_down() -> None:
    target = torch.tensor([[[2, NOT_LANE]]], dtype=torch.uint8)
    logits = torch.zeros(1, C, 1, 2, requires_grad=True)
    loss_of('bce', logits, target, set_table(defines=(2,))[None]).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :2].any()
    assert logits.grad[0, 2, 0].tolist() == pytest.approx([-0.25, 0.25])


# focal


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_focal_without_gamma_is_ce(seed: int) -> None:
    logits, target = random_logits(seed), random_target(seed)
    for weights in ({}, WEIGHTS):
        found = loss_of('focal', logits, target, focal_gamma=0.0, class_weights=weights)
        expected = loss_of('ce', logits, target, class_weights=weights)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, gamma=st.floats(0, 5))
def test_focal_is_the_formula_of_the_paper(seed: int, gamma: float) -> None:
    logits, target = random_logits(seed), random_target(seed)
    allowed = allowed_from_targets(target, full_sets(2))
    probability = (logits.double().softmax(1) * allowed).sum(1)[target != ANY]
    expected = -((1 - probability) ** gamma * probability.log()).mean().item()
    found = loss_of('focal', logits, target, focal_gamma=gamma)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_focal_forgets_easy_pixels() -> None:
    target = whole(1, (1, 1, 1))
    easy, hard = certain(target, 1.5), certain(target, -1.5)

    def ratio(name: str) -> float:
        return (loss_of(name, hard, target) / loss_of(name, easy, target)).item()

    assert ratio('focal') > 100 * ratio('ce')


@pytest.mark.parametrize('gamma', [0.0, 0.1, 0.5, 1.0, 10.0])
def test_a_certain_pixel_has_a_finite_focal_gradient(gamma: float) -> None:
    target = random_classes(0)
    logits = certain(target, 1e4).requires_grad_()
    loss = loss_of('focal', logits, target, focal_gamma=gamma)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-20


# self_balanced_focal


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_balance_of_1_makes_it_focal(seed: int) -> None:
    logits, target = random_logits(seed), random_target(seed)
    found = loss_of('self_balanced_focal', logits, target, balance=1.0)
    expected = loss_of('focal', logits, target).item()
    assert found.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize('balance', [3.0, 0.2])
def test_a_class_weighs_balance_to_the_power_of_its_share_of_the_image(balance: float) -> None:
    # First image: road covers 3 of the 4 pixels that count. Second: lane marking covers all.
    target = torch.tensor([[[1, 1, 1, 2, ANY, ANY]], [[2, 2, 2, 2, 2, 2]]], dtype=torch.uint8)
    logits = random_logits(7, (2, 1, 6))
    focal = [
        loss_of('focal', logits[[image]][..., columns], target[[image]][..., columns]).item()
        for image, columns in ((0, slice(0, 3)), (0, slice(3, 4)), (1, slice(0, 6)))
    ]
    powers = (balance**0.75, balance**0.25, balance)
    counts = (3, 1, 6)
    expected = sum(n * w * f for n, w, f in zip(counts, powers, focal, strict=True)) / 10
    found = loss_of('self_balanced_focal', logits, target, balance=balance)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_set_has_the_share_of_all_its_classes_together() -> None:
    # As lane data: 3 pixels background or road, 1 lane marking.
    target = torch.tensor([[[NOT_LANE, NOT_LANE, NOT_LANE, 2]]], dtype=torch.uint8)
    logits = random_logits(8, (1, 1, 4))
    focal = [
        loss_of('focal', logits[..., columns], target[..., columns]).item()
        for columns in (slice(0, 3), slice(3, 4))
    ]
    expected = (3 * 3.0**0.75 * focal[0] + 3.0**0.25 * focal[1]) / 4
    found = loss_of('self_balanced_focal', logits, target, balance=3.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)
