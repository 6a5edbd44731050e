"""The loss of a run: terms by name, each with a factor, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.losses.pixels import (
    binary_cross_entropy,
    cross_entropy,
    focal,
    self_balanced_focal,
)
from lane_seg_train.losses.prediction import SetPrediction
from lane_seg_train.losses.regions import dice, jaccard, lovasz

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lane_seg_train.config import LossConfig

__all__ = ['LOSSES', 'SetLoss', 'build_loss']


class Term(Protocol):
    """One summand of a loss."""

    def __call__(
        self,
        prediction: SetPrediction,
        class_weights: torch.Tensor | None,
        config: LossConfig,
        /,
    ) -> torch.Tensor:
        """Compute it."""
        ...


LOSSES: dict[str, Term] = {
    'ce': cross_entropy,
    'bce': binary_cross_entropy,
    'dice': dice,
    'jaccard': jaccard,
    'focal': focal,
    'lovasz': lovasz,
    'self_balanced_focal': self_balanced_focal,
}


class SetLoss(nn.Module):
    """A sum of terms.

    Args:
        names: of the terms, out of `LOSSES`.
        class_weights: (C,) float factors of the classes, or None for 1 each.
        config: the factors of the terms and their settings.
    """

    class_weights: torch.Tensor | None

    def __init__(
        self, names: Sequence[str], class_weights: torch.Tensor | None, config: LossConfig
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.config = config
        # Follows the module to its device; the recipe, not a checkpoint, says what it is.
        self.register_buffer('class_weights', class_weights, persistent=False)

    def forward(
        self, logits: torch.Tensor, allowed: torch.Tensor, defined: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Compare logits with labels.

        Args:
            logits: (N, C, H, W) float.
            allowed: (N, C, H, W) bool, the admissible classes.
            defined: (N, C) bool, False where the data set of an image never marks class c alone.

        Returns:
            The scalar to minimize, and each term on its own, before its factor.
        """
        # Half precision cannot add up the pixels of a batch.
        with torch.autocast(logits.device.type, enabled=False):
            prediction = SetPrediction(logits, allowed, defined)
            weights = self.class_weights
            if weights is not None:
                weights = weights.to(prediction.logits.dtype)
            terms = {name: LOSSES[name](prediction, weights, self.config) for name in self.names}
            parts = [self.config.weights.get(name, 1.0) * term for name, term in terms.items()]
            return torch.stack(parts).sum(), terms


def build_loss(config: LossConfig, classes: Sequence[str]) -> SetLoss:
    """Build the loss that a configuration names.

    Args:
        config: its name, such as 'ce+dice', factors and settings.
        classes: class names in the order of their ids.

    Raises:
        LaneSegError: a term, or a class with a weight, that does not exist, or a term twice.
    """
    names = [name.strip() for name in config.name.split('+')]
    for name in names:
        _expect_known('loss.name', name, list(LOSSES))
    if len(set(names)) < len(names):
        raise LaneSegError(
            f'loss.name: expected each term once, found {config.name!r}; '
            'loss.weights makes a term count more'
        )
    _expect_factors('loss.weights', config.weights, names)
    _expect_factors('loss.class_weights', config.class_weights, classes)
    weights = None
    if config.class_weights:
        weights = torch.tensor([config.class_weights.get(name, 1.0) for name in classes])
    return SetLoss(names, weights, config)


def _expect_factors(key: str, factors: Mapping[str, float], known: Sequence[str]) -> None:
    for name in factors:
        _expect_known(key, name, known)
    if factors and not any(factors.get(name, 1.0) for name in known):
        raise LaneSegError(f'{key}: expected a factor above 0 for one at least, found {factors}')


def _expect_known(key: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise LaneSegError(
            f'{key}: expected names out of {", ".join(known)}; found {name!r}'
            f'{nearest(name, known)}'
        )
