"""Work in threads, a few items ahead: decoding and scaling leave Python's lock to others."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ['mapped_ahead']

Item = TypeVar('Item')
Result = TypeVar('Result')


def mapped_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Apply a function to items and give the results in order.

    At most twice as many results as there are threads wait to be taken, so that the memory that
    they need does not depend on the number of items.

    Args:
        function: may run in several threads at a time.
        items: anything.
        workers: number of threads; 1 starts none.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
