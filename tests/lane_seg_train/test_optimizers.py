"""Optimizers by name: what they decay, that they learn, what is wrong with a configuration."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg_train.config import OptimizerConfig
from lane_seg_train.optimizers import OPTIMIZERS, build_optimizer

RATE = 0.01


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1)
    )


def config_of(name: str, **settings: object) -> OptimizerConfig:
    return OptimizerConfig(name=name, learning_rate=RATE, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_only_kernels_are_decayed(name: str) -> None:
    net = small_net()
    optimizer = build_optimizer(net, config_of(name, weight_decay=0.1))
    decay = {
        id(parameter): group['weight_decay']
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    found = {key: decay[id(parameter)] for key, parameter in net.named_parameters()}
    kernels = {'0.weight', '4.weight'}
    assert found == {key: 0.1 if key in kernels else 0.0 for key in found}
    assert len(found) == 9


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_without_a_gradient_only_kernels_shrink(name: str) -> None:
    net = small_net()
    before = {key: parameter.detach().clone() for key, parameter in net.named_parameters()}
    optimizer = build_optimizer(net, config_of(name, weight_decay=0.1))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, parameter in net.named_parameters():
        shrinks = key in ('0.weight', '4.weight')
        assert torch.equal(parameter, before[key]) != shrinks, key
        if shrinks:
            assert parameter.abs().sum() < before[key].abs().sum()


@pytest.mark.parametrize('name', ['adamw', 'nadam', 'radam'])
def test_decay_that_stands_apart_from_the_gradient_shrinks_all_weights_alike(name: str) -> None:
    net = small_net()
    before = net[0].weight.detach().clone()
    optimizer = build_optimizer(net, config_of(name, weight_decay=0.1))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(net[0].weight, before * (1 - RATE * 0.1))


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_optimizer_learns(name: str) -> None:
    torch.manual_seed(1)
    net = nn.Linear(4, 1)
    inputs = torch.randn(64, 4)
    outputs = inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    optimizer = build_optimizer(net, config_of(name, weight_decay=0.0))
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(inputs), outputs)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_settings_reach_the_optimizer(name: str) -> None:
    config = config_of(name, betas=(0.8, 0.95), momentum=0.7, nesterov=True)
    (group, *_) = build_optimizer(small_net(), config).param_groups
    assert group['lr'] == RATE
    if 'adam' in name:
        assert group['betas'] == (0.8, 0.95)
    else:
        assert group['momentum'] == 0.7
    if name == 'sgd':
        assert group['nesterov'] is True
    assert type(build_optimizer(small_net(), config)).__name__.lower() == name


def test_frozen_parameters_are_left_alone() -> None:
    net = small_net()
    net[0].requires_grad_(False)
    optimizer = build_optimizer(net, config_of('adamw'))
    held = {id(parameter) for group in optimizer.param_groups for parameter in group['params']}
    assert held == {id(parameter) for layer in net[1:] for parameter in layer.parameters()}


def test_a_network_that_cannot_learn_is_refused() -> None:
    with pytest.raises(LaneSegError, match='parameters that learn'):
        build_optimizer(small_net().requires_grad_(False), config_of('adamw'))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LaneSegError) as caught:
        build_optimizer(small_net(), config_of('AdamW2'))
    for word in (*OPTIMIZERS, "'AdamW2'", "did you mean 'adamw'"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ('settings', 'key'),
    [
        ({'learning_rate': 0.0}, 'learning_rate'),
        ({'learning_rate': float('nan')}, 'learning_rate'),
        ({'weight_decay': -1e-4}, 'weight_decay'),
        ({'momentum': 1.0}, 'momentum'),
        ({'betas': (0.9, 1.0)}, 'betas'),
        ({'nesterov': True, 'momentum': 0.0}, 'nesterov'),
    ],
)
def test_a_setting_out_of_range_is_refused_when_it_is_read(
    settings: dict[str, object], key: str
) -> None:
    with pytest.raises(LaneSegError, match=f'optimizer.{key}'):
        OptimizerConfig(**settings)  # type: ignore[arg-type]
