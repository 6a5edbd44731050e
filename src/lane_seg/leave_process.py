"""The end of a process whose threads of foreign libraries cannot be ended."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

__all__ = ['leave_process']


def leave_process(code: int) -> NoReturn:
    """End this process after its own clean-up, without tearing the interpreter down.

    Threads that the CARLA client has started, or one that hangs in an engine, would abort the
    process while libraries end under them.

    Args:
        code: the exit code.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
