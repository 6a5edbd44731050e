"""Latencies as people quote them: median and 99th percentile over the last frames."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ['TimingSummary', 'TimingWindow', 'summarize']


@dataclass(frozen=True)
class TimingSummary:
    """Of `count` measurements: median, 99th percentile and largest, in milliseconds.

    All are NaN if there was no measurement.
    """

    count: int
    median_ms: float
    p99_ms: float
    max_ms: float


def summarize(values_ms: Sequence[float]) -> TimingSummary:
    """Summarize measurements in milliseconds."""
    if not values_ms:
        return TimingSummary(0, math.nan, math.nan, math.nan)
    median, p99 = np.percentile(values_ms, (50, 99))
    return TimingSummary(len(values_ms), float(median), float(p99), float(max(values_ms)))


class TimingWindow:
    """Keeps the last measurements; one thread may add while another summarizes.

    Args:
        size: number of measurements kept.
    """

    def __init__(self, size: int = 300) -> None:
        self._lock = threading.Lock()
        self._values: deque[float] = deque(maxlen=size)

    def add(self, ms: float) -> None:
        """Add one measurement in milliseconds."""
        with self._lock:
            self._values.append(ms)

    def summary(self) -> TimingSummary:
        """Summarize what is kept."""
        with self._lock:
            values = list(self._values)
        return summarize(values)
