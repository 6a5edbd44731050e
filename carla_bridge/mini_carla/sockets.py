"""What both ports do with sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

__all__ = ['accepted', 'end']


def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that come, without Nagle's delay, until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # closed
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def end(sock: socket.socket) -> None:
    """Wake whoever waits on the socket, and close it."""
    with contextlib.suppress(OSError):  # the other side was faster
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
