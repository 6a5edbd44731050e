"""Contenders differ in the network only, and get the same budget."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.comparison.contenders import budget_of, contenders, with_steps
from lane_seg_train.config_file import with_overrides
from tests.lane_seg_train.tiny_training import tiny_config

if TYPE_CHECKING:
    from lane_seg_train.config import TrainConfig

KNOWN = ('enet', 'fcn8s', 'unet')


def made(nets: list[str], **settings: list[str]) -> dict[str, TrainConfig]:
    found = contenders(tiny_config(), nets, known=KNOWN, **settings)  # type: ignore[arg-type]
    return {one.label: one.config for one in found}


def test_everything_but_the_network_is_that_of_the_recipe() -> None:
    recipe = tiny_config()
    configs = made(['unet', 'enet'])
    assert list(configs) == ['unet', 'enet']
    for label, config in configs.items():
        assert config.net.name == label
        assert dataclasses.replace(config, name=recipe.name, net=recipe.net) == recipe


def test_the_recipes_own_network_keeps_its_settings_and_others_take_their_defaults() -> None:
    configs = made(['unet', 'enet'])
    assert configs['unet'].net == tiny_config().net
    assert configs['enet'].net.width == 24


def test_all_and_single_networks_are_changed_by_settings() -> None:
    configs = made(
        ['small=unet', 'large=unet', 'enet'],
        settings=['seed=7', 'net.dropout=0.1'],
        net_settings=['small.width=2', 'large.width=16', 'large.convs=2'],
    )
    assert [config.net.name for config in configs.values()] == ['unet', 'unet', 'enet']
    assert [config.net.width for config in configs.values()] == [2, 16, 24]
    assert configs['large'].net.convs == 2
    assert {config.seed for config in configs.values()} == {7}
    assert {config.net.dropout for config in configs.values()} == {0.1}


@pytest.mark.parametrize(
    ('nets', 'settings', 'text'),
    [
        (['unett'], {}, "found 'unett'; did you mean 'unet'"),
        (['mine='], {}, "found 'mine'"),
        (['unet', 'unet'], {}, 'expected a different label'),
        (['../x=unet'], {}, 'good as a folder name'),
        (['.x=unet'], {}, 'good as a folder name'),
        (['=unet'], {}, 'good as a folder name'),
        (['unet'], {'net_settings': ['enet.width=4']}, "label out of unet, found 'enet.width=4'"),
        (['unet'], {'net_settings': ['width=4']}, 'LABEL.key=value'),
        (['unet'], {'net_settings': ['unet.wdth=4']}, "did you mean 'width'"),
        (['unet'], {'settings': ['net.name=enet']}, 'other keys than name and net.name'),
        (['unet'], {'settings': ['epochs=many']}, 'epochs'),
    ],
)
def test_what_does_not_fit_is_refused(
    nets: list[str], settings: dict[str, list[str]], text: str
) -> None:
    with pytest.raises(LaneSegError, match=text):
        made(nets, **settings)


@given(
    images=st.integers(1, 300),
    steps=st.integers(1, 500),
    batch_size=st.integers(1, 16),
    accumulate=st.integers(1, 3),
    periods=st.integers(1, 3),
)
def test_a_number_of_steps_is_met_as_nearly_as_whole_epochs_allow(
    images: int, steps: int, batch_size: int, accumulate: int, periods: int
) -> None:
    config = with_overrides(
        tiny_config(),
        [
            f'batch_size={batch_size}',
            f'accumulate={accumulate}',
            f'validations_per_epoch={periods}',
        ],
    )
    changed = with_steps(config, [images], steps)
    budget = budget_of(changed, [images])
    # Half a step for each stretch between two validations, and at least one step in each.
    stretches = changed.epochs * periods
    assert abs(budget.steps - steps) <= max(stretches / 2, stretches - steps)
    assert 0 < changed.epoch_share <= 1
    warmup = config.schedule.warmup_epochs / config.epochs
    assert changed.schedule.warmup_epochs / changed.epochs == pytest.approx(warmup)
    rest = {'epochs': config.epochs, 'epoch_share': 1.0, 'schedule': config.schedule}
    assert dataclasses.replace(changed, **rest) == config


def test_the_budget_counts_what_the_epochs_really_show() -> None:
    config = with_overrides(tiny_config(), ['epochs=3', 'batch_size=4', 'epoch_share=0.5'])
    budget = budget_of(config, [23])
    batches = math.ceil(round(23 * 0.5) / 4)
    assert (budget.epochs, budget.steps, budget.images) == (3, 3 * batches, 3 * batches * 4)


def test_less_than_one_step_is_refused() -> None:
    with pytest.raises(LaneSegError, match='--steps: expected at least 1, found 0'):
        with_steps(tiny_config(), [6], 0)
