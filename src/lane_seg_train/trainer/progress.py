"""What a person sees of a run: a bar in a terminal, a line for each validation in a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Callback, RichProgressBar

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from lane_seg_train.config import TrainConfig

__all__ = ['progress_display']


def progress_display(config: TrainConfig) -> Callback:
    """The bar if stderr is a terminal, else the lines."""
    return _Bar(config) if sys.stdout.isatty() else _Lines(config)


class _Bar(RichProgressBar):
    def __init__(self, config: TrainConfig) -> None:
        super().__init__(leave=True)
        self.epochs = config.epochs
        self.periods = config.validations_per_epoch

    def _get_train_description(self, current_epoch: int) -> str:
        epoch, part = divmod(current_epoch, self.periods)
        parts = f' ({part + 1}/{self.periods})' if self.periods > 1 else ''
        return f'epoch {epoch + 1}/{self.epochs}{parts}'


class _Lines(Callback):
    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def on_validation_end(self, trainer: Trainer, _task: LightningModule) -> None:
        """Say how far the run is and how good."""
        if not trainer.is_global_zero:
            return
        from rich.console import Console

        scores = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name == self.config.monitor or name.endswith('/loss')
        }
        text = '  '.join(f'{name} {value:.4f}' for name, value in scores.items())
        epoch = (trainer.current_epoch + 1) / self.config.validations_per_epoch
        Console(stderr=True).print(
            f'epoch {epoch:g}/{self.config.epochs}  step {trainer.global_step}  {text}',
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
