"""From a trained network to an ONNX graph: uint8 image in, uint8 mask out."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg_train.nets.normalization import normalized

if TYPE_CHECKING:
    import onnx

    from lane_seg_train.checkpoint import Checkpoint

__all__ = ['INPUT_NAME', 'OPSET', 'OUTPUT_NAME', 'DeployedNet', 'onnx_from_checkpoint']

INPUT_NAME = 'image'
OUTPUT_NAME = 'mask'
# The newest opset that TensorRT 8.5 (JetPack 5) documents, and the IR version that belongs to it.
OPSET = 17
IR_VERSION = 8


class DeployedNet(nn.Module):
    """A network with everything around it that the car must not get wrong.

    Shape:
        input (1, H, W, 3) uint8 BGR 0..255; output (1, H, W) uint8 class ids.
    """

    def __init__(self, net: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.net = net
        self.num_classes = num_classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalize, run the network, pick the most probable class."""
        tensor = normalized(image).permute(0, 3, 1, 2)
        logits = self.net(tensor).unbind(dim=1)
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


def onnx_from_checkpoint(checkpoint: Checkpoint) -> onnx.ModelProto:
    """Export a checkpoint in float, batch normalization folded into the convolutions.

    Returns:
        A checked ONNX model of opset 17: 'image' (1, H, W, 3) uint8 BGR in, 'mask' (1, H, W)
        uint8 class ids out.
    """
    import onnx

    net = DeployedNet(checkpoint.net, len(checkpoint.classes)).eval()
    example = torch.zeros((1, checkpoint.height, checkpoint.width, 3), dtype=torch.uint8)
    # The TorchScript exporter is the one that writes opset 17; its deprecation notes are not
    # something that a user could act on.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / 'float.onnx'
        warnings.simplefilter('ignore')
        torch.onnx.export(
            net,
            (example,),
            path,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(path)
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
