"""Numbers for the things of a town, as the instance camera tells them apart."""

from __future__ import annotations

__all__ = ['MAX_STATIC', 'Numbers']

MAX_STATIC = 49_999
"""Vehicles and whatever else comes and goes use the numbers from 50000 to 65535."""


class Numbers:
    """Hands out 1, 2, 3, ..."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return the next number.

        Raises:
            ValueError: the town has more things than the instance image has numbers for.
        """
        self._last += 1
        if self._last > MAX_STATIC:
            raise ValueError(f'expected at most {MAX_STATIC} things in a town, found more')
        return self._last
