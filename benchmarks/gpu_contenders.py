"""The contenders of gpu_engines.py: TensorRT engines and PyTorch, each in a process of its own.

So whatever one of them does to the GPU's driver, even a crash, is told as its reason, no library
disturbs another one, and they can still take turns.
"""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lane_seg.bundle import ModelBundle
from lane_seg.errors import LaneSegError
from lane_seg.plans.gpu import gpu_info
from lane_seg.plans.options import BuildOptions

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ['TENSORRT', 'TORCH', 'Contender', 'Process', 'Runner', 'answer', 'open_contender']

TORCH, TENSORRT = 'torch', 'tensorrt'
_END_S = 10.0


@dataclass(frozen=True)
class Contender:
    """What is to run.

    Attributes:
        engine: 'tensorrt' or 'torch'.
        precision: 'int8', 'fp16' or 'fp32'.
        model: folder of the bundle, where the plan lies or is built; or a checkpoint in float.
        float_type: of what is not int8 in an int8 engine: 'fp32' or 'fp16'.
    """

    engine: str
    precision: str
    model: Path
    float_type: str = 'fp32'

    @property
    def label(self) -> str:
        """Engine and precision."""
        return f'{self.engine} {self.precision}'


class Runner(Protocol):
    """An open contender."""

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR to (H, W) uint8 class ids, with both copies."""

    def time_network_ms(self, tensor: NDArray[np.uint8], frames: int) -> list[float]:
        """GPU time of the network alone, of each run in milliseconds."""


def open_contender(contender: Contender) -> tuple[Runner, dict[str, object]]:
    """Open it here, and tell what there is to know of it; builds the plan if it is missing.

    Raises:
        LaneSegError: it cannot run here.
    """
    start_s = time.perf_counter()
    opened = _open_torch if contender.engine == TORCH else _open_tensorrt
    runner, facts = opened(contender)
    return runner, {**facts, 'open_s': round(time.perf_counter() - start_s, 2)}


def _open_torch(contender: Contender) -> tuple[Runner, dict[str, object]]:
    from gpu_torch import TorchHalf

    runner = TorchHalf(contender.model)
    return runner, runner.facts


def _open_tensorrt(contender: Contender) -> tuple[Runner, dict[str, object]]:
    from lane_seg.engines import tensorrt
    from lane_seg.plans.options import check_options
    from lane_seg_engine.engine_from_onnx import engine_from_onnx
    from lane_seg_engine.graph_rules import has_quantization
    from lane_seg_engine.prepare import load_graph

    bundle = ModelBundle.load(contender.model)
    library = tensorrt.open_library()
    options = BuildOptions(
        float_type=contender.float_type if contender.precision == 'int8' else 'fp32'
    )
    quantized = has_quantization(load_graph(bundle))
    check_options(options, library, contender.precision, quantized=quantized)
    built = engine_from_onnx(bundle, library, contender.precision, options, gpu=gpu_info())
    engine = tensorrt.TensorRtEngine(bundle, contender.precision)
    pycuda = importlib.import_module('pycuda')
    return engine, {
        'library': f'{engine.name} {engine.version}, '
        f'pycuda {getattr(pycuda, "VERSION_TEXT", "unknown")}',
        'file_mb': engine.plan.stat().st_size / 1e6,
        'cuda_graph': engine.cuda_graph,
        'plan': engine.plan.name,
        'built': built.record.built,
    }


def answer(
    runner: Runner, what: str, tensors: NDArray[np.uint8], frames: int, lead_in: int
) -> dict[str, Any]:
    """Do what is asked.

    Args:
        runner: an open contender.
        what: 'masks' or 'times'.
        tensors: (N, H, W, 3) uint8 BGR; frames cycle through them.
        frames: how many to time; of those the GPU times, all are of the first tensor.
        lead_in: frames before, which do not count.

    Returns:
        {'masks': (N, H, W) uint8}, or {'gpu_ms': [...], 'whole_ms': [...]}.
    """
    if what == 'masks':
        return {'masks': np.stack([runner.infer(tensor).copy() for tensor in tensors])}
    whole_ms = []
    for number in range(-lead_in, frames):
        tensor = tensors[number % len(tensors)]
        start_s = time.perf_counter()
        runner.infer(tensor)
        passed_s = time.perf_counter() - start_s
        if number >= 0:
            whole_ms.append(passed_s * 1e3)
    gpu_ms = runner.time_network_ms(tensors[0], lead_in + frames)[lead_in:]
    return {'gpu_ms': gpu_ms, 'whole_ms': whole_ms}


def _serve(pipe: Connection, contender: Contender, tensors: NDArray[np.uint8]) -> None:
    """The process: open, then answer until None comes. Any error is an answer."""
    # Ctrl-C reaches the whole process group; whoever asked ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        runner, facts = open_contender(contender)
        pipe.send(facts)
        while (request := pipe.recv()) is not None:
            what, frames, lead_in = request
            pipe.send(answer(runner, what, tensors, frames, lead_in))
    except LaneSegError as error:
        pipe.send({'error': str(error)})
    except Exception as error:  # of torch, pycuda or the library: the others go on
        pipe.send({'error': f'{type(error).__name__}: {error}'})


class Process:
    """A contender in a process of its own; a context manager that leaves none behind.

    Args:
        contender: that is opened.
        tensors: (N, H, W, 3) uint8 BGR that it is asked about.
        patience_s: how long to wait for an answer. Opening builds a plan where none is there,
            and TensorRT-RTX compiles for the GPU then.

    Raises:
        LaneSegError: it cannot run here; or, from `ask`, it failed or died.
    """

    def __init__(
        self, contender: Contender, tensors: NDArray[np.uint8], *, patience_s: float
    ) -> None:
        self._patience_s = patience_s
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, contender, tensors), daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            self.facts = self._receive()
        except BaseException:
            self.close()
            raise

    def ask(self, what: str, frames: int = 0, lead_in: int = 0) -> dict[str, Any]:
        """See `answer`."""
        with suppress(OSError):  # it has died: what it said last, if anything, is the reason
            self._pipe.send((what, frames, lead_in))
        return self._receive()

    def close(self) -> None:
        """End the process; may be called twice."""
        with suppress(OSError):  # it has ended
            self._pipe.send(None)
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> dict[str, Any]:
        try:
            if not self._pipe.poll(self._patience_s):
                self._process.kill()
                raise LaneSegError(f'its process did not answer within {self._patience_s:g} s')
            found: dict[str, Any] = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_END_S)
            raise LaneSegError(
                f'its process died with exit code {self._process.exitcode}; its last words are '
                'above'
            ) from error
        if 'error' in found:
            raise LaneSegError(found['error'])
        return found
