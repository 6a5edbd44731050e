"""Notice Ctrl-C without exceptions at any place."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['signals_noticed']


@contextmanager
def signals_noticed() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, SIGTERM and SIGHUP set.

    They raise nothing: an exception that hits a destructor or a callback of C code is swallowed
    there, and the program would go on, deaf. Who uses this looks at the event instead.
    """
    interrupted = threading.Event()
    kept = {
        number: signal.signal(number, lambda *_: interrupted.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield interrupted
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
