"""What the times of messages tell: rate, loss, jumps. Pure arithmetic on integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lane_seg_ros.doctor.observations import Message

__all__ = ['Stream', 'lost_by_sequence', 'lost_by_stamps', 'stream_of']

# Below this no rate is worth a word.
_FEWEST = 3
# A gap that is a multiple of the period within this share of it is a loss, else it is jitter.
_WHOLE = 0.25


@dataclass(frozen=True)
class Stream:
    """The times of one topic.

    Attributes:
        count: messages.
        rate_hz: by arrival.
        period_s: of the camera, by its stamps; 0 where the stamps do not advance.
        jitter: 95th percentile of |stamp gap - nearest multiple of the period|, in periods.
        arrival_p99_s: 99th percentile of the gaps between arrivals.
        lost: messages lost on the way, by sequence number; None where these are not told.
        missing: frames that the stamps say should be there, but no message came.
        age_s: median of arrival - stamp; of use only where both clocks are one.
        backward: how often a stamp was before the one that came before it.
        farthest_back_s: the longest of these jumps.
        repeated: how often a stamp was the same as the one before it.
        zero: stamps that are zero.
    """

    count: int
    rate_hz: float
    period_s: float
    jitter: float
    arrival_p99_s: float
    lost: int | None
    missing: int
    age_s: float
    backward: int
    farthest_back_s: float
    repeated: int
    zero: int


def stream_of(messages: Sequence[Message], *, publishers: int = 1) -> Stream | None:
    """Sum up the messages of a topic, in the order of their arrival.

    Args:
        messages: of one topic.
        publishers: sequence numbers mean something only if there is one.

    Returns:
        None for fewer than three messages.
    """
    if len(messages) < _FEWEST:
        return None
    stamps = np.array([message.stamp_ns for message in messages], np.int64)
    arrivals = np.array([message.arrived_ns for message in messages], np.int64)
    gaps = _gaps(stamps)
    duration_s = float(arrivals[-1] - arrivals[0]) / 1e9
    sequences = [message.sequence for message in messages if message.sequence is not None]
    has_sequences = publishers == 1 and len(sequences) == len(messages)
    steps = _gaps(np.array(sequences, np.int64)) if has_sequences else None
    period_ns = _period(gaps, steps)
    return Stream(
        count=len(messages),
        rate_hz=(len(messages) - 1) / duration_s if duration_s > 0 else 0.0,
        period_s=period_ns / 1e9,
        jitter=_jitter(gaps, period_ns),
        arrival_p99_s=float(np.percentile(_gaps(arrivals), 99)) / 1e9,
        lost=lost_by_sequence(sequences) if has_sequences else None,
        missing=_missing(gaps, period_ns),
        age_s=float(np.median(arrivals - stamps)) / 1e9,
        backward=int(np.sum(gaps < 0)),
        farthest_back_s=float(-gaps.min()) / 1e9 if (gaps < 0).any() else 0.0,
        repeated=int(np.sum(gaps == 0)),
        zero=int(np.sum(stamps == 0)),
    )


def lost_by_sequence(sequences: Sequence[int]) -> int:
    """Messages between the first and the last that did not come.

    Args:
        sequences: numbers of those that came, in any order, without repetition.
    """
    return max(sequences) - min(sequences) + 1 - len(set(sequences)) if sequences else 0


def lost_by_stamps(stamps_ns: Sequence[int]) -> int:
    """Frames that a camera with an even period must have taken between those that came.

    Only gaps that are a whole multiple of the period count: anything else is jitter. Without a
    single pair of neighbours the period is taken too long, and the number is too low.
    """
    gaps = _gaps(np.asarray(stamps_ns, np.int64))
    return _missing(gaps, _period(gaps))


def _missing(gaps: NDArray[np.int64], period_ns: float) -> int:
    if period_ns <= 0:
        return 0
    multiples = gaps[gaps > 0] / period_ns
    whole = np.rint(multiples)
    return int(np.sum(np.where(abs(multiples - whole) < _WHOLE, np.maximum(whole - 1, 0), 0)))


def _gaps(times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """From each time to the next."""
    return times_ns[1:] - times_ns[:-1]


def _period(gaps: NDArray[np.int64], steps: NDArray[np.int64] | None = None) -> float:
    """Period of the camera in ns, 0 where the stamps do not advance.

    Args:
        gaps: (N,) int64, from stamp to stamp.
        steps: (N,) int64, how many messages the publisher sent meanwhile; None: not known. Then
            most gaps, or at least a good part of them, must be one period long.
    """
    forward = gaps[gaps > 0]
    if not forward.size:
        return 0.0
    if steps is not None:
        counted = (gaps > 0) & (steps > 0)
        return float(np.median(gaps[counted] / steps[counted])) if counted.any() else 0.0
    # Not the smallest: of an uneven camera that would be far too short.
    short = float(np.percentile(forward, 10, method='lower'))
    single = forward[forward.astype(np.float64) < 1.5 * short]
    return float(np.median(single))


def _jitter(gaps: NDArray[np.int64], period_ns: float) -> float:
    forward = gaps[gaps > 0]
    if period_ns <= 0 or not forward.size:
        return 0.0
    multiples = forward / period_ns
    return float(np.percentile(abs(multiples - np.maximum(np.rint(multiples), 1)), 95))
