"""Types of command-line arguments, for argparse."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ['seconds_between']


def seconds_between(shortest_s: float, longest_s: float) -> Callable[[str], float]:
    """A type for seconds within limits, both included."""

    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not shortest_s <= seconds <= longest_s:
            raise argparse.ArgumentTypeError(
                f'expected {shortest_s:g} to {longest_s:g} seconds, found {text!r}'
            )
        return seconds

    return read
