"""Engines run the bundle's graph: a tensor in, class ids out, on whatever hardware there is."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from lane_seg.engines.openvino_library import load_openvino
from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle

__all__ = ['ENGINES', 'Engine', 'EngineName', 'open_engine']

EngineName = Literal['auto', 'openvino', 'onnxruntime', 'tensorrt']
ENGINES: tuple[str, ...] = get_args(EngineName)
# After TensorRT, which needs more than its Python package.
AUTO_ORDER = ('openvino', 'onnxruntime')

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Something that runs one model. Opened by `open_engine`, closed by `close` or `with`.

    Attributes:
        name: the engine that really runs: 'openvino', 'onnxruntime' or 'tensorrt'.
        version: version of the library behind it.
        threads: number of CPU threads that it uses; 0 where it decides and does not tell.
    """

    name: str
    version: str
    threads: int

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the model once.

        Args:
            tensor: (height, width, 3) uint8 BGR, C-contiguous, the bundle's input size.

        Returns:
            (height, width) uint8 class ids; valid until the next call.
        """

    def infer_both(self, tensor: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Run the model once, for a bundle with `confidence`.

        Args:
            tensor: as for `infer`.

        Returns:
            The class ids of `infer`, and (height, width) uint8: the probability of each of them,
            255 for 1; both valid until the next call.

        Raises:
            BundleError: the bundle gives no confidence.
        """

    def close(self) -> None:
        """Free everything; may be called twice."""

    def __enter__(self) -> Engine:
        """Return the engine itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""


def open_engine(bundle: ModelBundle, engine: EngineName = 'auto', *, threads: int = 0) -> Engine:
    """Open the engine of that name for a bundle.

    'auto' takes TensorRT where a GPU, its libraries and a plan that fits are there (none is ever
    built here), else OpenVINO, else ONNX Runtime; each step down is logged with its reason.

    Args:
        bundle: the verified model.
        engine: one of ENGINES.
        threads: CPU threads, 0 leaves it to the engine; TensorRT uses none.

    Raises:
        EngineError: the engine is unknown, not installed, or cannot load the graph.
    """
    if engine not in ENGINES:
        raise EngineError(f'expected an engine out of {", ".join(ENGINES)}, found {engine!r}')
    if threads < 0:
        raise EngineError(f'expected threads >= 0 (0: the engine decides), found {threads}')
    if engine == 'tensorrt':
        return _open_tensorrt(bundle)
    if engine == 'auto' and _has_gpu():
        try:
            return _open_tensorrt(bundle)
        except EngineError as error:
            _log.warning('%s', error)
    names = AUTO_ORDER if engine == 'auto' else (engine,)
    reasons = []
    for name in names:
        try:
            _import_library(name)
        except ImportError as error:  # not installed, or a library that it needs is not
            _log.warning('engine %s cannot be used: %s', name, error)
            reasons.append(str(error))
            continue
        return _open(bundle, name, threads)
    raise EngineError(
        f'engine {engine}: expected the Python package {" or ".join(names)}, found: '
        f'{"; ".join(reasons)}; install it: python3 -m pip install {names[0]}'
    )


def _import_library(name: str) -> None:
    if name == 'openvino':
        load_openvino()
    else:
        importlib.import_module(name)


def _has_gpu() -> bool:
    from lane_seg.plans.gpu import gpu_info

    try:
        gpu_info()
    except EngineError as error:  # a laptop without one is nothing to warn of
        _log.debug('engine tensorrt cannot be used: %s', error)
        return False
    return True


def _open_tensorrt(bundle: ModelBundle) -> Engine:
    from lane_seg.engines.tensorrt import TensorRtEngine

    return TensorRtEngine(bundle)


def _open(bundle: ModelBundle, name: str, threads: int) -> Engine:
    if name == 'openvino':
        from lane_seg.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, threads=threads)
    from lane_seg.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(bundle, threads=threads)
