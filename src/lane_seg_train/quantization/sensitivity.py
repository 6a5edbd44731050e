"""Which layers do not bear int8: each one quantized alone, everything else in float."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lane_seg_train.metrics import SetConfusion
from lane_seg_train.quantization.ptq import agreement, logits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lane_seg_train.datasets import Example, LaneData
    from lane_seg_train.fake_quantization.quantized_net import QuantizedNet

__all__ = ['Exclusion', 'LayerSensitivity', 'Labelled', 'exclusions', 'sensitivity']


@dataclass(frozen=True)
class Labelled:
    """Labelled images, and what is measured on them.

    Attributes:
        data: the data set that they come from.
        classes: label set whose IoU counts, or 'miou'.
        examples: (image, target) pairs at the network's size.
    """

    data: LaneData
    classes: str
    examples: Sequence[Example]

    def iou(self, masks: Sequence[torch.Tensor]) -> float:
        """IoU of masks (1, H, W), one for each example; NaN where nothing is labelled."""
        confusion = SetConfusion(self.data.table)
        for (_, target), mask in zip(self.examples, masks, strict=True):
            confusion.add_image(torch.from_numpy(target), mask[0].to(torch.uint8))
        if self.classes == 'miou':
            return confusion.miou()
        return confusion.iou()[self.classes]


@dataclass(frozen=True)
class LayerSensitivity:
    """What it costs to quantize one convolution: its weights and its input.

    Attributes:
        name: of the convolution.
        iou_drop: points of IoU (0..100) lost against float; negative if it gained.
        agreement: share of pixels that keep their class.
        sqnr_db: signal-to-quantization-noise ratio of the logits in dB; infinite without noise.
    """

    name: str
    iou_drop: float
    agreement: float
    sqnr_db: float


@dataclass(frozen=True)
class Exclusion:
    """What is left of the drop if some layers stay float.

    Attributes:
        names: of the layers, most sensitive first.
        iou_drop: points of IoU lost against float by all the others together.
    """

    names: tuple[str, ...]
    iou_drop: float


def sensitivity(
    net: QuantizedNet, labelled: Labelled, on_layer: Callable[[], None] | None = None
) -> list[LayerSensitivity]:
    """Quantize one layer after the other alone.

    Args:
        net: a quantized network with its scales; as it was, afterwards.
        labelled: images to measure on.
        on_layer: called after each layer.

    Returns:
        One for each quantized convolution, the most sensitive first: by the drop in IoU, in steps
        of 0.01 points, then by noise.
    """
    images = [image for image, _ in labelled.examples]
    exact = logits_of(net.net, images)
    reference = [logits.argmax(dim=1) for logits in exact]
    base = labelled.iou(reference)
    found = []
    for name in net.placement.weights:
        net.enable([name])
        logits = logits_of(net, images)
        masks = [item.argmax(dim=1) for item in logits]
        found.append(
            LayerSensitivity(
                name=name,
                iou_drop=100 * (base - labelled.iou(masks)),
                agreement=agreement(reference, masks),
                sqnr_db=_sqnr_db(exact, logits),
            )
        )
        if on_layer is not None:
            on_layer()
    net.enable(None)
    return sorted(found, key=lambda one: (-round(one.iou_drop, 2), one.sqnr_db))


def exclusions(
    net: QuantizedNet, labelled: Labelled, order: Sequence[str], max_drop: float
) -> list[Exclusion]:
    """Leave the most sensitive layers in float, one more at a time, until the drop is small.

    Args:
        net: a quantized network with its scales; as it was, afterwards.
        labelled: images to measure on.
        order: names of layers, most sensitive first.
        max_drop: points of IoU (0..100) that may be lost.

    Returns:
        What was tried; the last one is enough if its drop is at most `max_drop`.
    """
    images = [image for image, _ in labelled.examples]
    base = labelled.iou([item.argmax(dim=1) for item in logits_of(net.net, images)])
    tried = []
    for count in range(1, len(order)):
        net.enable(order[count:])
        masks = [item.argmax(dim=1) for item in logits_of(net, images)]
        tried.append(Exclusion(tuple(order[:count]), 100 * (base - labelled.iou(masks))))
        if tried[-1].iou_drop <= max_drop:
            break
    net.enable(None)
    return tried


def _sqnr_db(exact: Sequence[torch.Tensor], logits: Sequence[torch.Tensor]) -> float:
    signal = sum(float((one.double() ** 2).sum()) for one in exact)
    noise = sum(
        float(((one.double() - other.double()) ** 2).sum())
        for one, other in zip(exact, logits, strict=True)
    )
    return 10 * math.log10(signal / noise) if signal and noise else math.inf
