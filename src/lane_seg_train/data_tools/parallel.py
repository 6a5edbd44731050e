"""The same work for many images on all cores, with a progress bar and a clean end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import cv2

from lane_seg.errors import LaneSegError
from lane_seg.machine import usable_cores
from lane_seg_train.datasets.progress import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ['mapped']

Context = TypeVar('Context')
Item = TypeVar('Item')
Result = TypeVar('Result')

# Starting a process costs as much as reading a few dozen images.
_FEW = 48
# Neighbours share work: frames of one scene its textures, crops of one file of annotations.
_CHUNK = 5


def mapped(
    function: Callable[[Context, Item], Result],
    context: Context,
    items: Sequence[Item],
    *,
    text: str,
    workers: int = 0,
) -> Iterator[Result]:
    """Apply a function to items, in processes if there are many, and give the results in order.

    Args:
        function: of a module, not of another function; it is sent to the processes by name.
        context: its first argument, sent once to each process.
        items: its second argument, one after the other.
        text: what is going on, for the progress bar.
        workers: number of processes; 0 takes one for each core, 1 stays in this one.

    Raises:
        LaneSegError: the first one that the function raised, or a process was killed.
    """
    workers = min(workers or usable_cores(), -(-len(items) // _CHUNK))
    if workers <= 1 or len(items) < _FEW:
        results = (function(context, item) for item in items)
        yield from shown(results, text, len(items))
        return
    # Spawned and not forked: a fork copies locks that threads of libraries hold at that moment.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context('spawn'), _start, (function, context)
    )
    try:
        # What a process inherits holds from its first instruction on; `_start` comes much later.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            outcomes = pool.map(_call, items, chunksize=_CHUNK)
        finally:  # here, a Ctrl-C of that moment counts now
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for outcome in shown(outcomes, text, len(items)):
            if isinstance(outcome, _Failure):
                raise LaneSegError(outcome.text)
            yield cast('Result', outcome)
    except BrokenProcessPool as error:
        raise LaneSegError(
            f'{text}: expected {workers} processes to work, found one that was ended by the '
            'system, most likely for want of memory; try again with fewer --workers'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Failure:
    """An error on its way to the parent; the classes themselves do not all survive pickling."""

    text: str


@dataclass(frozen=True)
class _Task(Generic[Context, Item, Result]):
    function: Callable[[Context, Item], Result]
    context: Context


_task: list[_Task] = []  # of this process


def _start(function: Callable[[Context, Item], Result], context: Context) -> None:
    """Set up a process."""
    # Ctrl-C reaches the whole group; the parent alone decides what then happens. One that came
    # while it was blocked is dropped here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Decoders write complaints of their own there; we name the files ourselves.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    cv2.setNumThreads(1)
    _task[:] = [_Task(function, context)]


def _call(item: Item) -> object:
    try:
        return _task[0].function(_task[0].context, item)
    except LaneSegError as error:
        return _Failure(str(error))
