"""What a run writes down while it goes: every step, every validation, in two CSV files."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from lightning.pytorch.callbacks import Callback

from lane_seg.files import write_text
from lane_seg_train.report.machine import record_session
from lane_seg_train.run_csv import csv_text, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.utilities.types import STEP_OUTPUT

    from lane_seg_train.trainer.batches import Batch

__all__ = ['History']

FLUSH_EVERY_S = 5.0
LOGGER_EVERY_STEPS = 10


class History(Callback):
    """Writes steps.csv, metrics.csv, and the scalars of TensorBoard and other trackers.

    steps.csv has a row for each optimizer step, metrics.csv one for each validation. A resumed run
    goes on with both; rows of steps that are done once more are replaced. Lightning's own CSV
    logger deletes the rows of the first half.

    Args:
        folder: of the run.
        periods: validations in an epoch.
    """

    def __init__(self, folder: Path, periods: int) -> None:
        self.steps_path = folder / 'steps.csv'
        self.metrics_path = folder / 'metrics.csv'
        self.periods = periods
        # Of the optimizer step that is being accumulated, and of the period; a checkpoint is
        # only made between two steps.
        self._step: defaultdict[str, float] = defaultdict(float)
        self._batches = 0
        self._period: defaultdict[str, float] = defaultdict(float)
        self._seconds = 0.0
        self._pending: list[dict[str, str]] = []
        self._last_flush_s = 0.0
        self._batch_start_s = 0.0
        self._last_step = -1
        self._rate = 0.0

    def state_dict(self) -> dict[str, object]:
        """Sums over the steps of the period so far; what they count is on disk before they are."""
        self._flush()
        return {'period': dict(self._period), 'seconds': self._seconds}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on with these sums."""
        period, seconds = state['period'], state['seconds']
        assert isinstance(period, dict) and isinstance(seconds, float)
        self._period, self._seconds = defaultdict(float, period), seconds

    def on_train_start(self, trainer: Trainer, _task: LightningModule) -> None:
        """Forget the rows of steps that come once more, or of an earlier run."""
        self._last_step = trainer.global_step
        self._batch_start_s = time.monotonic()
        if not trainer.is_global_zero:
            return
        folder = self.steps_path.parent
        record_session(folder, step=trainer.global_step, device=_device(trainer))
        for path in (self.steps_path, self.metrics_path):
            kept = [row for row in read_rows(path) if int(row['step']) <= trainer.global_step]
            if kept or path.exists():
                write_text(path, csv_text(kept))

    def on_train_epoch_start(self, _trainer: Trainer, _task: LightningModule) -> None:
        """Start the clock after a validation."""
        self._batch_start_s = time.monotonic()

    def on_train_batch_start(
        self, trainer: Trainer, _task: LightningModule, _batch: Batch, _index: int
    ) -> None:
        """Note the learning rate before the schedule moves on."""
        self._rate = trainer.optimizers[0].param_groups[0]['lr']

    def on_train_batch_end(
        self,
        trainer: Trainer,
        task: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Batch,
        _index: int,
    ) -> None:
        """Add the batch to its step, and the step to the file and the trackers."""
        assert isinstance(outputs, Mapping)
        images = len(batch[0]) * trainer.world_size
        for name, value in outputs['terms'].items():
            self._step[name] += float(value)
        self._step['loss'] += float(outputs['loss'].detach()) * trainer.accumulate_grad_batches
        self._batches += 1
        now_s = time.monotonic()
        self._seconds += now_s - self._batch_start_s
        self._batch_start_s = now_s
        self._period['images'] += images
        if trainer.global_step == self._last_step:
            return
        self._last_step = trainer.global_step
        means = {name: value / self._batches for name, value in self._step.items()}
        self._batches = 0
        if trainer.world_size > 1:
            sums = torch.tensor(list(means.values()), device=task.device)
            means = dict(zip(means, trainer.strategy.reduce(sums).tolist(), strict=True))
        self._step.clear()
        for name, mean in means.items():
            self._period[name] += mean
        self._period['steps'] += 1
        if trainer.is_global_zero:
            self._write_step(trainer, means)

    def on_validation_end(self, trainer: Trainer, _task: LightningModule) -> None:
        """Write the row of the period."""
        steps, images = self._period.pop('steps'), self._period.pop('images')
        means = {f'train/{name}': total / steps for name, total in self._period.items()}
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        row = {
            'epoch': f'{(trainer.current_epoch + 1) / self.periods:g}',
            'step': str(trainer.global_step),
            'seconds': f'{self._seconds:.3f}',
            'images_per_s': f'{images / max(self._seconds, 1e-9):.1f}',
            'learning_rate': f'{self._rate:.4g}',
        }
        row |= {name: f'{value:.5f}' for name, value in (means | metrics).items()}
        self._period.clear()
        self._seconds = 0.0
        if trainer.is_global_zero:
            self._flush()
            rows = [*read_rows(self.metrics_path), row]
            write_text(self.metrics_path, csv_text(rows))
            for logger in trainer.loggers:
                logger.log_metrics(means | metrics, step=trainer.global_step)

    def on_exception(
        self, trainer: Trainer, _task: LightningModule, _error: BaseException
    ) -> None:
        """Keep what was not written yet, if the disk is not what failed."""
        if trainer.is_global_zero:
            with contextlib.suppress(OSError):
                self._flush()

    def _write_step(self, trainer: Trainer, means: dict[str, float]) -> None:
        step = trainer.global_step
        done = (trainer.fit_loop.batch_idx + 1) / trainer.num_training_batches
        epoch = trainer.current_epoch + done
        row = {'step': str(step), 'epoch': f'{epoch / self.periods:.3f}'}
        row |= {'learning_rate': f'{self._rate:.4g}'}
        row |= {name: f'{value:.5f}' for name, value in means.items()}
        self._pending.append(row)
        if step % LOGGER_EVERY_STEPS == 0:
            for logger in trainer.loggers:
                scalars = {f'step/{name}': value for name, value in means.items()}
                logger.log_metrics(scalars | {'learning_rate': self._rate}, step=step)
        if time.monotonic() - self._last_flush_s > FLUSH_EVERY_S:
            self._flush()

    def _flush(self) -> None:
        """Append: the rows of hundred thousand steps are not written anew each time."""
        self._last_flush_s = time.monotonic()
        if not self._pending:
            return
        is_new = not self.steps_path.is_file() or not self.steps_path.stat().st_size
        with self.steps_path.open('a', encoding='utf-8', newline='') as file:
            file.write(csv_text(self._pending, header=is_new))
        self._pending.clear()


def _device(trainer: Trainer) -> str:
    """What computes, in words."""
    device = trainer.strategy.root_device
    count = f'{trainer.world_size} x ' if trainer.world_size > 1 else ''
    if device.type == 'cuda':
        return f'{count}{torch.cuda.get_device_name(device)}'
    return f'{count}{device.type}, {torch.get_num_threads()} threads'
