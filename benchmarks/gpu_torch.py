"""PyTorch as gpu_engines.py lets it run: fp16, channels_last, the network in a CUDA graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lane_seg.errors import EngineError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.onnx_from_checkpoint import DeployedNet

__all__ = ['TorchHalf', 'half_net']

# cuDNN tries its kernels in these.
_BEFORE_RECORDING = 10


class TorchHalf:
    """A checkpoint in PyTorch: fp16, channels_last, the network in a CUDA graph.

    It takes and gives what an exported graph does. The copies are queued before and after the
    graph, from and to page-locked memory, on its stream.

    Args:
        path: the checkpoint, in float.

    Raises:
        EngineError: PyTorch sees no GPU, or the checkpoint is quantized.
    """

    def __init__(self, path: Path) -> None:
        if not torch.cuda.is_available():
            raise EngineError(
                f'expected PyTorch with CUDA and a GPU that it sees, found {torch.__version__} '
                f'(CUDA {torch.version.cuda}) without; install a build with CUDA'
            )
        checkpoint = Checkpoint.load(path)
        size = (1, checkpoint.height, checkpoint.width)
        torch.backends.cudnn.benchmark = True
        net = half_net(checkpoint).cuda()
        self._input = torch.zeros((*size, 3), dtype=torch.uint8).pin_memory()
        self._output = torch.zeros(size, dtype=torch.uint8).pin_memory()
        self._answer = np.empty(size[1:], np.uint8)
        self._image = self._input.cuda()
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        self._graph = torch.cuda.CUDAGraph()
        with torch.no_grad():
            # PyTorch's notes on CUDA graphs: warm up on another stream than the default one.
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_BEFORE_RECORDING):
                    net(self._image)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(self._graph):
                self._mask = net(self._image)
        self._net = net  # the graph uses its weights
        self.facts: dict[str, object] = {
            'library': f'torch {torch.__version__}, CUDA {torch.version.cuda}, '
            f'cuDNN {torch.backends.cudnn.version()}',
            'file_mb': path.stat().st_size / 1e6,
            'cuda_graph': 'the network; copies queued beside it',
        }

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Runner`; the mask is valid until the next call."""
        np.copyto(self._input.numpy()[0], tensor)
        self._image.copy_(self._input, non_blocking=True)
        self._graph.replay()
        self._output.copy_(self._mask, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        np.copyto(self._answer, self._output.numpy()[0])
        return self._answer

    def time_network_ms(self, tensor: NDArray[np.uint8], frames: int) -> list[float]:
        """See `Runner`; events as in `lane_seg.engines.tensorrt_timing`."""
        self.infer(tensor)
        start, end = self._events
        times = []
        for _ in range(frames):
            self._graph.replay()
            start.record()
            self._graph.replay()
            end.record()
            end.synchronize()
            times.append(float(start.elapsed_time(end)))
        return times


class _HalfNet(DeployedNet):
    """Shape: (1, H, W, 3) uint8 BGR to (1, H, W) uint8 class ids."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        # The grey levels become multiples of 1/64 below 2: exact in fp16.
        logits = self.net(normalized(image).half().permute(0, 3, 1, 2))
        return self.mask_from_logits(logits)


def half_net(checkpoint: Checkpoint) -> DeployedNet:
    """The network that is exported, (1, H, W, 3) uint8 to (1, H, W) uint8, computing in fp16.

    Args:
        checkpoint: in float; its network is changed.

    Raises:
        EngineError: it is quantized.
    """
    if checkpoint.precision != 'fp32':
        raise EngineError(
            f'expected a checkpoint in float, found {checkpoint.precision}: PyTorch only imitates '
            'that; give the one that was quantized'
        )

    net = _HalfNet(checkpoint.net, len(checkpoint.classes)).eval().half()
    return net.to(memory_format=torch.channels_last)
