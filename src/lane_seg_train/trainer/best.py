"""The checkpoint that leaves training is that of the best validation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Callback

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.trainer.task import LaneTask

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

__all__ = ['BestCheckpoint']


class BestCheckpoint(Callback):
    """Writes checkpoint.pt whenever no validation was better so far.

    Of equals the last one counts: a metric that stays 0 at first says nothing about which of the
    first validations was the best.

    Args:
        path: of checkpoint.pt.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = -math.inf

    def state_dict(self) -> dict[str, float]:
        """The best score so far."""
        return {'best': self.best}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on with this score to beat."""
        self.best = state['best']

    def on_validation_end(self, trainer: Trainer, task: LightningModule) -> None:
        """Compare, and save the better one."""
        assert isinstance(task, LaneTask)
        score = float(trainer.callback_metrics[task.config.monitor])
        # A metric without any labelled pixel is not a number: the first validation counts then.
        if not (score >= self.best or self.best == -math.inf):
            return
        self.best = score if math.isfinite(score) else self.best
        if not trainer.is_global_zero:
            return
        config = task.config
        Checkpoint(
            net=task.net,
            net_config=config.net,
            classes=config.classes,
            height=config.height,
            width=config.width,
            name=config.name,
            metrics={
                name: float(value) for name, value in sorted(trainer.callback_metrics.items())
            },
        ).save(self.path)
