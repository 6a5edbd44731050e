"""A thread of low priority for work that must not disturb what is measured."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ['BackgroundWork']

# 100 overlays of 1280x720 are 280 MB: more than the thread ever is behind.
_JOBS = 100


class BackgroundWork:
    """Runs jobs in their order, in a thread of low priority."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(maxsize=_JOBS)
        self._error: Exception | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name='background', daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None]) -> bool:
        """Add a job; False where too many are waiting."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    @property
    def is_idle(self) -> bool:
        """Whether every job so far is done."""
        return not self._jobs.unfinished_tasks

    def check(self) -> None:
        """Raise the first error of any job so far."""
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """End the thread after the job in work."""
        self._abandoned = True
        with suppress(queue.Full):
            self._jobs.put_nowait(None)
        self._thread.join()

    def _run(self) -> None:
        if sys.platform.startswith('linux'):  # elsewhere this number is that of a process
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while (job := self._jobs.get()) is not None:
            if self._abandoned:
                return
            try:
                if self._error is None:
                    job()
            except Exception as error:  # raised in check, in the main thread
                self._error = error
            finally:
                self._jobs.task_done()
