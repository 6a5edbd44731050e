"""Post-training quantization: ranges from calibration images, no learning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
from lane_seg_train.fake_quantization.record import QuantizationRecord
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.calibration import calibration_sha256, histograms, set_ranges
from lane_seg_train.quantization.calibrators import CALIBRATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.nets.net import Net
    from lane_seg_train.quantization.calibrators import Calibrator

__all__ = ['AUTO', 'Tried', 'agreement', 'logits_of', 'post_training']

AUTO = 'auto'


@dataclass(frozen=True)
class Tried:
    """What came of one calibrator.

    Attributes:
        calibrator: its name.
        agreement: share of pixels of the held-out images with the class of the float network.
    """

    calibrator: str
    agreement: float


def post_training(
    checkpoint: Checkpoint,
    images: Sequence[NDArray[np.uint8]],
    held_out: Sequence[NDArray[np.uint8]],
    calibrator: str = AUTO,
    *,
    percentile: float = 99.99,
    exclude: Sequence[str] = (),
    on_image: Callable[[int], None] | None = None,
) -> tuple[Checkpoint, list[Tried]]:
    """Quantize a float checkpoint.

    Args:
        checkpoint: in float; its network becomes part of the result.
        images: calibration images, each (H, W, 3) uint8 BGR at the network's size.
        held_out: other images of the training sets, which compare calibrators.
        calibrator: one of CALIBRATORS, or 'auto': the one with which most pixels of `held_out`
            keep their class.
        percentile: of calibrator 'percentile'.
        exclude: convolutions that stay float.
        on_image: called with the number of images that were run since the last call; each
            calibration image counts twice.

    Returns:
        The quantized checkpoint, without metrics, and what each calibrator that was tried gave,
        best first.

    Raises:
        LaneSegError: it is quantized already, has nothing to quantize, or images are missing.
    """
    if checkpoint.quantization is not None:
        raise LaneSegError('expected a checkpoint in float, found one that is quantized already')
    size = (checkpoint.height, checkpoint.width)
    net = QuantizedNet(cast('Net', checkpoint.net), size, exclude=exclude)
    if not net.placement.weights:
        raise LaneSegError('expected convolutions to quantize, found that all are excluded')
    net.eval()
    seen = histograms(net, images, on_image)
    reference = [logits.argmax(dim=1) for logits in logits_of(net.net, held_out)]
    tried = []
    for name in CALIBRATORS if calibrator == AUTO else (calibrator,):
        set_ranges(net, seen, cast('Calibrator', name), percentile=percentile)
        masks = [logits.argmax(dim=1) for logits in logits_of(net, held_out)]
        tried.append(Tried(name, agreement(reference, masks)))
    tried.sort(key=lambda one: -one.agreement)
    best = tried[0].calibrator
    set_ranges(net, seen, cast('Calibrator', best), percentile=percentile)
    record = QuantizationRecord(
        calibrator=best,
        percentile=percentile,
        images=len(images),
        sha256=calibration_sha256(images),
        exclude=tuple(exclude),
    )
    return dataclasses.replace(checkpoint, net=net, quantization=record, metrics={}), tried


def logits_of(net: nn.Module, images: Sequence[NDArray[np.uint8]]) -> list[torch.Tensor]:
    """Run a network on images one by one.

    Args:
        net: a network in eval mode.
        images: each (H, W, 3) uint8 BGR.

    Returns:
        (1, classes, H, W) float logits of each.
    """
    device = next(net.parameters()).device
    with torch.inference_mode():
        return [
            net(normalized(torch.from_numpy(image[None]).to(device)).permute(0, 3, 1, 2)).cpu()
            for image in images
        ]


def agreement(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> float:
    """Return the share of pixels with the same class in two lists of masks; NaN of none."""
    same = sum(int((one == other).sum()) for one, other in zip(first, second, strict=True))
    pixels = sum(one.numel() for one in first)
    return same / pixels if pixels else float('nan')
