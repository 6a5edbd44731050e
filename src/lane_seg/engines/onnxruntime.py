"""ONNX Runtime on the CPU: the fallback engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.engines.base import BaseEngine
from lane_seg.engines.graph import cpu_graph
from lane_seg.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle

__all__ = ['OnnxRuntimeEngine', 'session_options']


def session_options(threads: int = 0) -> onnxruntime.SessionOptions:
    """The options that sessions are opened with.

    Args:
        threads: CPU threads, 0 for ONNX Runtime's own choice.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads must not spin: the camera driver and the ROS middleware need the cores.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


class OnnxRuntimeEngine(BaseEngine):
    """Runs the graph with ONNX Runtime's CPU provider.

    Args:
        bundle: the verified model.
        threads: CPU threads, 0 for ONNX Runtime's own choice.

    Raises:
        EngineError: the graph cannot be loaded.
    """

    def __init__(self, bundle: ModelBundle, *, threads: int = 0) -> None:
        import onnxruntime

        super().__init__(
            bundle, name='onnxruntime', version=onnxruntime.__version__, threads=threads
        )
        graph = cpu_graph(bundle)
        try:
            self._session = onnxruntime.InferenceSession(
                graph, session_options(threads), providers=['CPUExecutionProvider']
            )
        except Exception as error:  # its errors have no common base of their own
            raise EngineError(
                f'engine onnxruntime {self.version} cannot load {bundle.onnx_path}: {error}'
            ) from error
        self._input_name = self._session.get_inputs()[0].name
        self._output_name = self._session.get_outputs()[0].name
        self._open = True

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the model once; see `lane_seg.engines.Engine.infer`."""
        return self._run([self._output_name], tensor)[0]

    def infer_both(self, tensor: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Run the model once; see `lane_seg.engines.Engine.infer_both`."""
        self.check_confidence()
        mask, confidence = self._run([self._output_name, CONFIDENCE_NAME], tensor)
        return mask, confidence

    def close(self) -> None:
        """Free the session."""
        if self._open:
            self._open = False
            del self._session

    def _run(self, outputs: list[str], tensor: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if not self._open:
            raise self.closed_error()
        self.check_tensor(tensor)
        found = self._session.run(outputs, {self._input_name: tensor[None]})
        return [output[0] for output in found]
