"""Types of command-line arguments, for argparse."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ['number_between']


def number_between(low: float, high: float, unit: str = '') -> Callable[[str], float]:
    """A type for numbers within limits, both included.

    Args:
        low: the smallest.
        high: the largest.
        unit: named in the error, '' for a bare number.
    """
    expected = f'{low:g} to {high:g} {unit}' if unit else f'a number from {low:g} to {high:g}'

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'expected {expected}, found {text!r}')
        return value

    return read
