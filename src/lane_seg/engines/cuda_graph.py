"""Work of a CUDA stream, recorded once and launched as a whole: fewer calls for each frame.

pycuda (looked at: 2026.1) has no stream capture, so this talks to the driver itself: the stream
management and graph management parts of the CUDA driver API, from CUDA 11.4 on.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.plans.gpu import load_driver

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ['CudaGraph']

# CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads (ROS, PyTorch) do meanwhile is theirs.
_THREAD_LOCAL = 1
_NO_FLAGS = ctypes.c_ulonglong(0)


class CudaGraph:
    """A recorded graph, ready to be launched.

    Use it where the stream's context is current; `close` it there before the stream goes.

    Args:
        stream: handle of a stream other than the default one.
        work: queues on that stream what is to be recorded; nothing of it runs now. It may not
            allocate, nor wait for the GPU.

    Raises:
        EngineError: the driver has no graphs, or cannot record this work. The stream works on
            as before.
    """

    def __init__(self, stream: int, work: Callable[[], None]) -> None:
        self._driver = load_driver()
        self._stream = ctypes.c_void_p(stream)
        self._graph: ctypes.c_void_p | None = None
        recorded = ctypes.c_void_p()
        self._call('cuStreamBeginCapture_v2', self._stream, _THREAD_LOCAL)
        try:
            work()
        except BaseException:
            # The stream must come out of its recording state; that this fails is no news.
            self._driver.cuStreamEndCapture(self._stream, ctypes.byref(recorded))
            self._destroy(recorded)
            raise
        self._call('cuStreamEndCapture', self._stream, ctypes.byref(recorded))
        graph = ctypes.c_void_p()
        try:
            self._call('cuGraphInstantiateWithFlags', ctypes.byref(graph), recorded, _NO_FLAGS)
        finally:
            self._destroy(recorded)
        self._graph = graph

    def launch(self) -> None:
        """Queue the recorded work on the stream.

        Raises:
            EngineError: the driver refuses.
        """
        self._call('cuGraphLaunch', self._graph, self._stream)

    def close(self) -> None:
        """Free the graph; may be called twice."""
        graph, self._graph = self._graph, None
        if graph is not None:
            self._driver.cuGraphExecDestroy(graph)

    def _destroy(self, recorded: ctypes.c_void_p) -> None:
        if recorded.value:
            self._driver.cuGraphDestroy(recorded)

    def _call(self, name: str, *arguments: object) -> None:
        try:
            function = getattr(self._driver, name)
        except AttributeError as error:
            raise EngineError(
                'expected a driver of CUDA 11.4 or later for CUDA graphs, found one without '
                f'{name}'
            ) from error
        code: int = function(*arguments)
        if code != 0:
            raise EngineError(
                f'expected to record and launch a CUDA graph, found that {name} failed with CUDA '
                f'error {code}'
            )
