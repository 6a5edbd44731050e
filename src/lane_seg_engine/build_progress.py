"""How far a build is, and Ctrl-C: TensorRT builds for minutes, in threads of its own."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType

    import tensorrt

    OnProgress = Callable[[float, str], None]

__all__ = ['BuildProgress', 'interruptible', 'monitor_of']


class BuildProgress:
    """How far the build is, out of phases that lie in each other; several threads report."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.on_progress = on_progress
        self.cancelled = False
        self.lock = threading.Lock()
        self.phases: dict[str, tuple[str | None, int, int]] = {}
        self.done = 0.0

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase begins, within `parent` or on its own."""
        with self.lock:
            self.phases[phase] = (parent, max(steps, 1), 0)
        self.report(phase)

    def step(self, phase: str, number: int) -> bool:
        """Step `number`, from 0, of a phase is done; returns whether to go on."""
        with self.lock:
            if phase in self.phases:
                parent, steps, _ = self.phases[phase]
                self.phases[phase] = (parent, steps, number + 1)
        self.report(phase)
        return not self.cancelled

    def finish(self, phase: str) -> None:
        """A phase has ended, perhaps before its last step."""
        with self.lock:
            self.phases.pop(phase, None)

    def report(self, phase: str) -> None:
        """Tell how far the whole build is."""
        if self.on_progress is None:
            return
        with self.lock:
            part = self._part(None)
            # A phase that ends early must not move the bar back.
            self.done = max(self.done, min(part, 1.0))
            done = self.done
        self.on_progress(done, phase)

    def _part(self, parent: str | None) -> float:
        """The part of one step of `parent` that the phases within it have done."""
        inside = [
            (done + self._part(name)) / steps
            for name, (above, steps, done) in self.phases.items()
            if above == parent and name != parent
        ]
        return min(max(inside, default=0.0), 1.0)


def monitor_of(api: ModuleType, state: BuildProgress) -> tensorrt.IProgressMonitor:
    """Make the object that the library reports to."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            state.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return state.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            state.finish(phase_name)

    return Monitor()


@contextmanager
def interruptible(state: BuildProgress) -> Iterator[None]:
    """Let Ctrl-C ask the build to stop; an exception inside a call-back would end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        state.cancelled = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
