"""TensorRT on an NVIDIA GPU: runs the plan that `lane-seg build-engine` made for this machine."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.confidence import CONFIDENCE_NAME
from lane_seg.engines.base import BaseEngine
from lane_seg.engines.cuda_device import CudaBuffer, CudaDevice
from lane_seg.engines.cuda_graph import CudaGraph
from lane_seg.engines.tensorrt_plan import TensorRtPlan
from lane_seg.engines.tensorrt_timing import NetworkTimer
from lane_seg.errors import EngineError
from lane_seg.plans.gpu import gpu_info
from lane_seg.plans.libraries import installed_flavours, open_library
from lane_seg.plans.search import find_plan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.libraries import Library

__all__ = ['TensorRtEngine', 'plan_for_this_machine']

_log = logging.getLogger(__name__)


def plan_for_this_machine(
    bundle: ModelBundle, precision: str | None = None
) -> tuple[Library, Path]:
    """Find the plan that runs here, with the library that runs it. Nothing is ever built.

    Args:
        bundle: the verified model.
        precision: 'int8', 'fp16' or 'fp32' takes only plans of it; None: int8 first.

    Returns:
        The library (TensorRT before TensorRT-RTX) and the plan.

    Raises:
        EngineError: no GPU, no library or no plan; the message says what to do.
    """
    gpu = gpu_info()
    reasons = []
    for flavour in installed_flavours():
        try:
            library = open_library(flavour)
            return library, find_plan(bundle, library, gpu, precision=precision)
        except EngineError as error:
            reasons.append(str(error))
    if not reasons:
        open_library()  # says what to install
    raise EngineError('\n'.join(reasons))


class TensorRtEngine(BaseEngine):
    """Runs a plan with TensorRT, or with TensorRT-RTX.

    Buffers are allocated once: a frame allocates nothing on the GPU. Where it can be done, one
    CUDA graph holds the copy to the GPU, the network and the copy back. It may be built, used
    and closed on different threads; calls wait for each other.

    Args:
        bundle: the verified model; a plan that fits lies beside it.
        precision: see `plan_for_this_machine`.

    Attributes:
        plan: the file that runs.
        cuda_graph: who launches a frame as one CUDA graph, or why nobody does, for people.

    Raises:
        EngineError: no GPU, library, pycuda or plan, or one of them does not work.
    """

    def __init__(self, bundle: ModelBundle, precision: str | None = None) -> None:
        try:
            library, self.plan = plan_for_this_machine(bundle, precision)
            prefix = 'rtx ' if library.flavour == 'rtx' else ''
            super().__init__(
                bundle, name='tensorrt', version=f'{prefix}{library.version}', threads=0
            )
            self._lock = threading.Lock()
            self._graph: CudaGraph | None = None
            self._timer: NetworkTimer | None = None
            # Ordinary memory: a mask that somebody still holds outlives the page-locked buffers.
            self._mask = np.empty((bundle.height, bundle.width), np.uint8)
            self._confidence = np.empty_like(self._mask)
            with ExitStack() as undo:
                self._device = undo.enter_context(closing(CudaDevice()))
                with self._device.errors(f'loading {self.plan}'), self._device.current():
                    self._load(bundle, library)
                undo.pop_all()
        except EngineError as error:
            raise EngineError(f'engine tensorrt: {error}') from error
        self._open = True

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Run the model once; see `lane_seg.engines.Engine.infer`."""
        with self._lock:
            self._infer(tensor)
            return self._mask

    def infer_both(self, tensor: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Run the model once; see `lane_seg.engines.Engine.infer_both`."""
        self.check_confidence()
        with self._lock:
            self._infer(tensor)
            index = self._plan.outputs.index(CONFIDENCE_NAME)
            np.copyto(self._confidence, self._outputs[index].host[0])
            return self._mask, self._confidence

    def time_network_ms(self, tensor: NDArray[np.uint8], frames: int) -> list[float]:
        """Measure the network alone, without the copies, in the GPU's own time: for benchmarks.

        Args:
            tensor: as for `infer`.
            frames: how often it is run.

        Returns:
            GPU time of each run in milliseconds; see `NetworkTimer`.

        Raises:
            EngineError: as `infer`; or the network alone cannot be recorded.
        """
        with self._lock:
            if not self._open:
                raise self.closed_error()
            self.check_tensor(tensor)
            np.copyto(self._input.host[0], tensor)
            try:
                with self._device.errors('a measurement'), self._device.current():
                    self._input.upload()
                    if self._timer is None:
                        self._timer = NetworkTimer(
                            self._device, self._queue_network, record=self._graph is not None
                        )
                    return self._timer.times_ms(frames)
            except EngineError as error:
                raise EngineError(f'engine tensorrt: {error}') from error

    def close(self) -> None:
        """Free graph, context, engine, runtime, buffers and stream; give the GPU back."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            try:
                with self._device.errors('closing'):
                    self._device.close()
            except EngineError as error:  # the process goes on without this engine
                _log.warning('engine tensorrt: %s', error)

    def _infer(self, tensor: NDArray[np.uint8]) -> None:
        """Run one frame through, and copy its mask to where it outlives the buffers."""
        if not self._open:
            raise self.closed_error()
        self.check_tensor(tensor)
        np.copyto(self._input.host[0], tensor)
        try:
            with self._device.errors('an inference'), self._device.current():
                self._run()
        except EngineError as error:
            raise EngineError(f'engine tensorrt: {error}') from error
        np.copyto(self._mask, self._outputs[0].host[0])

    def _load(self, bundle: ModelBundle, library: Library) -> None:
        """Fill everything that a frame needs."""
        device = self._device
        frame = (1, bundle.height, bundle.width)
        self._input = CudaBuffer(device, (*frame, 3))
        self._plan = TensorRtPlan(self.plan, bundle, library)
        device.keep(self._plan.close)
        self._outputs = [CudaBuffer(device, frame) for _ in self._plan.outputs]
        self._plan.set_address(self._plan.input, self._input.address)
        for name, buffer in zip(self._plan.outputs, self._outputs, strict=True):
            self._plan.set_address(name, buffer.address)
        # The first inference makes kernels and allocates; neither may happen in a recording.
        noise = np.random.default_rng(0).integers(0, 256, self._input.host.shape, np.uint8)
        np.copyto(self._input.host, noise)
        self._run()
        self._plan.save_cache()
        self.cuda_graph = 'the library makes its own'
        if not self._plan.has_own_graph:
            self.cuda_graph = self._record()
        _log.info(
            'engine tensorrt: %s with %s, memory %s, CUDA graph: %s', self.plan.name, self.version,
            'shared with the CPU' if device.integrated else 'of the GPU', self.cuda_graph,
        )  # fmt: skip

    def _queue(self) -> None:
        """Queue one frame on the stream."""
        self._input.upload()
        self._queue_network()
        for buffer in self._outputs:
            buffer.download()

    def _queue_network(self) -> None:
        self._plan.enqueue(self._device.stream.handle)

    def _run(self) -> None:
        """Run one frame and wait for it."""
        if self._graph is not None:
            self._graph.launch()
        else:
            self._queue()
        self._device.stream.synchronize()

    def _record(self) -> str:
        """Record the CUDA graph if that works; returns what came of it, for people.

        TensorRT's guide: not every network can be recorded. Nor is it an error if this one
        cannot, it only takes more calls for each frame. A graph is used if it gives what the
        inference before it gave.
        """
        expected = [buffer.host.copy() for buffer in self._outputs]
        for buffer in self._outputs:
            np.copyto(buffer.host, ~buffer.host)
        try:
            with self._device.errors('recording'):
                self._graph = CudaGraph(self._device.stream.handle, self._queue)
                self._device.keep(self._graph.close)
                self._run()
        except EngineError as error:
            return self._without_graph(str(error))
        for wanted, buffer in zip(expected, self._outputs, strict=True):
            if not np.array_equal(wanted, buffer.host):
                return self._without_graph('it gave another result')
        return 'yes'

    def _without_graph(self, reason: str) -> str:
        if self._graph is not None:
            self._graph.close()
            self._graph = None
        self._run()  # what a failed recording has broken shows now
        return f'no: {reason}'
