"""Tells systemd that the node has started, that it lives, and what it says of itself.

The protocol of sd_notify(3): datagrams of VARIABLE=value lines to the socket that NOTIFY_SOCKET
names. The node sends them itself, from the timer that also publishes /diagnostics, because then
silence has one meaning: the executor no longer turns, or the engine no longer returns. A second
process that watched /diagnostics would have to be watched too.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

__all__ = ['Watchdog']

_STATUS_CHARACTERS = 400


class Watchdog:
    """Speaks to the service manager; silent where there is none.

    Args:
        environment: holds NOTIFY_SOCKET and WATCHDOG_USEC, where systemd has started this process.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get('NOTIFY_SOCKET', '')
        self._microseconds = environment.get('WATCHDOG_USEC', '')
        self._is_ready = False
        self._socket: socket.socket | None = None
        if self._address.startswith(('/', '@')):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # The executor must not wait for a service manager that does not read.
            self._socket.setblocking(False)
            if self._address.startswith('@'):
                self._address = f'\0{self._address[1:]}'

    def complaint(self, period_s: float) -> str:
        """Say so where reports come too seldom for the watchdog.

        Args:
            period_s: seconds between two calls of `report`.

        Returns:
            One sentence, '' where all is well. systemd advises half of its time.
        """
        limit_s = float(self._microseconds) / 1e6 if self._microseconds.isdecimal() else 0.0
        if self._socket is None or not limit_s or period_s <= limit_s / 2.0:
            return ''
        return (
            f"diagnostics_period_s is {period_s:g} s, more than half of systemd's WatchdogSec "
            f'({limit_s:g} s): systemd may kill a node that is well; make one longer or the other '
            'shorter'
        )

    def report(self, text: str, *, alive: bool) -> None:
        """Pass on the state of the node; the first report says that it has started.

        Args:
            text: for `systemctl status`.
            alive: False lets the watchdog run out, upon which systemd ends the process.
        """
        lines = [f'STATUS={" ".join(text.split())[:_STATUS_CHARACTERS]}']
        if not self._is_ready:
            self._is_ready = True
            lines.append('READY=1')
        if alive:
            lines.append('WATCHDOG=1')
        self._send(lines)

    def close(self) -> None:
        """Say that the node ends, which may take longer than the watchdog allows."""
        self._send(['STOPPING=1'])
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, lines: list[str]) -> None:
        if self._socket is not None:
            # A message that found no room is made good by the next one.
            with suppress(OSError):
                self._socket.sendto('\n'.join(lines).encode(), self._address)
