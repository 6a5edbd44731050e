"""Optimizers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lane_seg_train.config import OptimizerConfig

__all__ = ['OPTIMIZERS', 'build_optimizer']

_Groups = list[dict[str, object]]  # parameters, and the weight decay that they have in common


def _adamw(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Loshchilov and Hutter 2017 (arXiv:1711.05101)."""
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


def _adam(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Kingma and Ba 2014 (arXiv:1412.6980)."""
    return torch.optim.Adam(groups, lr=config.learning_rate, betas=config.betas)


def _sgd(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Gradient descent with momentum, Nesterov's if asked for (Sutskever et al. 2013)."""
    return torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov
    )


def _rmsprop(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Tieleman and Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"."""
    return torch.optim.RMSprop(groups, lr=config.learning_rate, momentum=config.momentum)


def _nadam(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Dozat 2016, "Incorporating Nesterov Momentum into Adam"."""
    return torch.optim.NAdam(
        groups, lr=config.learning_rate, betas=config.betas, decoupled_weight_decay=True
    )


def _radam(groups: _Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Liu et al. 2019 (arXiv:1908.03265)."""
    return torch.optim.RAdam(
        groups, lr=config.learning_rate, betas=config.betas, decoupled_weight_decay=True
    )


OPTIMIZERS: dict[str, Callable[[_Groups, OptimizerConfig], torch.optim.Optimizer]] = {
    'adamw': _adamw,
    'adam': _adam,
    'sgd': _sgd,
    'rmsprop': _rmsprop,
    'nadam': _nadam,
    'radam': _radam,
}


def build_optimizer(net: torch.nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer that a configuration names, for the parameters that learn.

    Biases, and scales and shifts of normalizations, have no weight decay: it would not make the
    network simpler, only its outputs smaller.

    Raises:
        LaneSegError: no such optimizer, or no parameter that learns.
    """
    if config.name not in OPTIMIZERS:
        raise LaneSegError(
            f'optimizer.name: expected one of {", ".join(OPTIMIZERS)}; found {config.name!r}'
            f'{nearest(config.name, list(OPTIMIZERS))}'
        )
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not learning:
        raise LaneSegError('expected a network with parameters that learn, found none')
    # Kernels have two dimensions or more; one value for each channel is one of the others.
    weights = [parameter for parameter in learning if parameter.ndim > 1]
    others = [parameter for parameter in learning if parameter.ndim <= 1]
    groups: _Groups = [
        {'params': weights, 'weight_decay': config.weight_decay},
        {'params': others, 'weight_decay': 0.0},
    ]
    return OPTIMIZERS[config.name]([group for group in groups if group['params']], config)
