"""What a run leaves to look at: snapshots of predictions, curves, the report."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from lane_seg_train.colours import class_colours
from lane_seg_train.trainer.order import even_choice
from lane_seg_train.trainer.resume import RunStopped
from lane_seg_train.trainer.task import LaneTask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData

__all__ = ['Pictures']

REPORT_EVERY_S = 120.0


class Pictures(Callback):
    """Draws the same validation images after each validation, and curves and report now and then.

    Args:
        folder: of the run.
        val_sets: to choose images from, evenly over the sets and over their length.
        config: the run; `snapshots` says how many images.
    """

    def __init__(self, folder: Path, val_sets: Sequence[LaneData], config: TrainConfig) -> None:
        self.folder = folder
        self.count = config.snapshots
        self.colours = class_colours(config.classes, config)
        self.val_sets = val_sets
        self._last_report_s = -REPORT_EVERY_S

    def on_validation_end(self, trainer: Trainer, task: LightningModule) -> None:
        """Draw the snapshots; every two minutes also curves and report."""
        if not trainer.is_global_zero:
            return
        assert isinstance(task, LaneTask)
        try:
            if self.count:
                self._snapshot(task, trainer.global_step)
            if time.monotonic() - self._last_report_s > REPORT_EVERY_S:
                self._report()
        except OSError as error:
            # A picture is not worth a run: if the disk is full, saving will say so.
            logging.getLogger(__name__).warning('no pictures of this validation: %s', error)

    def on_fit_end(self, trainer: Trainer, _task: LightningModule) -> None:
        """Draw curves and report of the whole run."""
        if trainer.is_global_zero:
            self._report()

    def on_exception(self, trainer: Trainer, _task: LightningModule, error: BaseException) -> None:
        """Draw what there is when a run is stopped, but not when it failed."""
        is_asked = isinstance(error, RunStopped) and trainer.is_global_zero
        if is_asked and (self.folder / 'metrics.csv').is_file():
            self._report()

    def _report(self) -> None:
        from lane_seg_train.report.curves import write_curves
        from lane_seg_train.report.html import write_report

        write_curves(self.folder)
        write_report(self.folder)
        self._last_report_s = time.monotonic()

    def _snapshot(self, task: LaneTask, step: int) -> None:
        from lane_seg_train.report.snapshots import snapshot_sheet, write_snapshot

        share = -(-self.count // len(self.val_sets))
        sheets = []
        for data in self.val_sets:
            chosen = even_choice(len(data.examples), min(1.0, share / len(data.examples)))
            images, targets = zip(*(data.examples[index] for index in chosen), strict=True)
            sheets.append(
                snapshot_sheet(
                    images,
                    targets,
                    self._masks(task, images),
                    data.table,
                    [f'{data.name} {data.names[index]}' for index in chosen],
                    colours=self.colours,
                )
            )
        width = max(sheet.shape[1] for sheet in sheets)
        padded = [np.pad(sheet, ((0, 0), (0, width - sheet.shape[1]), (0, 0))) for sheet in sheets]
        write_snapshot(self.folder / 'snapshots' / f'step_{step:07d}.jpg', np.concatenate(padded))

    @torch.inference_mode()
    def _masks(self, task: LaneTask, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        was_training = task.training
        task.eval()
        batch = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2)).to(task.device)
        masks = task.logits_from_image(batch).argmax(dim=1).to(torch.uint8).cpu().numpy()
        task.train(was_training)
        return list(masks)
