"""The driver of the GPU of `fake_cuda`: CUDA graphs by the CUDA driver API."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from tests.lane_seg.engines.fake_cuda import STREAM, fake_pycuda

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    import pytest

    from tests.lane_seg.engines.fake_cuda import FakeGpu

FAILED = 901


class FakeDriver:
    """libcuda: each function is there unless it 'is missing'."""

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu = gpu

    def __getattr__(self, name: str) -> Callable[..., int]:
        gpu = self.gpu
        if f'no {name}' in gpu.fails:
            raise AttributeError(name)
        action = getattr(self, f'_{name}')

        def call(*arguments: object) -> int:
            if name in gpu.fails:
                gpu.recording = False
                return FAILED
            if name != 'cuCtxPopCurrent_v2':
                gpu.note(name)
            return action(*arguments) or 0

        return call

    def _cuCtxPopCurrent_v2(self, context: object) -> None:  # noqa: N802
        self.gpu.contexts('driver').pop()

    def _cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> None:  # noqa: N802
        assert (stream.value, mode) == (STREAM, 1)
        self.gpu.recording, self.gpu.recorded = True, []

    def _cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: object) -> int:  # noqa: N802
        self.gpu.recording = False
        if 'nothing recorded' in self.gpu.fails:
            return FAILED
        self.gpu.note('a recorded graph')
        graph._obj.value = handle = self.gpu.new_handle()
        self.gpu.graphs[handle] = self.gpu.recorded
        return 0

    def _cuGraphInstantiateWithFlags(  # noqa: N802
        self, graph: object, recorded: ctypes.c_void_p, flags: ctypes.c_ulonglong
    ) -> None:
        assert flags.value == 0
        graph._obj.value = handle = self.gpu.new_handle()
        self.gpu.graphs[handle] = self.gpu.graphs[recorded.value]

    def _cuGraphDestroy(self, recorded: ctypes.c_void_p) -> None:  # noqa: N802
        del self.gpu.graphs[recorded.value]

    def _cuGraphLaunch(self, graph: ctypes.c_void_p, stream: ctypes.c_void_p) -> None:  # noqa: N802
        assert stream.value == STREAM
        self.gpu.queue += self.gpu.graphs[graph.value]
        if 'wrong graph' in self.gpu.fails:
            self.gpu.queue.clear()

    def _cuGraphExecDestroy(self, graph: ctypes.c_void_p) -> None:  # noqa: N802
        del self.gpu.graphs[graph.value]


def install(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu) -> None:
    """Put pycuda and the driver of that GPU where the engine looks for them."""
    from lane_seg.engines import cuda_device, cuda_graph

    package = ModuleType('pycuda')
    package.driver = fake_pycuda(gpu)
    monkeypatch.setitem(sys.modules, 'pycuda', package)
    monkeypatch.setitem(sys.modules, 'pycuda.driver', package.driver)
    driver = FakeDriver(gpu)
    for module in (cuda_device, cuda_graph):
        monkeypatch.setattr(module, 'load_driver', lambda: driver)
