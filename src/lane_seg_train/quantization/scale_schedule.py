"""When the scales of a network that learns follow its weights, and when they stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from lightning.pytorch.callbacks import Callback
from torch.nn.modules.batchnorm import _BatchNorm

from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
from lane_seg_train.quantization.calibration import calibrate
from lane_seg_train.trainer.task import LaneTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.utilities.types import STEP_OUTPUT
    from numpy.typing import NDArray

    from lane_seg_train.quantization.calibrators import Calibrator
    from lane_seg_train.trainer.batches import Batch

__all__ = ['ScaleSchedule']


class ScaleSchedule(Callback):
    """Finds all scales anew at the first step and before each validation, until the freeze.

    A scale that changed at every step would be another number format at every step, to which no
    weight can settle (NVIDIA's advice with pytorch-quantization); one that never changed would
    fit the weights less and less.

    From the freeze on, the statistics of batch normalization and all scales stay as they are: what
    is learned last is learned by exactly the network that will be exported. Factor and shift of
    batch normalization go on learning, as in Krishnamoorthi, 2018 (arXiv:1806.08342) and PyTorch's
    `freeze_bn_stats`: in the exported file they only multiply the scales of int8 weights and move
    the biases, so nothing is rounded again for them.

    Weights go on learning too, but not beyond the largest code. The net computes the same with
    those that would have been clipped; but these would get no gradient to come back by, and a
    code of -128, which has no counterpart, cannot take a negative factor in the file.

    It remembers nothing from step to step, so a resumed run does the same.

    Args:
        images: calibration images, each (H, W, 3) uint8 BGR at the network's size.
        calibrator: one of CALIBRATORS.
        percentile: of calibrator 'percentile'.
        freeze: share of the optimizer steps before the freeze, 0 to 1.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        calibrator: Calibrator,
        *,
        percentile: float,
        freeze: float,
    ) -> None:
        self.images = images
        self.calibrator: Calibrator = calibrator
        self.percentile = percentile
        self.freeze = freeze

    def on_train_batch_start(
        self, trainer: Trainer, task: LightningModule, _batch: Batch, index: int
    ) -> None:
        """Find the scales for the first step, and those that stay; hold what is frozen."""
        step, freeze_step = trainer.global_step, self._freeze_step(task)
        # Several batches make a step where gradients are accumulated.
        if step in (0, freeze_step) and index % trainer.accumulate_grad_batches == 0:
            self._find_scales(task)
        if step >= freeze_step:
            for module in task.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        task: LightningModule,
        _outputs: STEP_OUTPUT,
        _batch: Batch,
        _index: int,
    ) -> None:
        """Keep the weights within the codes that cannot grow any more."""
        if trainer.global_step > self._freeze_step(task):
            _clip_weights(_quantized(task))

    def on_validation_start(self, trainer: Trainer, task: LightningModule) -> None:
        """Find the scales of what is validated, and of the steps that follow."""
        # What the run began with is measured as it is.
        if not trainer.sanity_checking and trainer.global_step <= self._freeze_step(task):
            self._find_scales(task)

    def _freeze_step(self, task: LightningModule) -> int:
        """How many optimizer steps come before the freeze."""
        assert isinstance(task, LaneTask)
        return round(self.freeze * task.steps)

    def _find_scales(self, task: LightningModule) -> None:
        calibrate(_quantized(task), self.images, self.calibrator, percentile=self.percentile)


def _quantized(task: LightningModule) -> QuantizedNet:
    assert isinstance(task.net, QuantizedNet)
    return task.net


@torch.no_grad()
def _clip_weights(net: QuantizedNet) -> None:
    for _, weight, quantizer in net.weight_quantizers():
        largest = (quantizer.scale * quantizer.code_max).reshape(-1, 1, 1, 1)
        weight.clamp_(-largest, largest)
