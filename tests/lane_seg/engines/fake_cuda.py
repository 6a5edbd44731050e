"""A GPU that is not there: pycuda on it, recorded and kept honest; `fake_driver` has the driver.

It has what pycuda 2026.1 and the CUDA driver API document and nothing else, and it minds their
rules: a call without a current context, a context that a thread leaves behind, memory freed twice
or never, and work that is done while it is being recorded all show. Bytes are really copied and
the network is really computed, so that a wrong order gives a wrong mask. What a real GPU does it
cannot tell: the tests with the marker `gpu` do.
"""

from __future__ import annotations

import threading
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

STREAM = 0x57
# What the GPU takes: a copy either way, and the network.
COPY_MS, NETWORK_MS = 0.25, 2.0


def mask_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The network: (1, H, W, 3) -> (1, H, W), different for different images."""
    return image[..., 0] ^ (image[..., 2] >> 1)


class FakeGpu:
    """The state behind the three of them.

    Args:
        integrated: CPU and GPU share memory.
        fails: what goes wrong: names of pycuda functions ('mem_alloc', ...), of driver functions
            ('cuStreamBeginCapture_v2', ...), or 'runtime', 'deserialize', 'context', 'address',
            'execute', 'execute while recording', 'nothing recorded', 'wrong graph', 'cache'.
        height, width: of the network's image.
    """

    def __init__(
        self, *, integrated: bool = False, fails: tuple[str, ...] = (), height: int, width: int
    ) -> None:
        self.integrated, self.fails = integrated, set(fails)
        self.calls: list[str] = []
        self.wrong: list[str] = []
        self.memory: dict[int, NDArray[np.uint8]] = {}
        self.queue: list[Callable[[], None]] = []
        self.recorded: list[Callable[[], None]] = []
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.recording = False
        self.clock_ms = 0.0
        self.retained = 0
        self.threads = threading.local()
        frame = (1, height, width)
        self.tensors: dict[str, list[object]] = {
            'image': ['INPUT', (*frame, 3), 'UINT8', 'DEVICE', 'LINEAR'],
            'mask': ['OUTPUT', frame, 'UINT8', 'DEVICE', 'LINEAR'],
        }
        self.next_address = 0x1000

    def contexts(self, kind: str) -> list[object]:
        """The stack of this thread: pycuda's own, or the driver's."""
        return self.threads.__dict__.setdefault(kind, [])

    def note(self, call: str) -> None:
        """Record a call that needs the context."""
        self.calls.append(call)
        if not self.contexts('pycuda') or not self.contexts('driver'):
            self.wrong.append(f'{call} without a context')

    def address_of(self, array: NDArray[np.uint8]) -> int:
        address = self.new_handle()
        self.memory[address] = array
        return address

    def new_handle(self) -> int:
        self.next_address += 0x100000
        return self.next_address

    def queue_up(self, operation: Callable[[], None], ms: float) -> None:
        """Put something into the stream that takes so long."""

        def timed() -> None:
            self.clock_ms += ms
            operation()

        (self.recorded if self.recording else self.queue).append(timed)

    def run_queue(self) -> None:
        operations, self.queue = self.queue, []
        for operation in operations:
            operation()

    @property
    def leaked(self) -> list[str]:
        """What is still there, or was done wrongly."""
        pairs = {
            'mem_alloc': 'mem_free', 'pagelocked_empty': 'free pages', 'Stream': 'free stream',
            'Event': 'free event',
            'runtime': 'free runtime', 'engine': 'free engine', 'context': 'free context',
            'a recorded graph': 'cuGraphDestroy',
            'cuGraphInstantiateWithFlags': 'cuGraphExecDestroy',
        }  # fmt: skip
        lost = [
            made for made, freed in pairs.items()
            if self.calls.count(made) != self.calls.count(freed)
        ]  # fmt: skip
        lost += [f'{count} primary contexts' for count in [self.retained] if count]
        lost += [f'{kind} stack' for kind in ('pycuda', 'driver') if self.contexts(kind)]
        return lost + self.wrong


def fake_pycuda(gpu: FakeGpu) -> ModuleType:
    """The module pycuda.driver."""
    cuda = ModuleType('pycuda.driver')
    cuda.Error = type('Error', (Exception,), {})
    cuda.MemoryError = type('MemoryError', (cuda.Error,), {})
    cuda.LogicError = type('LogicError', (cuda.Error,), {})
    cuda.device_attribute = SimpleNamespace(INTEGRATED='INTEGRATED')
    cuda.host_alloc_flags = SimpleNamespace(DEVICEMAP=2)

    def made(call: str) -> None:
        if call in gpu.fails:
            raise cuda.MemoryError(f'{call} failed: out of memory')
        gpu.note(call)

    class Context:
        def __init__(self) -> None:
            self.thread = threading.get_ident()

        def push(self) -> None:
            for kind in ('pycuda', 'driver'):
                gpu.contexts(kind).append(self)

        @staticmethod
        def pop() -> None:
            for kind in ('pycuda', 'driver'):
                gpu.contexts(kind).pop()

        def detach(self) -> None:
            """As in cuda.hpp: it never takes a primary context off the driver's stack."""
            if gpu.contexts('pycuda')[-1:] == [self]:
                gpu.contexts('pycuda').pop()
            elif self.thread == threading.get_ident():
                gpu.contexts('driver').append(self)
            else:
                return
            gpu.retained -= 1
            gpu.calls.append('release')

    class Device:
        def __init__(self, number: int) -> None:
            if 'Device' in gpu.fails:
                raise cuda.LogicError('cuDeviceGet failed: invalid device ordinal')

        def get_attribute(self, attribute: str) -> int:
            return int({'INTEGRATED': gpu.integrated}[attribute])

        def retain_primary_context(self) -> Context:
            gpu.retained += 1
            return Context()

    class Stream:
        def __init__(self) -> None:
            made('Stream')
            self.handle = STREAM

        def synchronize(self) -> None:
            if 'synchronize' in gpu.fails:
                del self  # compiled code has no frame that would hold it in a traceback
                raise cuda.LogicError('cuStreamSynchronize failed: an illegal memory access')
            gpu.note('synchronize')
            if gpu.recording:
                gpu.wrong.append('synchronize while recording')
            gpu.run_queue()

        def __del__(self) -> None:
            gpu.note('free stream')

    class Event:
        def __init__(self) -> None:
            made('Event')
            # When the stream came by; the stream itself must not hold the event.
            self.passed: list[float] = []

        def record(self, stream: Stream) -> Event:
            assert stream.handle == STREAM
            gpu.note('event')
            self.passed = passed = []
            gpu.queue_up(lambda: passed.append(gpu.clock_ms), 0.0)
            return self

        def synchronize(self) -> Event:
            if 'event synchronize' in gpu.fails:
                del self  # as above
                raise cuda.LogicError('cuEventSynchronize failed: an illegal memory access')
            gpu.note('event synchronize')
            gpu.run_queue()
            return self

        def time_since(self, event: Event) -> float:
            return self.passed[0] - event.passed[0]

        def __del__(self) -> None:
            gpu.note('free event')

    class Memory:
        def __init__(self, size: int) -> None:
            made('mem_alloc')
            self.data = np.zeros(size, np.uint8)
            self.address = gpu.address_of(self.data)

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            gpu.note('mem_free')
            del gpu.memory[self.address]

    class Pages:
        """Owner of page-locked memory: the base of the array."""

        def __init__(self, shape: tuple[int, ...], flags: int) -> None:
            made('pagelocked_empty')
            self.data, self.flags = np.zeros(shape, np.uint8), flags
            self.__array_interface__ = self.data.__array_interface__

        def get_device_pointer(self) -> int:
            assert self.flags == cuda.host_alloc_flags.DEVICEMAP
            gpu.note('get_device_pointer')
            return gpu.address_of(self.data.reshape(-1))

        def free(self) -> None:
            gpu.note('free pages')
            # What is read after this is not what was there.
            self.data[:] = 0xDD

    def pagelocked_empty(
        shape: tuple[int, ...], dtype: type, order: str = 'C', mem_flags: int = 0
    ) -> NDArray[np.uint8]:
        assert dtype is np.uint8
        return np.asarray(Pages(shape, mem_flags))

    def copy(name: str, target: NDArray[np.uint8], source: NDArray[np.uint8]) -> None:
        made(name)
        gpu.queue_up(lambda: np.copyto(target, source), COPY_MS)

    def memcpy_htod_async(dest: Memory, src: NDArray[np.uint8], stream: Stream) -> None:
        del stream
        copy('memcpy_htod_async', dest.data, src.reshape(-1))

    def memcpy_dtoh_async(dest: NDArray[np.uint8], src: Memory, stream: Stream) -> None:
        del stream
        copy('memcpy_dtoh_async', dest.reshape(-1), src.data)

    cuda.init = lambda: None
    cuda.Device, cuda.Stream, cuda.Event, cuda.mem_alloc = Device, Stream, Event, Memory
    cuda.pagelocked_empty = pagelocked_empty
    cuda.memcpy_htod_async, cuda.memcpy_dtoh_async = memcpy_htod_async, memcpy_dtoh_async
    return cuda
