"""The GPU as the TensorRT engine uses it, through pycuda: shared context, stream, buffers."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import EngineError
from lane_seg.plans.gpu import load_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ['CudaBuffer', 'CudaDevice']

_INSTALL = (
    "install it with `python3 -m pip install pycuda`; it is compiled, so nvcc of NVIDIA's CUDA "
    'toolkit must be found: PATH="$PATH:/usr/local/cuda/bin"'
)


class CudaDevice:
    """The first GPU, in the context that all CUDA libraries of a process share.

    A context is current on one thread at a time: everything that touches the GPU stands in
    `with device.current()`, on whatever thread. It is never left behind on a thread, because
    pycuda aborts the process when a thread ends with a context on its stack (`~context_stack` in
    cuda.hpp of pycuda 2026.1).

    Attributes:
        cuda: the module `pycuda.driver`.
        integrated: CPU and GPU share their memory (Jetson), so nothing is copied: see CudaBuffer.
        stream: the one stream for everything.

    Raises:
        EngineError: pycuda missing or not working here, or no memory.
    """

    def __init__(self) -> None:
        try:
            import pycuda.driver as cuda
        except ImportError as error:
            raise EngineError(
                f'expected the Python package pycuda, found: {error}; {_INSTALL}'
            ) from error
        self.cuda = cuda
        self._owned = ExitStack()
        self._context = None
        with self.errors('opening the GPU'), ExitStack() as undo:
            cuda.init()
            device = cuda.Device(0)
            self.integrated = bool(device.get_attribute(cuda.device_attribute.INTEGRATED))
            # PyTorch and the CUDA runtime use this context too; pycuda.autoinit makes another.
            self._context = device.retain_primary_context()
            undo.callback(self.close)
            with self.current():
                self.stream = cuda.Stream()
            # A stream is freed by its last reference: nobody else may hold it.
            self._owned.callback(delattr, self, 'stream')
            undo.pop_all()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the context current on this thread for the block."""
        assert self._context is not None  # only a closed device has none
        self._context.push()
        try:
            yield
        finally:
            self._context.pop()

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn pycuda's errors into EngineErrors; `doing` says what was tried."""
        try:
            yield
        except self.cuda.MemoryError as error:
            raise EngineError(
                f'expected enough GPU memory for {doing}, found: {error}; see with `nvidia-smi` '
                '(on a Jetson: `tegrastats`) what else uses it, and end that'
            ) from error
        except self.cuda.Error as error:
            raise EngineError(
                f'expected a GPU that works, found that {doing} failed: {error}; end this process '
                'and start it again, and see with `nvidia-smi` (on a Jetson: `tegrastats`) '
                'whether the driver works'
            ) from error

    def keep(self, free: Callable[[], object]) -> None:
        """Have something freed by `close`, the latest first."""
        self._owned.callback(free)

    def close(self) -> None:
        """Free what is kept, then give the context back; on any thread, also twice.

        pycuda's `detach` does nothing on a thread that neither retained the context nor has it
        current, and otherwise releases a primary context without taking it off the driver's
        stack, which cuDevicePrimaryCtxRelease never does (`context::detach` in cuda.hpp of
        pycuda 2021.1 to 2026.1). So it is current, and taken off that stack first.
        """
        context, self._context = self._context, None
        if context is None:
            return
        context.push()
        try:
            self._owned.close()
        finally:
            load_driver().cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
            context.detach()


class CudaBuffer:
    """A tensor of the network: page-locked memory of the CPU, and where the GPU finds it.

    On a GPU with memory of its own that is memory there, and `upload` and `download` copy.

    On an integrated GPU it is the same memory, mapped into the GPU's addresses, and nothing is
    copied. NVIDIA's "CUDA for Tegra" (memory selection, I/O coherency) has the conditions: from
    compute capability 7.2 on (Xavier, Orin) the CPU's cache holds page-locked memory and the GPU
    sees what is in that cache; the GPU itself does not cache it, so it suits small tensors that
    the network reads or writes once, such as an image and a mask of bytes.

    Use it where the context is current. The device frees it.

    Args:
        device: the GPU.
        shape: of the tensor; its elements are uint8.

    Attributes:
        host: the CPU's memory, an array of that shape; gone with the device.
        address: of the tensor, for the GPU.
    """

    def __init__(self, device: CudaDevice, shape: tuple[int, ...]) -> None:
        cuda = device.cuda
        self._device = device
        self._memory = None
        flags = cuda.host_alloc_flags.DEVICEMAP if device.integrated else 0
        self.host: NDArray[np.uint8] = cuda.pagelocked_empty(shape, np.uint8, mem_flags=flags)
        pages = self.host.base
        assert pages is not None  # the owner of the memory, from pycuda
        device.keep(pages.free)
        if device.integrated:
            self.address = int(pages.get_device_pointer())
        else:
            self._memory = cuda.mem_alloc(self.host.nbytes)
            device.keep(self._memory.free)
            self.address = int(self._memory)

    def upload(self) -> None:
        """Queue the copy to the GPU, where one is needed."""
        if self._memory is not None:
            self._device.cuda.memcpy_htod_async(self._memory, self.host, self._device.stream)

    def download(self) -> None:
        """Queue the copy from the GPU, where one is needed."""
        if self._memory is not None:
            self._device.cuda.memcpy_dtoh_async(self.host, self._memory, self._device.stream)
