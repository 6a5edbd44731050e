"""Slots between threads: they hold the newest items, what these have pushed out is counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ['Drops', 'Mailboxes']

T = TypeVar('T')


@dataclass
class Drops:
    """Items of one slot that newer ones pushed out before anybody fetched them.

    Attributes:
        newer: because the consumer was busy.
        held: because the slot was on hold.
    """

    newer: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.newer + self.held


class Mailboxes(Generic[T]):
    """Hands the newest items of each of several producers to one consumer, in fair turns.

    A queue between camera and network grows old; here an item that was not fetched in time is
    replaced by its successor and counted. Of the slots that have an item, the one that was served
    longest ago is next, so that a fast camera does not starve a slow one.

    Args:
        slots: number of producers.
        depth: how many items may wait in a slot; with more than one they are fetched in their
            order, and the oldest goes when there is one too many.
    """

    def __init__(self, slots: int = 1, *, depth: int = 1) -> None:
        self._condition = threading.Condition()
        self._depth = depth
        self._items: list[deque[T]] = [deque() for _ in range(slots)]
        self._drops = [Drops() for _ in range(slots)]
        self._held_until_s = [0.0] * slots
        # Slots in the order in which they are served when all have something.
        self._turns = list(range(slots))
        self._closed = False

    def drops(self, slot: int = 0) -> Drops:
        """Return what was replaced in a slot so far."""
        with self._condition:
            return Drops(self._drops[slot].newer, self._drops[slot].held)

    def put(self, item: T, slot: int = 0) -> bool:
        """Leave an item; never waits. Returns True if it pushed an older one out.

        After `close` the item is ignored.
        """
        with self._condition:
            if self._closed:
                return False
            items, drops = self._items[slot], self._drops[slot]
            before = drops.total
            if time.monotonic() < self._held_until_s[slot]:
                drops.held += len(items)
                items.clear()
            elif len(items) == self._depth:
                drops.newer += 1
                items.popleft()
            items.append(item)
            self._condition.notify()
            return drops.total > before

    def hold(self, until_s: float, slot: int = 0) -> None:
        """Keep a slot's items back until a time of `time.monotonic()`; newer ones replace them."""
        with self._condition:
            self._held_until_s[slot] = until_s

    def get(self, timeout_s: float | None = None) -> tuple[int, T] | None:
        """Fetch the item that has waited longest in the slot whose turn it is, or wait for one.

        Args:
            timeout_s: longest wait in seconds; None waits until `put` or `close`.

        Returns:
            (slot, item), or None when the time ran out or the mailboxes were closed.
        """
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._condition:
            while not self._closed:
                now_s = time.monotonic()
                for slot in self._turns:
                    if self._items[slot] and now_s >= self._held_until_s[slot]:
                        self._turns.remove(slot)
                        self._turns.append(slot)
                        return slot, self._items[slot].popleft()
                if end_s is not None and now_s >= end_s:
                    return None
                self._condition.wait(self._patience_s(now_s, end_s))
            return None

    def close(self) -> None:
        """Wake the consumer for good; items that still lie here are let go."""
        with self._condition:
            self._closed = True
            for items in self._items:
                items.clear()
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _patience_s(self, now_s: float, end_s: float | None) -> float | None:
        """How long nothing can happen by itself: to the end of the wait or of a hold."""
        ends = [
            held_s for items, held_s in zip(self._items, self._held_until_s, strict=True) if items
        ]
        if end_s is not None:
            ends.append(end_s)
        return max(0.0, min(ends) - now_s) if ends else None
