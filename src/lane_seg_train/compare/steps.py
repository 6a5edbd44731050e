"""A progress bar on standard error, in a terminal, for work that takes steps of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ['steps']


@contextmanager
def steps(text: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how far the block is.

    Args:
        text: what is going on.
        total: number of steps.

    Yields:
        A function to call after each step.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        yield lambda: progress.advance(task)
