"""`carla-bridge serve`: run mini_carla until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import socket
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    "Run mini_carla, a small server of ours that speaks CARLA's wire protocol: the unmodified\n"
    'carla package connects to it, its Traffic Manager included. It is a test double and a demo\n'
    'world with drawn pictures, not CARLA.'
)
EPILOG = """\
examples:
  carla-bridge serve                                   ports 2000 and 2001, first town
  carla-bridge serve --map Town_hills --seed 7         other roads, other surroundings
  carla-bridge serve --carla-version 0.9.15            for `pip install carla==0.9.15`
  carla-bridge serve --port 0 --tick-log ticks.csv     any free pair of ports; times of each tick

The line on stdout that begins with `ready` says that clients may connect. Streams use the port
above --port. SIGTERM and Ctrl-C end the server with exit code 0.
"""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_VERSION_OF_CLIENTS = '0.9.16'
_Handler = Callable[[int, types.FrameType | None], object] | int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `carla-bridge serve`."""
    parser.add_argument(
        '--port', type=int, default=2000, metavar='N', help='for calls (default: 2000; 0: any)'
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        metavar='ADDRESS',
        help='to listen on (default: 127.0.0.1; 0.0.0.0 for other machines: no password!)',
    )
    parser.add_argument('--map', metavar='NAME', help='town to start in (default: the first)')
    parser.add_argument(
        '--seed', type=int, default=0, help='of surroundings, wear and noise (default: 0)'
    )
    parser.add_argument(
        '--carla-version',
        default=_VERSION_OF_CLIENTS,
        metavar='V',
        help=f'protocol, that of the carla package (default: {_VERSION_OF_CLIENTS})',
    )
    parser.add_argument(
        '--tick-log', type=Path, metavar='FILE', help='write where the time of each tick went'
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    with _stop_signals() as stopped:
        return _serve(args, stopped)


@contextlib.contextmanager
def _stop_signals() -> Iterator[socket.socket]:
    """Yield a socket that can be read from as soon as a signal to stop has come.

    Blocked signals and `sigwait` would not do: a thread that a library started before they were
    blocked gets the signal and the main thread sleeps on. Python's own C handler writes to the
    socket, in whatever thread it runs.
    """
    read, write = socket.socketpair()
    write.setblocking(False)
    previous: dict[signal.Signals, _Handler] = {
        number: signal.signal(number, _ignore) for number in _SIGNALS
    }
    previous_fd = signal.set_wakeup_fd(write.fileno())
    try:
        yield read
        # A second Ctrl-C must not spoil the exit code.
        previous = dict.fromkeys(_SIGNALS, signal.SIG_IGN)
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        read.close()
        write.close()


def _ignore(number: int, frame: types.FrameType | None) -> None:
    """Let a signal wake the main thread, and do no more."""


def _serve(args: argparse.Namespace, stopped: socket.socket) -> int:
    from carla_bridge.mini_carla.server import MiniCarla
    from carla_bridge.mini_carla.tick_log import TickLog
    from carla_bridge.mini_carla.towns import available_towns

    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s'
    )
    town = args.map or available_towns()[0]
    with (
        TickLog(args.tick_log) as ticks,
        MiniCarla(
            host=args.host,
            port=args.port,
            version=args.carla_version,
            town=town,
            seed=args.seed,
            tick_log=ticks,
        ) as server,
    ):
        sys.stdout.write(
            f'ready: mini_carla (not CARLA) on {args.host}, port {server.port}, streams on '
            f'{server.stream_port}, {town}, protocol {args.carla_version}\n'
        )
        sys.stdout.flush()
        stopped.recv(1)
    logging.info(
        'stopped after %d ticks and %d images, slowest tick %.3f s',
        *(ticks.ticks, ticks.images, ticks.slowest_s),
    )
    return 0
