"""Time all contenders in turn: whatever else the machine does, it does to all of them alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.timing import summarize
from lane_seg_train.compare.process import WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lane_seg_train.compare.process import Worker

__all__ = ['LEAD_IN', 'WINDOW', 'Latency', 'time_in_turn', 'windows']

# Frames of one contender in a row; short, so that noise of some seconds hits all of them.
WINDOW = 10
# Frames at the start of each window that do not count: the caches hold the data of another one.
LEAD_IN = 2


@dataclass(frozen=True)
class Latency:
    """Time of a frame in milliseconds, from tensor to class ids.

    Attributes:
        p50_ms: median.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        max_ms: largest.
        frames_per_s: frames in a second, one after the other.
        frames: number of frames.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    frames_per_s: float
    frames: int

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Latency:
        """Summarize; all NaN without any."""
        summary = summarize(times_ms)
        is_known = bool(times_ms)
        return cls(
            p50_ms=summary.median_ms,
            p95_ms=float(np.percentile(times_ms, 95)) if is_known else math.nan,
            p99_ms=summary.p99_ms,
            max_ms=summary.max_ms,
            frames_per_s=1e3 * len(times_ms) / sum(times_ms) if is_known else math.nan,
            frames=summary.count,
        )


def windows(frames: int) -> list[int]:
    """Split a number of frames into windows of about the same length."""
    count = max(1, round(frames / WINDOW))
    return [frames * (index + 1) // count - frames * index // count for index in range(count)]


def time_in_turn(
    workers: Mapping[str, Worker],
    *,
    frames: int,
    warmup: int,
    failed: Callable[[str, WorkerError], None],
    done: Callable[[], None],
) -> dict[str, Latency]:
    """Time the contenders, only one of them computing at any time.

    In every round each of them runs one window, in another order every round.

    Args:
        workers: {label: worker}, opened, with its tensors.
        frames: that count, of each.
        warmup: that do not, of each, before all others.
        failed: is told who drops out.
        done: is called after each window.

    Returns:
        {label: latency} of those that came through.
    """
    times: dict[str, list[float]] = {label: [] for label in workers}
    for number, length in enumerate(windows(frames)):
        labels = list(times)
        turn = number % len(labels) if labels else 0
        for label in labels[turn:] + labels[:turn]:
            before = warmup if number == 0 else LEAD_IN
            try:
                answer, _ = workers[label].ask('time', frames=length, before=before)
            except WorkerError as error:
                del times[label]
                failed(label, error)
            else:
                times[label] += answer['times_ms']
            done()
    return {label: Latency.of(values) for label, values in times.items()}
