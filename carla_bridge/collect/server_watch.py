"""Notices that the server has ended, which the client itself learns by time-outs only.

An idle connection to the server's port is kept open: the system closes it when the server's
process ends, even if a new server takes its place within a moment.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

__all__ = ['ServerWatch']

_CONNECT_S = 5.0


class ServerWatch:
    """Calls back when the server is gone and ticks no longer come.

    Args:
        host: of the server.
        port: of the server.
        on_lost: called once, from a thread of its own.
        grace_s: how long a tick may take.
    """

    def __init__(
        self, host: str, port: int, on_lost: Callable[[], None], *, grace_s: float = 3.0
    ) -> None:
        self._on_lost = on_lost
        self._grace_s = grace_s
        self._ticked = threading.Event()
        self._connection = socket.create_connection((host, port), _CONNECT_S)
        self._connection.settimeout(None)
        threading.Thread(target=self._watch, daemon=True).start()

    def tick(self) -> None:
        """Be told that the server has answered."""
        self._ticked.set()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._connection.recv(1):
                pass
        # A server that merely dislikes idle connections still ticks.
        self._ticked.clear()
        if not self._ticked.wait(self._grace_s):
            self._on_lost()
