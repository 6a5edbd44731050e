"""What a person sees of a run: a bar in a terminal, a line for each validation in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Callback, RichProgressBar

from lane_seg_train.trainer.start import epochs_done

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.utilities.types import STEP_OUTPUT

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.trainer.batches import Batch

__all__ = ['progress_display']


def progress_display(config: TrainConfig) -> Callback:
    """The bar if stderr is a terminal, else the lines."""
    return _Bar(config) if sys.stdout.isatty() else _Lines(config)


class _Bar(RichProgressBar):
    def __init__(self, config: TrainConfig) -> None:
        # Not at each step: showing the loss makes a GPU wait.
        super().__init__(refresh_rate=5, leave=True)
        self.loss: torch.Tensor | None = None
        self.epochs = config.epochs
        self.periods = config.validations_per_epoch

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Keep the loss to be shown."""
        assert isinstance(outputs, Mapping)
        self.loss = outputs['loss'].detach() * trainer.accumulate_grad_batches
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The loss of the last batch, and the monitored metric."""
        items = super().get_metrics(trainer, pl_module)
        items.pop('v_num', None)
        return items if self.loss is None else {'loss': float(self.loss), **items}

    @property
    def sanity_check_description(self) -> str:
        """It is the validation of what the run begins with."""
        return f'epoch 0/{self.epochs}'

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
        epoch = epochs_done(trainer, self.config.validations_per_epoch)
        Console(stderr=True).print(
            f'epoch {epoch:g}/{self.config.epochs}  step {trainer.global_step}  {text}',
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
