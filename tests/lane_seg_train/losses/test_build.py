"""Losses by name, their factors, and what is wrong with a configuration."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.config import LossConfig
from lane_seg_train.losses import (
    LOSSES,
    allowed_from_targets,
    build_loss,
    defined_from_sets,
)
from tests.lane_seg_train.losses.cases import (
    CLASSES,
    full_sets,
    loss_of,
    random_logits,
    random_target,
)


@pytest.mark.parametrize(('left', 'right'), list(itertools.permutations(LOSSES, 2)))
def test_any_two_terms_add_up(left: str, right: str) -> None:
    logits, target, sets = random_logits(0), random_target(0), full_sets(2)
    config = LossConfig(name=f'{left} + {right}', weights={right: 0.25})
    total, terms = build_loss(config, CLASSES)(
        logits, allowed_from_targets(target, sets), defined_from_sets(sets)
    )
    assert list(terms) == [left, right]
    for name, term in terms.items():
        assert term.ndim == 0
        assert term.item() == pytest.approx(loss_of(name, logits, target).item(), rel=1e-6)
    assert total.item() == pytest.approx((terms[left] + 0.25 * terms[right]).item(), rel=1e-6)


def test_the_default_is_cross_entropy_and_dice() -> None:
    assert build_loss(LossConfig(), CLASSES).names == ('ce', 'dice')


def test_the_recipe_and_not_a_checkpoint_says_what_classes_weigh() -> None:
    loss = build_loss(LossConfig(class_weights={'road': 2.0}), CLASSES)
    assert loss.class_weights is not None
    assert loss.class_weights.tolist() == [1.0, 2.0, 1.0]
    assert not loss.state_dict()
    assert loss.double().class_weights.dtype == torch.float64  # it is a buffer: it follows


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'name': 'ce+dise'}, ['loss.name', *LOSSES, "'dise'", "did you mean 'dice'"]),
        ({'name': ''}, ['loss.name', *LOSSES]),
        ({'name': 'ce++dice'}, ['loss.name']),
        ({'name': 'ce+ce'}, ['each term once', 'loss.weights']),
        ({'name': 'ce', 'weights': {'dice': 2.0}}, ['loss.weights', "'dice'", 'out of ce;']),
        ({'name': 'ce+lovasz', 'weights': {'lovas': 2.0}}, ["did you mean 'lovasz'"]),
        ({'weights': {'ce': 0, 'dice': 0}}, ['loss.weights', 'above 0']),
        (
            {'class_weights': {'lane_markings': 2.0}},
            ['loss.class_weights', 'background, road', "did you mean 'lane_marking'"],
        ),
        ({'class_weights': dict.fromkeys(CLASSES, 0)}, ['loss.class_weights', 'above 0']),
    ],
)
def test_a_loss_that_cannot_be_built_says_why(
    settings: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(LaneSegError) as caught:
        build_loss(LossConfig(**settings), CLASSES)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ('settings', 'key'),
    [
        ({'smooth': 0.0}, 'loss.smooth'),
        ({'balance': -1.0}, 'loss.balance'),
        ({'balance': math.nan}, 'loss.balance'),
        ({'focal_gamma': -0.5}, 'loss.focal_gamma'),
        ({'weights': {'ce': -1.0}}, 'loss.weights.ce'),
        ({'class_weights': {'road': math.inf}}, 'loss.class_weights.road'),
    ],
)
def test_a_setting_out_of_range_is_refused_when_it_is_read(
    settings: dict[str, object], key: str
) -> None:
    with pytest.raises(LaneSegError, match=key):
        LossConfig(**settings)  # type: ignore[arg-type]
