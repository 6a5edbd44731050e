"""A progress bar on standard error, for work that takes long only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ['shown']

T = TypeVar('T')


def shown(items: Iterable[T], text: str, total: int, *, after_s: float = 2.0) -> Iterator[T]:
    """Pass items on and show how far they are, once that took a while.

    Args:
        items: anything.
        text: what is going on.
        total: number of items.
        after_s: seconds until the bar appears.
    """
    from rich.console import Console
    from rich.progress import Progress

    started_s = time.monotonic()
    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(text, total=total)
    try:
        for item in items:
            yield item
            progress.advance(task)
            if not progress.live.is_started and time.monotonic() - started_s > after_s:
                progress.start()
    finally:
        if progress.live.is_started:  # stopping alone prints an empty line
            progress.stop()
