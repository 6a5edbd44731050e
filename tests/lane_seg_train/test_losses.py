"""Losses on admissible sets: analytic values, order, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lane_seg_train.losses import allowed_from_bits, set_cross_entropy, set_dice

C = 3
ALL = 0b111


def logits_of(
    seed: int, shape: tuple[int, ...] = (2, C, 4, 5), scale: float = 2.0
) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def bits_of(seed: int, shape: tuple[int, ...] = (2, 4, 5), low: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, ALL + 1, shape, generator=generator, dtype=torch.uint8)


def full(bits: int, shape: tuple[int, ...] = (1, 2, 2)) -> torch.Tensor:
    return allowed_from_bits(torch.full(shape, bits, dtype=torch.uint8), C)


def certain(index: int, strength: float = 20.0) -> torch.Tensor:
    """Logits of a network that is sure of one class everywhere."""
    logits = torch.zeros(1, C, 2, 2)
    logits[:, index] = strength
    return logits


def defined(*flags: bool) -> torch.Tensor:
    return torch.tensor([flags])


def test_bits_become_one_plane_for_each_class() -> None:
    bits = torch.arange(8, dtype=torch.uint8).reshape(1, 2, 4)
    allowed = allowed_from_bits(bits, C)
    assert allowed.dtype == torch.bool
    for value in range(8):
        planes = allowed[0, :, value // 4, value % 4].tolist()
        assert planes == [bool(value >> c & 1) for c in range(C)]


# Cross entropy.


@settings(max_examples=30)
@given(st.integers(0, 1 << 20))
def test_with_one_admissible_class_it_is_plain_cross_entropy(seed: int) -> None:
    logits = logits_of(seed)
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, C, (2, 4, 5), generator=generator)
    allowed = allowed_from_bits((1 << label).to(torch.uint8), C)
    expected = functional.cross_entropy(logits, label)
    assert set_cross_entropy(logits, allowed).item() == pytest.approx(expected.item(), rel=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 1 << 20))
def test_it_is_minus_the_log_of_the_admissible_probability(seed: int) -> None:
    logits, bits = logits_of(seed), bits_of(seed)
    allowed = allowed_from_bits(bits, C)
    probability = (logits.double().softmax(1) * allowed).sum(1)
    counted = bits != ALL
    expected = -probability[counted].log().mean().item() if counted.any() else 0.0
    assert set_cross_entropy(logits, allowed).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_ignored_pixels_change_neither_the_loss_nor_the_gradient() -> None:
    logits = logits_of(0).requires_grad_()
    bits = bits_of(0)
    bits[0, 0, 0] = ALL
    loss = set_cross_entropy(logits, allowed_from_bits(bits, C))
    loss.backward()
    assert not logits.grad[0, :, 0, 0].any()
    other = logits.detach().clone()
    other[0, :, 0, 0] = torch.tensor([9.0, -9.0, 3.0])
    assert set_cross_entropy(other, allowed_from_bits(bits, C)).item() == pytest.approx(
        loss.item()
    )


def test_the_gradient_is_softmax_minus_softmax_within_the_set() -> None:
    logits, bits = logits_of(3).requires_grad_(), bits_of(3)
    allowed = allowed_from_bits(bits, C)
    set_cross_entropy(logits, allowed).backward()
    values = logits.detach().double()
    inside = values.masked_fill(~allowed, -math.inf).softmax(1)
    expected = (values.softmax(1) - inside) / (bits != ALL).sum()
    assert torch.allclose(logits.grad.double(), expected, atol=1e-6)


@pytest.mark.parametrize('loss', [set_cross_entropy, set_dice])
def test_the_gradient_is_that_of_finite_differences(loss: object) -> None:
    logits, bits = logits_of(5, (1, C, 2, 3)), bits_of(5, (1, 2, 3))
    allowed = allowed_from_bits(bits, C)
    extra = (defined(True, True, True),) if loss is set_dice else ()
    logits.requires_grad_()
    loss(logits, allowed, *extra).backward()
    step = 1e-2
    for index in np.ndindex(*logits.shape):
        moved = [logits.detach().clone() for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        up, down = (loss(one, allowed, *extra).item() for one in moved)
        assert logits.grad[index].item() == pytest.approx((up - down) / (2 * step), abs=2e-4)


def test_a_batch_that_is_ignored_altogether_costs_and_teaches_nothing() -> None:
    logits = logits_of(0).requires_grad_()
    allowed = full(ALL, (2, 4, 5))
    none = torch.zeros(2, C, dtype=torch.bool)
    loss = set_cross_entropy(logits, allowed) + set_dice(logits, allowed, none)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize('size', [1e4, 3e38])
def test_extreme_logits_give_finite_losses_and_gradients(size: float) -> None:
    logits = torch.sign(logits_of(1)).mul(size).requires_grad_()
    allowed = allowed_from_bits(bits_of(1), C)
    loss = set_dice(logits, allowed, torch.ones(2, C, dtype=torch.bool))
    if size < 1e30:
        loss = loss + set_cross_entropy(logits, allowed)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_summed_in_float() -> None:
    logits = logits_of(2)
    allowed = allowed_from_bits(bits_of(2), C)
    half = set_cross_entropy(logits.bfloat16(), allowed)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(set_cross_entropy(logits, allowed).item(), rel=0.02)


@pytest.mark.parametrize('bits', [0b001, 0b011, 0b110])
def test_right_is_better_than_unsure_is_better_than_wrong(bits: int) -> None:
    right = next(c for c in range(C) if bits >> c & 1)
    wrong = next(c for c in range(C) if not bits >> c & 1)
    unsure = torch.zeros(1, C, 2, 2)
    for loss in (
        lambda logits: set_cross_entropy(logits, full(bits)),
        lambda logits: set_dice(logits, full(bits), defined(True, True, True), smooth=1.0),
    ):
        good, middle, bad = (loss(one).item() for one in (certain(right), unsure, certain(wrong)))
        assert good < middle < bad


# Dice.


def test_a_perfect_answer_costs_no_dice() -> None:
    loss = set_dice(certain(1, 100.0), full(0b010), defined(True, True, True))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_dice_of_a_sure_wrong_answer_has_its_analytic_value() -> None:
    # 4 pixels labelled 1, predicted 0. Class 0: no overlap, total 4; class 1: the same.
    loss = set_dice(certain(0, 100.0), full(0b010), defined(True, True, False), smooth=1.0)
    assert loss.item() == pytest.approx(1 - 1 / 5)


def test_dice_of_an_unsure_answer_has_its_analytic_value() -> None:
    # Each of 4 pixels: probability 1/3, labelled 1. Class 1: overlap 4/3, total 4/3 + 4.
    loss = set_dice(torch.zeros(1, C, 2, 2), full(0b010), defined(False, True, False), smooth=1.0)
    assert loss.item() == pytest.approx(1 - (8 / 3 + 1) / (16 / 3 + 1))


def test_a_class_that_no_data_set_defines_costs_no_dice() -> None:
    allowed = full(0b011)
    assert set_dice(certain(2), allowed, defined(False, False, False)).item() == 0
    # Lane marking is defined and absent: predicting it costs, not predicting it does not.
    flags = defined(False, False, True)
    assert set_dice(certain(2), allowed, flags).item() == pytest.approx(4 / 104, rel=1e-3)
    assert set_dice(certain(0), allowed, flags).item() == pytest.approx(0, abs=1e-6)


def test_a_set_of_two_is_neither_positive_nor_negative_for_its_classes() -> None:
    logits = logits_of(7, (1, C, 2, 2))
    flags = defined(True, True, False)
    assert set_dice(logits, full(0b011), flags).item() == pytest.approx(0, abs=1e-6)


def test_an_image_teaches_dice_only_for_the_classes_of_its_own_data_set() -> None:
    logits = logits_of(8, (2, C, 4, 5)).requires_grad_()
    allowed = full(0b100, (2, 4, 5))
    flags = torch.tensor([[False, False, True], [False, False, False]])
    set_dice(logits, allowed, flags).backward()
    assert logits.grad[0].any()
    assert not logits.grad[1].any()
