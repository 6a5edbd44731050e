"""What holds for every term: gradients, order, ignored pixels, extreme values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg_train.config import LossConfig
from lane_seg_train.losses import LOSSES, allowed_from_targets, build_loss
from tests.lane_seg_train.losses.cases import (
    ALL,
    ANY,
    CLASSES,
    NONE,
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

TERMS = list(LOSSES)
COMBINATIONS = [*TERMS, 'ce+dice', 'bce+dice', '+'.join(TERMS)]
SETTINGS = [
    {},
    {'class_weights': {'road': 0.0, 'lane_marking': 7.5}},
    {'focal_gamma': 0.5, 'balance': 0.2, 'smooth': 1.0},
]


def gradient_of(
    name: str, logits: torch.Tensor, target: torch.Tensor, **settings: object
) -> torch.Tensor:
    logits = logits.clone().requires_grad_()
    loss_of(name, logits, target, **settings).backward()
    assert logits.grad is not None
    return logits.grad


@pytest.mark.parametrize('settings', SETTINGS)
@pytest.mark.parametrize('name', COMBINATIONS)
def test_the_gradient_is_that_of_finite_differences(
    name: str, settings: dict[str, object]
) -> None:
    logits = random_logits(5, (2, 2, 4)).double().requires_grad_()
    target = random_target(5, (2, 2, 4))
    assert len(target.unique()) > 4
    assert torch.autograd.gradcheck(lambda x: loss_of(name, x, target, **settings), logits)


@pytest.mark.parametrize('name', TERMS)
def test_every_wrong_pixel_teaches(name: str) -> None:
    # An argmax before the comparison would give a loss without any gradient.
    target = random_classes(0)
    wrong = certain((target + 1) % C, strength=1.0)
    gradient = gradient_of(name, wrong, target)
    assert gradient.abs().amax(dim=1).min() > 0
    labelled = gradient.gather(1, target[:, None].long())
    assert (labelled < 0).all()


@pytest.mark.parametrize('name', TERMS)
def test_following_the_gradient_finds_the_labels(name: str) -> None:
    target = random_classes(1, (1, 6, 6))
    logits = torch.zeros(1, C, 6, 6, requires_grad=True)
    # Lovasz needs a start without ties.
    with torch.no_grad():
        logits += random_logits(2, (1, 6, 6), scale=0.1)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(40):
        optimizer.zero_grad()
        loss_of(name, logits, target, smooth=1.0).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(dim=1).byte(), target)


@pytest.mark.parametrize('name', COMBINATIONS)
def test_right_is_better_than_unsure_is_better_than_wrong(name: str) -> None:
    target = torch.tensor([[[0, 1, 2], [2, NOT_LANE, NOT_BACKGROUND]]], dtype=torch.uint8)
    right = torch.tensor([[[0, 1, 2], [2, 0, 1]]])
    wrong = torch.tensor([[[1, 0, 0], [1, 2, 0]]])
    unsure = torch.zeros(1, C, 2, 3)
    good, middle, bad = (
        loss_of(name, logits, target).item() for logits in (certain(right), unsure, certain(wrong))
    )
    assert good < middle < bad
    assert good == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('name', TERMS)
def test_a_little_more_right_is_a_little_better(name: str) -> None:
    target = random_classes(2)
    losses = [loss_of(name, certain(target, strength), target).item() for strength in range(-3, 4)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize('name', COMBINATIONS)
def test_ignored_pixels_change_neither_the_loss_nor_the_gradient(name: str) -> None:
    logits, target = random_logits(0), random_target(0)
    ignored = target == ANY
    assert 0 < ignored.sum() < ignored.numel()
    shuffled = logits.movedim(1, -1).clone()
    inside = shuffled[ignored]
    shuffled[ignored] = 9 * inside[torch.randperm(len(inside))]
    shuffled = shuffled.movedim(-1, 1)
    assert not torch.equal(shuffled, logits)
    assert torch.equal(loss_of(name, shuffled, target), loss_of(name, logits, target))
    gradient = gradient_of(name, logits, target)
    assert torch.equal(gradient, gradient_of(name, shuffled, target))
    assert not gradient.movedim(1, -1)[ignored].any()


@pytest.mark.parametrize('instead', [ALL, NONE])
@pytest.mark.parametrize('name', COMBINATIONS)
def test_a_set_of_all_classes_and_an_id_the_data_set_lacks_are_ignored(
    name: str, instead: int
) -> None:
    logits, target = random_logits(1), random_target(1)
    other = torch.where(target == ANY, instead, target).to(torch.uint8)
    assert torch.equal(loss_of(name, logits, other), loss_of(name, logits, target))
    assert torch.equal(gradient_of(name, logits, other), gradient_of(name, logits, target))


@pytest.mark.parametrize('settings', SETTINGS)
@pytest.mark.parametrize('name', COMBINATIONS)
def test_a_batch_that_is_ignored_altogether_costs_and_teaches_nothing(
    name: str, settings: dict[str, object]
) -> None:
    logits = random_logits(0).requires_grad_()
    loss = loss_of(name, logits, whole(ANY, (2, 4, 5)), **settings)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize('name', COMBINATIONS)
def test_the_order_of_pixels_in_an_image_does_not_matter(name: str) -> None:
    logits, target = random_logits(3), random_target(3)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    moved = logits.flatten(2)[:, :, order].view_as(logits)
    moved_target = target.flatten(1)[:, order].view_as(target)
    expected = loss_of(name, logits, target).item()
    assert loss_of(name, moved, moved_target).item() == pytest.approx(expected, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 20),
    exponent=st.integers(-40, 38),
    defines=st.sets(st.integers(0, C - 1)),
    gamma=st.sampled_from([0.0, 0.3, 1.0, 2.0, 10.0]),
)
def test_no_size_of_logits_gives_nan(
    seed: int, exponent: int, defines: set[int], gamma: float
) -> None:
    size = torch.tensor(10.0, dtype=torch.float64).pow(exponent)
    logits = (torch.sign(random_logits(seed)) * size).float()
    logits[:, :, 0] = random_logits(seed)[:, :, 0]  # beside ordinary ones
    sets = set_table(defines=tuple(defines)).expand(2, -1, -1)
    for name in TERMS:
        moved = logits.clone().requires_grad_()
        loss = loss_of(name, moved, random_target(seed), sets, focal_gamma=gamma)
        loss.backward()
        assert math.isfinite(loss.item()), name
        assert loss.item() >= 0, name
        assert moved.grad is not None
        assert torch.isfinite(moved.grad).all(), name


@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('name', TERMS)
def test_the_largest_floats_give_no_nan(name: str, sign: int) -> None:
    most = torch.finfo(torch.float32).max
    logits = certain(random_classes(4), sign * most).requires_grad_()
    loss = loss_of(name, logits, random_target(4))
    loss.backward()
    assert not loss.isnan()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize('name', COMBINATIONS)
def test_a_class_that_the_batch_lacks_is_no_trouble(name: str) -> None:
    target = random_classes(0).clamp(max=1)  # background and road
    logits = random_logits(0).requires_grad_()
    loss = loss_of(name, logits, target)
    loss.backward()
    assert 0 < loss.item() < 100
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert loss_of(name, certain(target), target).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', TERMS)
def test_half_precision_logits_are_summed_in_float(name: str, dtype: torch.dtype) -> None:
    logits, target = random_logits(2, (2, 64, 64)), random_target(2, (2, 64, 64))
    half = logits.to(dtype).requires_grad_()
    loss = loss_of(name, half, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(loss_of(name, logits, target).item(), rel=0.02)
    assert half.grad is not None
    assert half.grad.dtype == dtype


@pytest.mark.parametrize('name', TERMS)
def test_autocast_changes_nothing(name: str) -> None:
    logits, target = random_logits(2), random_target(2)
    weights = {'class_weights': {'lane_marking': 3.0}}
    with torch.autocast('cpu', torch.bfloat16):
        inside = loss_of(name, logits, target, **weights)
        gradient = gradient_of(name, logits, target, **weights)
    assert torch.equal(inside, loss_of(name, logits, target, **weights))
    assert torch.equal(gradient, gradient_of(name, logits, target, **weights))


@pytest.mark.parametrize('name', TERMS)
def test_channels_last_logits_give_the_same(name: str) -> None:
    logits, target = random_logits(6), random_target(6)
    other = logits.contiguous(memory_format=torch.channels_last)
    assert not other.is_contiguous()
    expected = loss_of(name, logits, target).item()
    assert loss_of(name, other, target).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('name', ['bce', 'dice', 'jaccard', 'lovasz'])
def test_an_image_teaches_only_the_classes_that_its_data_set_defines(name: str) -> None:
    target = torch.stack([whole(2, (4, 5)), whole(NOT_LANE, (4, 5))])
    target[0, :2] = NOT_LANE
    lanes = set_table(defines=(2,))
    logits = random_logits(8).requires_grad_()
    loss_of(name, logits, target, torch.stack([lanes, set_table(defines=())])).backward()
    assert logits.grad is not None
    assert logits.grad[0].any()
    assert not logits.grad[1].any()


@pytest.mark.parametrize('name', ['bce', 'dice', 'jaccard', 'lovasz'])
def test_without_any_defined_class_there_is_nothing_to_compare(name: str) -> None:
    logits, target = random_logits(8).requires_grad_(), random_classes(8)
    allowed = allowed_from_targets(target, full_sets(2))
    nothing = torch.zeros(2, C, dtype=torch.bool)
    total, _ = build_loss(LossConfig(name=name), CLASSES)(logits, allowed, nothing)
    total.backward()
    assert total.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize('name', TERMS)
def test_mistakes_in_a_heavier_class_cost_more(name: str) -> None:
    target = torch.tensor([[[0, 1, 2]] * 4], dtype=torch.uint8)
    ratios = []
    for factor in (1.0, 5.0, 20.0):
        without_lane, without_road = (
            loss_of(
                name, certain(torch.where(target == missed, 0, target), 3.0), target,
                class_weights={'lane_marking': factor}, smooth=1.0,
            ).item()
            for missed in (2, 1)
        )  # fmt: skip
        ratios.append(without_lane / without_road)
    assert ratios[0] == pytest.approx(1)
    assert 1.5 < ratios[1] < ratios[2]


@pytest.mark.parametrize('name', TERMS)
def test_only_the_ratio_of_class_weights_matters(name: str) -> None:
    logits, target = random_logits(9), random_target(9)
    losses = [
        loss_of(
            name, logits, target,
            class_weights={'background': 1.0 * k, 'road': 2.0 * k, 'lane_marking': 3.0 * k},
        ).item()
        for k in (1e-6, 1.0, 1e6)
    ]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[2] == pytest.approx(losses[1], rel=1e-5)
