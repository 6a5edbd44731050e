"""What a run writes down while it goes: every step, every validation, in two CSV files."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from lightning.pytorch.callbacks import Callback

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg_train.report.machine import record_session
from lane_seg_train.run_csv import csv_text, read_rows
from lane_seg_train.trainer.start import epochs_done

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
        # Sums of the optimizer step that is being accumulated, and of the period; a checkpoint is
        # only made between two steps. They stay on the device: asking a GPU for a number at each
        # step would make it wait for us.
        self._step: dict[str, torch.Tensor] = {}
        self._batches = 0
        self._period: dict[str, torch.Tensor] = {}
        self._steps = 0
        self._images = 0
        self._seconds = 0.0
        self._pending: list[_Step] = []
        self._last_flush_s = 0.0
        self._batch_start_s = 0.0
        self._last_step = -1
        self._rate = 0.0

    def state_dict(self) -> dict[str, object]:
        """Sums over the steps of the period so far; what they count is on disk before they are."""
        self._flush()
        sums = {name: float(total) for name, total in self._period.items()}
        counts = {'steps': self._steps, 'images': self._images, 'seconds': self._seconds}
        return {'sums': sums, 'counts': counts}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on with these sums."""
        sums, counts = state['sums'], state['counts']
        assert isinstance(sums, dict) and isinstance(counts, dict)
        self._period = {name: torch.tensor(total) for name, total in sums.items()}
        self._steps, self._images = counts['steps'], counts['images']
        self._seconds = counts['seconds']

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
        terms = {**outputs['terms'], 'loss': outputs['loss'] * trainer.accumulate_grad_batches}
        _add(self._step, {name: value.detach() for name, value in terms.items()})
        self._batches += 1
        now_s = time.monotonic()
        self._seconds += now_s - self._batch_start_s
        self._batch_start_s = now_s
        self._images += len(batch[0]) * trainer.world_size
        if trainer.global_step == self._last_step:
            return
        self._last_step = trainer.global_step
        means = {name: total / self._batches for name, total in self._step.items()}
        if trainer.world_size > 1:
            stacked = trainer.strategy.reduce(torch.stack(list(means.values())))
            means = dict(zip(means, stacked, strict=True))
        self._step.clear()
        self._batches = 0
        _add(self._period, means)
        self._steps += 1
        if trainer.is_global_zero:
            self._note_step(trainer, means)

    def on_validation_end(self, trainer: Trainer, _task: LightningModule) -> None:
        """Write the row of the period."""
        means = {
            f'train/{name}': float(total) / self._steps for name, total in self._period.items()
        }
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        row = {
            'epoch': f'{epochs_done(trainer, self.periods):g}',
            'step': str(trainer.global_step),
        }
        if self._steps:  # not before the first one
            row |= {
                'seconds': f'{self._seconds:.3f}',
                'images_per_s': f'{self._images / max(self._seconds, 1e-9):.1f}',
                'learning_rate': f'{self._rate:.4g}',
            }
        row |= {name: f'{value:.5f}' for name, value in (means | metrics).items()}
        self._period.clear()
        self._steps, self._images, self._seconds = 0, 0, 0.0
        if trainer.is_global_zero:
            self._flush()
            # Before the first step there are only rows of a run that never got so far.
            before = [] if trainer.sanity_checking else read_rows(self.metrics_path)
            write_text(self.metrics_path, csv_text([*before, row]))
            for logger in trainer.loggers:
                logger.log_metrics(means | metrics, step=trainer.global_step)

    def on_exception(
        self, trainer: Trainer, _task: LightningModule, _error: BaseException
    ) -> None:
        """Keep what was not written yet, if that is not what failed."""
        if trainer.is_global_zero:
            with contextlib.suppress(OSError, LaneSegError):
                self._flush()

    def _note_step(self, trainer: Trainer, means: dict[str, torch.Tensor]) -> None:
        done = (trainer.fit_loop.batch_idx + 1) / trainer.num_training_batches
        epoch = (trainer.current_epoch + done) / self.periods
        self._pending.append(_Step(trainer.global_step, epoch, self._rate, means))
        if trainer.global_step % LOGGER_EVERY_STEPS == 0:
            scalars = {f'step/{name}': float(value) for name, value in means.items()}
            for logger in trainer.loggers:
                logger.log_metrics(scalars | {'learning_rate': self._rate}, trainer.global_step)
        if time.monotonic() - self._last_flush_s > FLUSH_EVERY_S:
            self._flush()

    def _flush(self) -> None:
        """Append: the rows of hundred thousand steps are not written anew each time.

        Raises:
            LaneSegError: the loss is not a number any more. As this comes before each save,
                last.ckpt is from before that.
        """
        self._last_flush_s = time.monotonic()
        if not self._pending:
            return
        rows = [step.row() for step in self._pending]
        self._pending.clear()
        is_new = not self.steps_path.is_file() or not self.steps_path.stat().st_size
        with self.steps_path.open('a', encoding='utf-8', newline='') as file:
            file.write(csv_text(rows, header=is_new))
        lost = [row['step'] for row in rows if not math.isfinite(float(row['loss']))]
        if lost:
            raise LaneSegError(
                f'expected a loss that is a number, found none from step {lost[0]} on; go on from '
                'before it with --resume and a lower optimizer.learning_rate, or with clip=1'
            )


@dataclass(frozen=True)
class _Step:
    """An optimizer step that is not written yet."""

    number: int
    epoch: float
    rate: float
    means: dict[str, torch.Tensor]

    def row(self) -> dict[str, str]:
        head = {'step': str(self.number), 'epoch': f'{self.epoch:.3f}'}
        head |= {'learning_rate': f'{self.rate:.4g}'}
        return head | {name: f'{float(value):.5f}' for name, value in self.means.items()}


def _add(sums: dict[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    for name, value in values.items():
        # A sum that was read from a checkpoint lies on the CPU.
        sums[name] = sums[name].to(value.device) + value if name in sums else value


def _device(trainer: Trainer) -> str:
    """What computes, in words."""
    device = trainer.strategy.root_device
    count = f'{trainer.world_size} x ' if trainer.world_size > 1 else ''
    if device.type == 'cuda':
        return f'{count}{torch.cuda.get_device_name(device)}'
    return f'{count}{device.type}, {torch.get_num_threads()} threads'
