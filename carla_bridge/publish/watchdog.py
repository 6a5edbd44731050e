"""Ends this process where the client would wait for good, or for minutes, in a call.

A server that has died is waited for once for every call of the clean-up, 30 s each; and a
Traffic Manager in synchronous mode can stop for good in `world.tick()` (CARLA issue 9172), where
no time-out applies. Python's threads go on meanwhile: one of them looks.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import carla

__all__ = ['Watchdog', 'clean_up_from_outside']

LOG = logging.getLogger(__name__)

_LOOK_S = 0.5
_SUSPICIOUS_S, _PROBE_S = 2.0, 1.0
_CLEAN_UP_S = 10.0


class Watchdog:
    """Watches from `arm` on; a context manager.

    Args:
        host: of the server.
        port: of the server, for calls.
        stall_s: how long nothing may happen while the server is there.
        say: receives the last words, before the process ends with exit code 1.
        interrupted: whether the process itself is to end; called while the main thread may be in
            the client. A server that goes then, as it does where one Ctrl-C ends both, is no
            error, and takes its actors with it: exit code 0.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        stall_s: float,
        say: Callable[[str], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._address = (host, port)
        self._stall_s = stall_s
        self._say = say
        self._interrupted = interrupted
        self._progress_s = float('inf')
        self._clean_up: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name='watchdog', daemon=True)

    def __enter__(self) -> Watchdog:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def arm(self, clean_up: Callable[[], None]) -> None:
        """Begin to watch.

        Args:
            clean_up: called, in the watchdog's thread, where the server is there but nothing
                happens.
        """
        self._clean_up = clean_up
        self.progress()

    def progress(self) -> None:
        """Take note that something has happened."""
        self._progress_s = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            silent_s = time.monotonic() - self._progress_s
            if silent_s < _SUSPICIOUS_S:
                continue
            if not self._server_is_there():
                if self._interrupted():
                    os._exit(0)
                host, port = self._address
                self._say(
                    f'expected the CARLA server at {host}:{port}, which was there, found none: '
                    'it has ended or crashed; start it again, then this'
                )
                os._exit(1)
            if silent_s > self._stall_s:
                self._say(
                    f'expected a tick within {self._stall_s:g} s, found the carla client hanging; '
                    'with a Traffic Manager that is CARLA issue 9172: start again, or take '
                    '--driver follower and no --traffic'
                )
                self._clean_up()
                os._exit(1)

    def _server_is_there(self) -> bool:
        try:
            socket.create_connection(self._address, timeout=_PROBE_S).close()
        except ConnectionRefusedError:
            return False
        except OSError:  # slow or overloaded: the calls have time-outs of their own
            return True
        return True


def clean_up_from_outside(
    host: str, port: int, actors: Sequence[int], settings: carla.WorldSettings | None
) -> None:
    """Destroy actors and set settings back by a connection of its own.

    Args:
        host: of the server.
        port: of the server, for calls.
        actors: ids; what is attached to others first.
        settings: of the world before; None leaves them alone.
    """
    import carla

    try:
        client = carla.Client(host, port)
        client.set_timeout(_CLEAN_UP_S)
        client.apply_batch([carla.command.DestroyActor(actor) for actor in actors])
        if settings is not None:
            client.get_world().apply_settings(settings)
    except RuntimeError as error:
        LOG.warning('could not clean up: %s', error)
