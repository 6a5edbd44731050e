"""The file that a run goes on from: written whole, often, and at every stop."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FrameType

    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.utilities.types import STEP_OUTPUT

    from lane_seg_train.trainer.batches import Batch, LaneBatches

__all__ = ['AtomicCheckpointIO', 'ResumeFile', 'RunStopped']

TIME_SHARE = 0.02  # of the run may go into saving


class RunStopped(Exception):  # noqa: N818  # not an error
    """The run was asked to stop, and has saved everything."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all; the older one survives a full disk."""

    def save_checkpoint(
        self, checkpoint: Mapping[str, object], path: str | Path, storage_options: object = None
    ) -> None:
        """Write `checkpoint` to `path`.

        Raises:
            LaneSegError: it cannot be written; what was there before is untouched.
        """
        try:
            with atomic_path(path) as temporary:
                torch.save(checkpoint, temporary)
        except (OSError, RuntimeError) as error:
            # torch says RuntimeError where the disk is full.
            raise LaneSegError(
                f'{path}: expected to write the state of the run, found: {error}; what was saved '
                'before is intact: make room and go on with --resume'
            ) from error


class ResumeFile(Callback):
    """Saves last.ckpt: after every period, between steps, and when a signal asks to stop.

    Between steps it saves as often as 2 % of the time allows, or every `save_steps` steps, and
    always before the last step of a period, so that a run that is killed while it validates has
    one step to do again. Nothing depends on chance outside of the checkpoint, so steps that are
    done again give the same result.

    Ctrl-C (SIGINT) and SIGTERM end the run after the current step, which is saved; the second
    Ctrl-C ends it at once.

    Args:
        path: of last.ckpt.
        batches: where the run stands in its data.
        save_steps: optimizer steps between two saves, 0 to let the time decide.
    """

    def __init__(self, path: Path, batches: LaneBatches, save_steps: int) -> None:
        self.path = path
        self.batches = batches
        self.save_steps = save_steps
        self._handlers: dict[int, object] = {}
        self._asked_to_stop = False
        self._last_save_s = 0.0
        self._save_cost_s = 0.0

    def on_train_start(self, _trainer: Trainer, _task: LightningModule) -> None:
        """Take the signals over from Lightning, which would lose the steps since the epoch."""
        self._last_save_s = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._ask_to_stop)

    def teardown(self, _trainer: Trainer, _task: LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers.clear()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        _task: LightningModule,
        _outputs: STEP_OUTPUT,
        _batch: Batch,
        index: int,
    ) -> None:
        """Save if it is time to, and stop if somebody asked."""
        done = index + 1
        rest = int(trainer.num_training_batches) - done
        # Lightning makes an optimizer step of the last batches even if they are too few.
        if done % trainer.accumulate_grad_batches or not rest:
            return
        stop = self._all_asked_to_stop(trainer)
        if stop or self._is_time_to_save(trainer, rest):
            self._save(trainer, (trainer.current_epoch, done))
        if stop:
            raise RunStopped

    def on_validation_batch_end(self, trainer: Trainer, *_rest: object) -> None:
        """Stop inside a validation: it changes nothing, and the state before it is saved."""
        if trainer.world_size == 1 and self._asked_to_stop:
            raise RunStopped

    def on_train_epoch_end(self, trainer: Trainer, _task: LightningModule) -> None:
        """Save after the validation of the period."""
        self._save(trainer, (trainer.current_epoch + 1, 0))
        if self._all_asked_to_stop(trainer):
            raise RunStopped

    def _is_time_to_save(self, trainer: Trainer, rest: int) -> bool:
        if rest <= trainer.accumulate_grad_batches:
            return True
        if self.save_steps:
            return trainer.global_step % self.save_steps == 0
        waited_s = time.monotonic() - self._last_save_s
        due = waited_s * TIME_SHARE > self._save_cost_s
        # Saving is work of all processes, and their clocks differ.
        return bool(trainer.strategy.reduce_boolean_decision(due, all=True))

    def _save(self, trainer: Trainer, next_batch: tuple[int, int]) -> None:
        start_s = time.monotonic()
        self.batches.next_batch = next_batch
        trainer.save_checkpoint(self.path)
        self._last_save_s = time.monotonic()
        self._save_cost_s = self._last_save_s - start_s

    def _all_asked_to_stop(self, trainer: Trainer) -> bool:
        return bool(trainer.strategy.reduce_boolean_decision(self._asked_to_stop, all=False))

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        if self._asked_to_stop and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked_to_stop = True
