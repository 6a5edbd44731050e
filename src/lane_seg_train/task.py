"""The training step and the validation of a run, as Lightning calls them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import torch

from lane_seg_train.losses import allowed_from_bits, set_cross_entropy, set_dice
from lane_seg_train.metrics import SetConfusion
from lane_seg_train.nets import build_net
from lane_seg_train.nets.normalization import normalized

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRScheduler

    from lane_seg_train.batches import Batch
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.label_sets import LabelTable

__all__ = ['LaneTask']


class LaneTask(lightning.LightningModule):
    """Network, loss, optimizer and metrics of one run.

    Args:
        config: the run.
        val_tables: name and label table of each validation set, in the order of the loaders.
    """

    def __init__(self, config: TrainConfig, val_tables: list[tuple[str, LabelTable]]) -> None:
        super().__init__()
        self.config = config
        self.net = build_net(config.net, len(config.classes))
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.val_tables = val_tables
        self.confusions: list[SetConfusion] = []

    def training_step(self, batch: Batch, _index: int) -> torch.Tensor:
        """Cross entropy on admissible sets plus weighted Dice."""
        image, bits, defined = batch
        allowed = allowed_from_bits(bits, len(self.config.classes))
        logits = self.net(normalized(image).contiguous(memory_format=torch.channels_last))
        cross_entropy = set_cross_entropy(logits, allowed)
        dice = set_dice(logits, allowed, defined)
        loss = cross_entropy + self.config.dice_weight * dice
        self.log_dict(
            {'train/loss': loss, 'train/ce': cross_entropy, 'train/dice': dice},
            on_step=False,
            on_epoch=True,
            prog_bar=True,
        )
        return loss

    def on_validation_epoch_start(self) -> None:
        """Counts start at zero each time."""
        self.confusions = [SetConfusion(table) for _, table in self.val_tables]

    def validation_step(self, batch: Batch, _index: int, dataloader_idx: int = 0) -> None:
        """Count predictions against labels."""
        image, bits, _ = batch
        logits = self.net(normalized(image).contiguous(memory_format=torch.channels_last))
        mask = logits.argmax(dim=1).to(torch.uint8)
        self.confusions[dataloader_idx].add(bits.cpu().numpy(), mask.cpu().numpy())

    def on_validation_epoch_end(self) -> None:
        """Log the IoU of every label set of every validation set as '<set>/<classes>'."""
        for (name, _), confusion in zip(self.val_tables, self.confusions, strict=True):
            for classes, iou in confusion.iou().items():
                metric = f'{name}/{classes}'
                self.log(metric, iou, prog_bar=metric == self.config.monitor)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; learning rate warmed up linearly, then cosine to zero, per step."""
        decay = [p for p in self.net.parameters() if p.ndim > 1]
        plain = [p for p in self.net.parameters() if p.ndim <= 1]
        groups: list[dict[str, object]] = [
            {'params': decay},
            {'params': plain, 'weight_decay': 0.0},
        ]
        optimizer = torch.optim.AdamW(
            groups,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = max(1, round(steps * self.config.warmup_epochs / self.config.epochs))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            'optimizer': optimizer,
            'lr_scheduler': {'scheduler': scheduler, 'interval': 'step'},
        }
