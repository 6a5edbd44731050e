"""From a trained network to an ONNX graph: uint8 image in, uint8 mask out."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lane_seg.confidence import add_confidence
from lane_seg.errors import LaneSegError
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_int8 import (
    constants_as_initializers,
    drop_unused,
    fold_batch_norm,
    store_int8_weights,
)

if TYPE_CHECKING:
    import onnx

    from lane_seg_train.checkpoint import Checkpoint

__all__ = ['INPUT_NAME', 'OPSET', 'OUTPUT_NAME', 'DeployedNet', 'onnx_from_checkpoint']

INPUT_NAME = 'image'
OUTPUT_NAME = 'mask'
LOGITS_NAME = 'logits'
# The newest opset that TensorRT 8.5 (JetPack 5) documents, and the IR version that belongs to it.
OPSET = 17
IR_VERSION = 8


class LogitsNet(nn.Module):
    """A network with its normalization.

    Shape:
        input (1, H, W, 3) uint8 BGR 0..255; output (1, classes, H, W) float logits.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalize, run the network."""
        logits: torch.Tensor = self.net(normalized(image).permute(0, 3, 1, 2))
        return logits


class DeployedNet(LogitsNet):
    """A network with everything around it that the car must not get wrong.

    Shape:
        input (1, H, W, 3) uint8 BGR 0..255; output (1, H, W) uint8 class ids.
    """

    def __init__(self, net: nn.Module, num_classes: int) -> None:
        super().__init__(net)
        self.num_classes = num_classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalize, run the network, pick the most probable class."""
        return self.mask_from_logits(super().forward(image))

    def mask_from_logits(self, tensor: torch.Tensor) -> torch.Tensor:
        """(1, classes, H, W) logits to (1, H, W) uint8 class ids."""
        logits = tensor.unbind(dim=1)
        # A chain of comparisons instead of ArgMax: TensorRT fuses it into the last kernel, and
        # OpenVINO takes a third of the time.
        best = logits[0]
        mask: torch.Tensor | None = None
        for index in range(1, self.num_classes):
            higher = logits[index] > best
            # Scalars, not tensors full of one number: those would be stored as half a megabyte.
            mask = torch.where(higher, float(index), 0.0 if mask is None else mask)
            if index < self.num_classes - 1:
                best = torch.maximum(best, logits[index])
        if mask is None:
            raise LaneSegError(f'expected at least 2 classes, found {self.num_classes}')
        return mask.to(torch.uint8)


def onnx_from_checkpoint(
    checkpoint: Checkpoint, *, confidence: bool = False, logits: bool = False
) -> onnx.ModelProto:
    """Export a checkpoint, batch normalization folded into the convolutions.

    A quantized one becomes explicit Q/DQ as TensorRT wants it, with its weights stored as int8 and
    its biases in float.

    Args:
        checkpoint: the network.
        confidence: give a second output 'confidence', (1, H, W) uint8; see `add_confidence`.
        logits: give 'logits', (1, classes, H, W) float, instead of the mask.

    Returns:
        A checked ONNX model of opset 17: 'image' (1, H, W, 3) uint8 BGR in, 'mask' (1, H, W)
        uint8 class ids out.
    """
    import onnx

    classes = len(checkpoint.classes)
    net: nn.Module
    if logits:
        net, outputs = LogitsNet(checkpoint.net), [LOGITS_NAME]
    else:
        net, outputs = DeployedNet(checkpoint.net, classes), [OUTPUT_NAME]
    example = torch.zeros((1, checkpoint.height, checkpoint.width, 3), dtype=torch.uint8)
    # The TorchScript exporter is the one that writes opset 17; its deprecation notes are not
    # something that a user could act on.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / 'float.onnx'
        warnings.simplefilter('ignore')
        torch.onnx.export(
            net.eval(),
            (example,),
            path,
            input_names=[INPUT_NAME],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(path)
    constants_as_initializers(model)
    if checkpoint.quantization is not None:
        store_int8_weights(model)
        fold_batch_norm(model)
    drop_unused(model)
    model.ir_version = IR_VERSION
    if confidence:
        add_confidence(model, classes)
    onnx.checker.check_model(model, full_check=True)
    return model
