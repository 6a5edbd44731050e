"""The checkpoint that leaves training is that of the best validation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Callback

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.trainer.start import epochs_done
from lane_seg_train.trainer.task import LaneTask

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

    from lane_seg_train.trainer.start import Start

__all__ = ['BestCheckpoint']


class BestCheckpoint(Callback):
    """Writes checkpoint.pt whenever no validation was better so far.

    Of equals the last one counts: a metric that stays 0 at first says nothing about which of the
    first validations was the best. Where a run begins with a trained network it is the first: what
    training did not make better is better left as it was.

    Args:
        path: of checkpoint.pt.
        start: what the run begins with; None: a new network.
    """

    def __init__(self, path: Path, start: Start | None = None) -> None:
        self.path = path
        self.start = start
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
        is_better = score >= self.best if self.start is None else score > self.best
        # A metric without any labelled pixel is not a number: the first validation counts then.
        if not (is_better or self.best == -math.inf):
            return
        self.best = score if math.isfinite(score) else self.best
        if not trainer.is_global_zero:
            return
        config = task.config
        checkpoint = Checkpoint(
            net=task.net,
            net_config=config.net,
            classes=config.classes,
            height=config.height,
            width=config.width,
            name=config.name,
            metrics={
                name: float(value) for name, value in sorted(trainer.callback_metrics.items())
            },
        )
        if self.start is not None:
            epoch = math.ceil(epochs_done(trainer, config.validations_per_epoch))
            checkpoint = self.start.complete(checkpoint, epoch)
        checkpoint.save(self.path)
