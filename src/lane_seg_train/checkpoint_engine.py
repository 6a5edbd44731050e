"""A checkpoint in the place of a bundle: PyTorch between the car's own pre- and postprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from lane_seg.bundle import ClassInfo
from lane_seg.engines.base import BaseEngine
from lane_seg.pipeline import LanePipeline
from lane_seg.postprocess import UNLABELED_ID
from lane_seg_train.colours import default_colours
from lane_seg_train.onnx_from_checkpoint import DeployedNet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg.fit import Fit
    from lane_seg_train.checkpoint import Checkpoint

__all__ = ['CheckpointEngine', 'CheckpointModel', 'checkpoint_pipeline']


@dataclass(frozen=True)
class CheckpointModel:
    """What a checkpoint can say of the fields of a `ModelBundle`: all but files and hashes.

    Attributes:
        name: name of the run.
        version: 'checkpoint'; a version is given at export.
        height: input height in pixels.
        width: input width in pixels.
        fit: how images are laid into the input; training stretches them.
        classes: in the order of their ids.
        unlabeled_id: mask value of pixels that the model does not see.
        precision: 'fp32', or 'int8' computed in float.
        confidence: no; `lane-seg export --confidence` makes a bundle that gives it.
    """

    name: str
    version: str
    height: int
    width: int
    fit: Fit
    classes: tuple[ClassInfo, ...]
    unlabeled_id: int
    precision: str
    confidence: bool

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> CheckpointModel:
        """Describe a checkpoint; classes have the colours of `lane_seg_train.colours`."""
        names = checkpoint.classes
        return cls(
            name=checkpoint.name,
            version='checkpoint',
            height=checkpoint.height,
            width=checkpoint.width,
            fit='stretch',
            classes=tuple(
                ClassInfo(index, name, colour)
                for index, (name, colour) in enumerate(
                    zip(names, default_colours(len(names)), strict=True)
                )
            ),
            unlabeled_id=UNLABELED_ID,
            precision=checkpoint.precision,
            confidence=False,
        )


class CheckpointEngine(BaseEngine):
    """Runs a checkpoint; see the protocol `lane_seg.engines.Engine`.

    The network is the one that is exported, normalization and choice of the class included. It is
    in eval mode and records no gradients.

    Args:
        checkpoint: the network; this changes to eval mode.
        device: where to compute, as PyTorch names it.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = 'cpu') -> None:
        model = cast('ModelBundle', CheckpointModel.of(checkpoint))
        version = f'{torch.__version__} ({device})'
        super().__init__(model, name='torch', version=version, threads=torch.get_num_threads())
        self._device = torch.device(device)
        net = DeployedNet(checkpoint.net, len(checkpoint.classes))
        self._net: DeployedNet | None = net.to(self._device).eval()

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the network once.

        Args:
            tensor: (height, width, 3) uint8 BGR, C-contiguous, the checkpoint's input size.

        Returns:
            (height, width) uint8 class ids.

        Raises:
            EngineError: not such a tensor, or the engine is closed.
        """
        if self._net is None:
            raise self.closed_error()
        self.check_tensor(tensor)
        with torch.inference_mode():
            mask = self._net(torch.from_numpy(tensor)[None].to(self._device))
        return np.asarray(mask[0].cpu().numpy(), np.uint8)

    def close(self) -> None:
        """Let go of the network; may be called twice."""
        self._net = None


def checkpoint_pipeline(checkpoint: Checkpoint, device: str = 'cpu') -> LanePipeline:
    """Put a checkpoint between the preprocessing and the postprocessing of the car.

    Args:
        checkpoint: the network.
        device: where to compute, as PyTorch names it.
    """
    # A bundle without a graph; the pipeline asks for none.
    model = cast('ModelBundle', CheckpointModel.of(checkpoint))
    return LanePipeline(model, CheckpointEngine(checkpoint, device))
