"""The training step and the validation of a run, as Lightning calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import lightning.pytorch as lightning
import torch
from torchmetrics import MeanMetric

from lane_seg_train.losses import allowed_from_targets, build_loss, defined_from_sets
from lane_seg_train.metrics import SetConfusion
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.optimizers import build_optimizer
from lane_seg_train.schedules import PlateauSchedule, build_schedule

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import STEP_OUTPUT, OptimizerLRScheduler
    from torch import nn

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.label_sets import LabelTable
    from lane_seg_train.trainer.batches import Batch

__all__ = ['LaneTask']


class LaneTask(lightning.LightningModule):
    """Network, loss, optimizer, schedule and metrics of one run.

    Args:
        config: the run.
        net: what learns.
        val_tables: name and label table of each validation set, in the order of the loaders.
        steps: optimizer steps of the whole run.
        warmup_steps: of these, so many warm up.
    """

    def __init__(
        self,
        config: TrainConfig,
        net: nn.Module,
        val_tables: list[tuple[str, LabelTable]],
        *,
        steps: int,
        warmup_steps: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_loss(config.loss, config.classes)
        self.val_names = [name for name, _ in val_tables]
        # torchmetrics sums over processes; each is reset when a validation starts.
        self.confusions = torch.nn.ModuleList([SetConfusion(table) for _, table in val_tables])
        self.val_losses = torch.nn.ModuleList([MeanMetric() for _ in val_tables])

    def logits_from_image(self, image: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) uint8 BGR to (N, C, H, W) logits."""
        logits: torch.Tensor = self.net(
            normalized(image).contiguous(memory_format=torch.channels_last)
        )
        return logits

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        """Let dropout depend on the step alone, so that a resumed run drops the same."""
        if self.config.net.dropout:
            seed = self.config.seed + self.global_step * self.trainer.world_size
            torch.manual_seed(seed + self.trainer.global_rank)

    def training_step(self, batch: Batch, _index: int) -> STEP_OUTPUT:
        """One batch; `terms` of the result go to the history."""
        image, target, sets = batch
        loss, terms = self._loss(self.logits_from_image(image), target, sets)
        return {'loss': loss, 'terms': {name: term.detach() for name, term in terms.items()}}

    def on_validation_epoch_start(self) -> None:
        """Counts start at zero each time."""
        for metric in (*self._confusions(), *self._val_losses()):
            metric.reset()

    def validation_step(self, batch: Batch, _index: int, dataloader_idx: int = 0) -> STEP_OUTPUT:
        """Count predictions against targets."""
        image, target, sets = batch
        logits = self.logits_from_image(image)
        mask = logits.argmax(dim=1).to(torch.uint8)
        loss, _ = self._loss(logits, target, sets)
        self._confusions()[dataloader_idx].update(target, mask)
        self._val_losses()[dataloader_idx].update(loss, weight=len(image))
        return {'mask': mask}

    def on_validation_epoch_end(self) -> None:
        """Log loss, IoU of every label set, and mean IoU of every validation set."""
        for name, confusion, loss in zip(
            self.val_names, self._confusions(), self._val_losses(), strict=True
        ):
            values = {'loss': float(loss.compute()), 'miou': confusion.miou(), **confusion.iou()}
            for key, value in values.items():
                metric = f'{name}/{key}'
                # Already summed over processes: all of them log the same number.
                self.log(metric, value, prog_bar=metric == self.config.monitor)
        schedule = self.lr_schedulers()
        if isinstance(schedule, PlateauSchedule):
            schedule.validated(float(self.trainer.callback_metrics[self.config.monitor]))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer and schedule, stepped together."""
        optimizer = build_optimizer(self.net, self.config.optimizer)
        schedule = build_schedule(
            optimizer, self.config.schedule, steps=self.steps, warmup_steps=self.warmup_steps
        )
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': schedule, 'interval': 'step'},
        }

    def _confusions(self) -> list[SetConfusion]:
        return cast('list[SetConfusion]', list(self.confusions))

    def _val_losses(self) -> list[MeanMetric]:
        return cast('list[MeanMetric]', list(self.val_losses))

    def _loss(
        self, logits: torch.Tensor, target: torch.Tensor, sets: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        total, terms = self.loss(
            logits, allowed_from_targets(target, sets), defined_from_sets(sets)
        )
        return total, terms
