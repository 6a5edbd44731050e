"""A run that begins with a trained network instead of a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import Callback
    from torch import nn

    from lane_seg_train.checkpoint import Checkpoint

__all__ = ['Start', 'epochs_done']


@dataclass(frozen=True)
class Start:
    """What a run begins with, and what it does besides training.

    The network is validated before the first step, as epoch 0: checkpoint.pt is what the run
    began with until an epoch is better.

    Attributes:
        net: (N, 3, H, W) float, (x - 128) / 64 of BGR 0..255, to (N, classes, H, W) logits; in
            training mode. A run that is resumed takes only its structure, and the rest from
            last.ckpt.
        plain: the network that `config.net` says, which may be a part of `net`: parameters and
            work are counted of it.
        complete: checkpoint of the trainer and number of its epoch (0: what the run began with)
            -> the checkpoint to save.
        callbacks: more that happens between the steps. What they know must follow from the step
            and from what the network saves, or a resumed run would go another way.
    """

    net: nn.Module
    plain: nn.Module
    complete: Callable[[Checkpoint, int], Checkpoint]
    callbacks: tuple[Callback, ...] = ()


def epochs_done(trainer: Trainer, periods: int) -> float:
    """Number of epochs behind the validation that runs: 0 for that of what a run began with.

    Args:
        trainer: of the run.
        periods: validations in an epoch.
    """
    # Lightning calls it the sanity check.
    return 0.0 if trainer.sanity_checking else (trainer.current_epoch + 1) / periods
