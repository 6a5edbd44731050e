"""One contender in a process of its own: `python -m lane_seg_train.compare.worker`.

So its memory is its own, and no library disturbs another one. It answers on what was its standard
output; whatever libraries print goes to the standard error.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lane_seg.errors import EngineError, LaneSegError
from lane_seg_train.compare.contenders import TENSORRT, TORCH
from lane_seg_train.compare.memory import forget_peak_memory, memory_mb, peak_memory_mb
from lane_seg_train.compare.messages import receive, send

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg.engines import Engine, EngineName

__all__ = ['main', 'open_contender']


def open_contender(engine: EngineName | str, model: str, threads: int) -> Engine:
    """Open a model as the car does, or a checkpoint in PyTorch on the CPU.

    Args:
        engine: 'torch', or one of `lane_seg.engines.ENGINES` but 'auto'.
        model: checkpoint, folder of a bundle, or a plan in that folder.
        threads: CPU threads.

    Raises:
        LaneSegError: it cannot be opened, or another engine than that would run.
    """
    if engine == TORCH:
        import torch

        from lane_seg_train.checkpoint import Checkpoint
        from lane_seg_train.checkpoint_engine import CheckpointEngine

        torch.set_num_threads(threads)
        return CheckpointEngine(Checkpoint.load(model))
    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import open_engine

    if engine == TENSORRT and Path(model).is_file():
        return _open_plan(Path(model))
    opened = open_engine(ModelBundle.load(model), engine, threads=threads)  # type: ignore[arg-type]
    if opened.name != engine:
        opened.close()
        raise EngineError(f'expected engine {engine}, found that {opened.name} runs')
    return opened


def _open_plan(plan: Path) -> Engine:
    from lane_seg.bundle import ModelBundle
    from lane_seg.engines.tensorrt import TensorRtEngine
    from lane_seg.plans.key import read_record

    opened = TensorRtEngine(ModelBundle.load(plan.parent), read_record(plan).key.precision)
    if opened.plan.name != plan.name:
        opened.close()
        raise EngineError(
            f'expected to run {plan}, found that {opened.plan} was built meanwhile; compare again'
        )
    return opened


class _Worker:
    """Answers requests; each method is one of them.

    Between 'open' and the last answer nothing is loaded that the contender does not need itself.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._tensors: NDArray[np.uint8] = np.empty((0, 1, 1, 3), np.uint8)

    def open(self, message: dict[str, Any], _content: bytes) -> tuple[dict[str, Any], bytes]:
        """Open the contender, and tell what it takes beyond its library."""
        engine, model, threads = message['engine'], message['model'], message['threads']
        _import_library(engine)
        forget_peak_memory()
        before_mb = memory_mb()
        start_s = time.perf_counter()
        self._engine = open_contender(engine, model, threads)
        return {
            'name': self._engine.name,
            'version': self._engine.version,
            'threads': self._engine.threads,
            'library_mb': before_mb,
            'open_ms': (time.perf_counter() - start_s) * 1e3,
        }, b''

    def tensors(self, message: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Keep the tensors to time with, (N, height, width, 3) uint8."""
        self._tensors = np.frombuffer(content, np.uint8).reshape(message['shape'])
        return {}, b''

    def time(self, message: dict[str, Any], _content: bytes) -> tuple[dict[str, Any], bytes]:
        """Run some frames that do not count, then time each of the others."""
        engine, times_ms = self._opened(), []
        for number in range(-message['before'], message['frames']):
            tensor = self._tensors[number % len(self._tensors)]
            start_s = time.perf_counter()
            engine.infer(tensor)
            passed_s = time.perf_counter() - start_s
            if number >= 0:
                times_ms.append(passed_s * 1e3)
        return {'times_ms': times_ms}, b''

    def memory(self, _message: dict[str, Any], _content: bytes) -> tuple[dict[str, Any], bytes]:
        """Tell the peak since before the model was opened."""
        return {'peak_mb': peak_memory_mb()}, b''

    def mask(self, message: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Find the classes of one tensor."""
        tensor = np.frombuffer(content, np.uint8).reshape(message['shape'])
        mask = self._opened().infer(tensor)
        return {'shape': list(mask.shape)}, mask.tobytes()

    def profile(self, message: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Open the contender with its profiler on, and tell its layers."""
        from lane_seg_train.compare.profiling import profiled

        tensor = np.frombuffer(content, np.uint8).reshape(message['shape'])
        layers = profiled(
            message['engine'],
            message['model'],
            message['threads'],
            tensor,
            frames=message['frames'],
            before=message['before'],
        )
        return {'layers': [layer.plain() for layer in layers]}, b''

    def _opened(self) -> Engine:
        if self._engine is None:
            raise EngineError('expected an open engine, found none; ask to open one first')
        return self._engine


def main() -> int:
    """Answer requests until the standard input ends."""
    # Ctrl-C reaches the whole process group; the comparison ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'wb')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = _Worker()
    while True:
        try:
            message, content = receive(sys.stdin.buffer)
        except EOFError:
            return 0
        try:
            answer, result = getattr(worker, message.pop('do'))(message, content)
        except LaneSegError as error:
            answer, result = {'error': str(error)}, b''
        try:
            send(answers, answer, result)
        except BrokenPipeError:  # whoever asked is gone
            return 1


def _import_library(engine: str) -> None:
    """Load what the engine needs anyway, so that the memory after this is that of the model."""
    for name in (engine, 'lane_seg_train.checkpoint_engine' if engine == TORCH else 'onnx'):
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # opening the engine says it better


if __name__ == '__main__':
    sys.exit(main())
