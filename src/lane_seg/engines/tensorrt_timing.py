"""GPU time of a network alone, between two CUDA events: for benchmarks, no frame passes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.engines.cuda_graph import CudaGraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lane_seg.engines.cuda_device import CudaDevice

__all__ = ['NetworkTimer']


class NetworkTimer:
    """Measures what one network takes on one stream.

    The events stand in the stream right before and right after the network (cuEventElapsedTime of
    the CUDA driver API). The network runs once more ahead of them, without being timed: the GPU
    is busy with that while the CPU queues the rest, so that no wait for the CPU is counted.

    Use it where the GPU's context is current. The device frees it.

    Args:
        device: the GPU.
        queue: queues the network once on the device's stream.
        record: time a CUDA graph of the network, as its frames are run.

    Raises:
        EngineError: the driver cannot record the network.
    """

    def __init__(self, device: CudaDevice, queue: Callable[[], None], *, record: bool) -> None:
        self._device = device
        self._queue = queue
        self._events = (device.cuda.Event(), device.cuda.Event())
        # An event is freed by its last reference.
        device.keep(lambda: delattr(self, '_events'))
        if record:
            graph = CudaGraph(device.stream.handle, queue)
            device.keep(graph.close)
            self._queue = graph.launch

    def times_ms(self, frames: int) -> list[float]:
        """Run the network that often, one after the other.

        Returns:
            The GPU's time of each, in milliseconds.
        """
        return [self._time_ms() for _ in range(frames)]

    # No local variable holds event or stream: the traceback of an error would keep it alive.

    def _time_ms(self) -> float:
        self._queue()
        self._events[0].record(self._device.stream)
        self._queue()
        self._events[1].record(self._device.stream)
        self._events[1].synchronize()
        return float(self._events[1].time_since(self._events[0]))
