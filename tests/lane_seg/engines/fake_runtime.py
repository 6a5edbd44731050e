"""TensorRT's runtime on the GPU of `fake_cuda`: what its bindings document for running a plan.

Objects of the library are freed by their last reference, as there; that is recorded too.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from tests.lane_seg.engines.fake_cuda import NETWORK_MS, STREAM, mask_of
from tests.lane_seg_engine.fake_tensorrt import PLAN, FakeTensorrt

if TYPE_CHECKING:
    from tests.lane_seg.engines.fake_cuda import FakeGpu

CACHE = b'kernels of this GPU'


class FakeRuntimeApi(FakeTensorrt):
    """TensorRT of a version, with what running a plan needs."""

    def __init__(self, gpu: FakeGpu, version: str = '10.3.0', *, rtx: bool = False) -> None:
        super().__init__('11.1.0' if rtx else version)
        self.runtime: SimpleNamespace | None = None
        for name, members in {
            'TensorIOMode': ['NONE', 'INPUT', 'OUTPUT'],
            'DataType': ['FLOAT', 'UINT8'],
            'TensorLocation': ['DEVICE', 'HOST'],
            'TensorFormat': ['LINEAR', 'CHW4'],
        }.items():
            setattr(self, name, enum.Enum(name, members))
        if rtx:
            self.CudaGraphStrategy = enum.Enum('Strategy', ['DISABLED', 'WHOLE_GRAPH_CAPTURE'])

        def runtime(logger: object) -> _Runtime:
            if 'runtime' in gpu.fails:
                raise TypeError('pybind11::init(): factory function returned nullptr')
            self.runtime = SimpleNamespace(version=self.numbers, rtx=rtx)
            return _Runtime(gpu, self, logger)

        self.Runtime = runtime


class _Tracked:
    """Freed by its last reference, like the library's objects."""

    kind = ''

    def __init__(self, gpu: FakeGpu, api: FakeRuntimeApi) -> None:
        self.gpu, self.api = gpu, api
        gpu.note(self.kind)

    def __del__(self) -> None:
        self.gpu.note(f'free {self.kind}')


class _Runtime(_Tracked):
    kind = 'runtime'

    def __init__(self, gpu: FakeGpu, api: FakeRuntimeApi, logger: object) -> None:
        super().__init__(gpu, api)
        self.logger = logger

    def __setattr__(self, name: str, value: object) -> None:
        if name == 'engine_host_code_allowed' and self.api.numbers < (8, 6):
            raise AttributeError(name)
        super().__setattr__(name, value)
        if name in ('engine_host_code_allowed', 'DLA_core'):
            setattr(self.api.runtime, name, value)

    def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
        if 'deserialize' in self.gpu.fails or plan != PLAN:
            self.logger.log(self.api.ILogger.Severity.ERROR, 'magicTag does not match')
            return None
        return _Engine(self.gpu, self.api)


class _Engine(_Tracked):
    kind = 'engine'

    @property
    def num_io_tensors(self) -> int:
        return len(self.gpu.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.gpu.tensors)[index]

    def get_tensor_mode(self, name: str) -> enum.Enum:
        return self.api.TensorIOMode[self.gpu.tensors[name][0]]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.gpu.tensors[name][1]

    def get_tensor_dtype(self, name: str) -> enum.Enum:
        return self.api.DataType[self.gpu.tensors[name][2]]

    def get_tensor_location(self, name: str) -> enum.Enum:
        return self.api.TensorLocation[self.gpu.tensors[name][3]]

    def get_tensor_format(self, name: str) -> enum.Enum:
        return self.api.TensorFormat[self.gpu.tensors[name][4]]

    def create_engine_inspector(self) -> SimpleNamespace:
        return SimpleNamespace(get_engine_information=lambda layer_format: '{"Layers": []}')

    def create_runtime_config(self) -> _RuntimeConfig:
        assert self.api.runtime.rtx
        self.api.runtime.config = _RuntimeConfig(self.gpu)
        return self.api.runtime.config

    def create_execution_context(self, config: object = None) -> _Context | None:
        assert (config is not None) == self.api.runtime.rtx
        return None if 'context' in self.gpu.fails else _Context(self.gpu, self.api)


class _RuntimeConfig:
    cuda_graph_strategy: enum.Enum | None = None

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.cache = gpu, None

    def create_runtime_cache(self) -> _RuntimeCache:
        return _RuntimeCache(self.gpu)

    def set_runtime_cache(self, cache: _RuntimeCache) -> bool:
        self.cache = cache
        return True


class _RuntimeCache:
    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu = gpu
        self.read: bytes | None = None

    def deserialize(self, data: bytes) -> bool:
        self.read = data
        return data == CACHE

    def serialize(self) -> memoryview:
        # Before the first inference nothing has been compiled.
        return memoryview(CACHE if 'execute' in self.gpu.calls else b'')


class _Context(_Tracked):
    kind = 'context'

    def __init__(self, gpu: FakeGpu, api: FakeRuntimeApi) -> None:
        super().__init__(gpu, api)
        self.addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return 'address' not in self.gpu.fails and address in self.gpu.memory

    def execute_async_v3(self, stream: int) -> bool:
        gpu = self.gpu
        assert stream == STREAM
        gpu.note('execute')
        if 'execute' in gpu.fails:
            return False
        if gpu.recording and 'execute while recording' in gpu.fails:
            return False
        addresses = dict(self.addresses)

        def compute() -> None:
            shape = gpu.tensors['image'][1]
            mask = mask_of(gpu.memory[addresses['image']].reshape(shape))
            for name, address in addresses.items():
                if name != 'image':
                    np.copyto(gpu.memory[address], mask.reshape(-1) ^ (name != 'mask'))

        gpu.queue_up(compute, NETWORK_MS)
        return True
