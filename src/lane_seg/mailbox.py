"""A slot for one item between two threads: the newest wins, what it replaced is counted."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

__all__ = ['Mailbox']

T = TypeVar('T')


class Mailbox(Generic[T]):
    """Hands the newest item from a producer to a consumer.

    A queue between camera and network grows old; here an item that was not fetched in time is
    replaced by its successor and counted in `dropped`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Number of items that were replaced before anybody fetched them."""
        return self._dropped

    def put(self, item: T) -> bool:
        """Leave an item; never waits. Returns True if it replaced an older one.

        After `close` the item is ignored.
        """
        with self._condition:
            if self._closed:
                return False
            replaced = self._item is not None
            self._dropped += replaced
            self._item = item
            self._condition.notify()
            return replaced

    def get(self, timeout_s: float | None = None) -> T | None:
        """Fetch the newest item, waiting for one.

        Args:
            timeout_s: longest wait in seconds; None waits until `put` or `close`.

        Returns:
            The item, or None when the time ran out or the mailbox was closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return None if self._closed else item

    def close(self) -> None:
        """Wake the consumer for good; an item that still lies here is let go."""
        with self._condition:
            self._closed = True
            self._item = None
            self._condition.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed
