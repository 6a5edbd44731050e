"""OpenVINO: the embedded default where there is no NVIDIA GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.engines.base import BaseEngine
from lane_seg.engines.graph import cpu_graph
from lane_seg.engines.openvino_library import load_openvino
from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle

__all__ = ['OpenVinoEngine', 'compile_settings']


def compile_settings(threads: int = 0) -> dict[str, str | int]:
    """The settings that graphs are compiled with, for the latency of a single frame.

    Args:
        threads: CPU threads, 0 for OpenVINO's own choice.
    """
    settings: dict[str, str | int] = {
        'PERFORMANCE_HINT': 'LATENCY',
        'NUM_STREAMS': 1,
        # Without this, CPUs with bf16 units run the float layers in bf16, and results differ
        # from one machine to the next.
        'INFERENCE_PRECISION_HINT': 'f32',
    }
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    return settings


class OpenVinoEngine(BaseEngine):
    """Runs the graph with OpenVINO on the CPU, tuned for the latency of a single frame.

    Args:
        bundle: the verified model.
        threads: CPU threads, 0 for OpenVINO's own choice.

    Raises:
        EngineError: the graph cannot be compiled.
    """

    def __init__(self, bundle: ModelBundle, *, threads: int = 0) -> None:
        openvino = load_openvino()
        version = openvino.__version__.split('-')[0]
        super().__init__(bundle, name='openvino', version=version, threads=threads)
        core = openvino.Core()
        graph = cpu_graph(bundle)
        try:
            compiled = core.compile_model(
                core.read_model(model=graph), 'CPU', compile_settings(threads)
            )
        except RuntimeError as error:
            raise EngineError(
                f'engine openvino {version} cannot compile {bundle.onnx_path}: {error}'
            ) from error
        self.threads = int(compiled.get_property('INFERENCE_NUM_THREADS'))
        self._request = compiled.create_infer_request()
        self._input = np.empty((1, bundle.height, bundle.width, 3), np.uint8)
        self._request.set_input_tensor(openvino.Tensor(self._input, shared_memory=True))
        self._output = self._request.get_output_tensor(0)
        if bundle.confidence:
            self._confidence = self._request.get_tensor(CONFIDENCE_NAME)
        self._open = True

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the model once; see `lane_seg.engines.Engine.infer`."""
        if not self._open:
            raise self.closed_error()
        self.check_tensor(tensor)
        self._input[0] = tensor
        self._request.infer()
        mask: NDArray[np.uint8] = self._output.data[0]
        return mask

    def infer_both(self, tensor: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Run the model once; see `lane_seg.engines.Engine.infer_both`."""
        self.check_confidence()
        mask = self.infer(tensor)
        confidence: NDArray[np.uint8] = self._confidence.data[0]
        return mask, confidence

    def close(self) -> None:
        """Free the compiled model."""
        if self._open:
            self._open = False
            del self._output, self._request
            if self._has_confidence:
                del self._confidence
