"""Connect to a CARLA server without crashing on one of another version.

`carla.Client.get_world()` ends the process by a segmentation fault when client and server are of
different versions, so that is asked first; and a server that is not there is noticed at once and
not after the client's time-out.
"""

from __future__ import annotations

import argparse
import socket
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import carla

__all__ = ['CarlaError', 'add_server_arguments', 'check_versions', 'connect']

_PROBE_S = 3.0
_DEFAULT_PORT = 2000


class CarlaError(LaneSegError):
    """The simulator cannot be used; the text says why and what to do."""


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --host, --port and --timeout, which every command that connects has."""
    parser.add_argument(
        '--host', default='127.0.0.1', metavar='ADDRESS', help='of the server (default: 127.0.0.1)'
    )
    parser.add_argument(
        '--port',
        type=int,
        default=_DEFAULT_PORT,
        metavar='N',
        help=f'of the server, for calls; streams use the one above (default: {_DEFAULT_PORT})',
    )
    parser.add_argument(
        '--timeout',
        type=float,
        default=30.0,
        metavar='S',
        help='how long a call may take; loading a large town takes long (default: 30)',
    )


def connect(host: str, port: int, *, timeout_s: float = 30.0) -> carla.Client:
    """Return a client of a server that is there and of the client's own version.

    Args:
        host: name or address.
        port: for calls.
        timeout_s: of each call that is made with the client, seconds.

    Raises:
        CarlaError: nothing listens there, or it does not answer as CARLA does.
        CarlaError: client and server are of different versions.
    """
    import carla

    try:
        socket.create_connection((host, port), timeout=min(_PROBE_S, timeout_s)).close()
    except (OSError, OverflowError) as error:
        raise CarlaError(
            f'expected a CARLA server at {host}:{port}, found none ({error}); start CarlaUE4.sh, '
            'or `carla-bridge serve` for our stand-in, or name another --host or --port'
        ) from error
    client = carla.Client(host, port)
    client.set_timeout(timeout_s)
    try:
        server_version = client.get_server_version()
    except RuntimeError as error:
        raise CarlaError(
            f'expected a CARLA server at {host}:{port}, found something that does not answer as '
            f'one ({error}); is it still loading, or is {port} the port of its streams?'
        ) from error
    check_versions(client.get_client_version(), server_version)
    return client


def check_versions(client_version: str, server_version: str) -> None:
    """Refuse a client and a server that would misread each other.

    Args:
        client_version: `client.get_client_version()`.
        server_version: `client.get_server_version()`; safe to ask before `get_world()`.

    Raises:
        CarlaError: they differ.
    """
    if client_version != server_version:
        raise CarlaError(
            f'expected a CARLA server of version {client_version}, which is that of the carla '
            f'package, found {server_version}: the client would crash while reading its streams; '
            f"run `python3 -m pip install 'carla=={server_version}'` or start the other server"
        )
