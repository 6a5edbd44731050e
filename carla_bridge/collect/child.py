"""A process that records, seen from its supervisor: its events, its words, its end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from carla_bridge.collect.job import Job

__all__ = ['Child']

_BLOCK = 1 << 16
_LAST_WORDS = 20
_POLITE_S = 8.0
_POLL_S = 0.1


class Child:
    """Starts a process for a job; a context manager that never leaves it behind.

    Attributes:
        heard_s: when its last event came, by `time.monotonic()`.
        last_words: what it last wrote to stdout and stderr.

    Args:
        job: `events` and `supervisor` of it are filled in here.
        on_event: called with each event.
        on_word: called with each line that it writes to stdout or stderr.
    """

    def __init__(
        self,
        job: Job,
        *,
        on_event: Callable[[dict[str, object]], None],
        on_word: Callable[[str], None],
    ) -> None:
        self._handlers = {'events': self._event, 'words': self._word}
        self._on_event, self._on_word = on_event, on_word
        self.last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self.heard_s = time.monotonic()
        events, writing = os.pipe()
        job = replace(job, events=writing, supervisor=os.getpid())
        try:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'carla_bridge.collect.drive_process', job.to_text()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                # Ctrl-C in a terminal goes to the whole group: this process passes it on itself.
                start_new_session=True,
            )
        except BaseException:
            os.close(events)
            raise
        finally:
            os.close(writing)
        assert self._process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(events, selectors.EVENT_READ, 'events')
        self._selector.register(self._process.stdout.fileno(), selectors.EVENT_READ, 'words')
        self._events = events
        self._rest = {'events': b'', 'words': b''}

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._selector.close()
        os.close(self._events)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Of the ended process, negative for a signal; None while it runs."""
        return self._process.poll()

    def listen(self, timeout_s: float) -> bool:
        """Handle what comes within a time; False when the process has closed both pipes."""
        for key, _ in self._selector.select(timeout_s):
            block = os.read(key.fd, _BLOCK)
            if not block:
                self._selector.unregister(key.fd)
            *lines, self._rest[key.data] = (self._rest[key.data] + block).split(b'\n')
            for line in lines:
                self._handlers[key.data](line.decode(errors='replace'))
        return bool(self._selector.get_map())

    def stop(self) -> None:
        """Ask the process to end, and end it if it does not; events until then are handled."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _POLITE_S
        while self._process.poll() is None and time.monotonic() < until:
            if not self.listen(_POLL_S):
                time.sleep(_POLL_S)
        self.kill()
        while self._selector.get_map() and self._selector.select(0.0):
            self.listen(0.0)

    def kill(self) -> None:
        """End the process at once."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait for the end of a process that has closed its pipes."""
        return self._process.wait()

    def _event(self, line: str) -> None:
        self.heard_s = time.monotonic()
        self._on_event(json.loads(line))

    def _word(self, line: str) -> None:
        self.last_words.append(line)
        self._on_word(line)
