"""What the node counts and measures of each camera.

Threads: `PipelineStats` is written by the input thread (frames received) and by the inference
thread (everything else) and read by the executor thread; one lock guards it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from lane_seg.errors import ImageErrorCause
from lane_seg.mailbox import Drops
from lane_seg.timing import TimingSummary, TimingWindow

__all__ = ['DropCause', 'PipelineCounts', 'PipelineStats', 'Stage', 'Throttle']

# In the order of a frame's way. 'wait' is what it spent in its mailbox, 'latency' is image
# received -> mask published, on a monotonic clock; 'age' is the camera's stamp -> mask published,
# on the node's clock: it tells the truth only where camera and node share a clock.
Stage = Literal[
    'wait',
    'convert',
    'preprocess',
    'inference',
    'postprocess',
    'publish',
    'overlay',
    'latency',
    'age',
]
_STAGES: tuple[Stage, ...] = get_args(Stage)
# Why an image got no mask: a newer one was there, `max_rate_hz` held it back, or it was older
# than `max_age_ms`.
DropCause = Literal['newer', 'rate', 'stale']
_DROP_CAUSES: tuple[DropCause, ...] = get_args(DropCause)
_CAUSES: tuple[ImageErrorCause, ...] = get_args(ImageErrorCause)
# Ten seconds of a 30 Hz camera: long enough for a p99, short enough to show a change.
_WINDOW_FRAMES = 300


@dataclass(frozen=True)
class PipelineCounts:
    """Totals since the start, and timings of the last frames.

    `frames_lost` are those that were sent and never came, as far as the middleware tells.
    """

    frames_received: int = 0
    frames_lost: int = 0
    dropped: Mapping[DropCause, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(_DROP_CAUSES, 0))
    )
    masks_published: int = 0
    overlays_published: int = 0
    inference_errors: int = 0
    bad_images: Mapping[ImageErrorCause, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(_CAUSES, 0))
    )
    timings: Mapping[Stage, TimingSummary] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def frames_dropped(self) -> int:
        """Images that got no mask on purpose, for whatever cause."""
        return sum(self.dropped.values())

    @property
    def bad_images_total(self) -> int:
        """Images that were refused, for whatever cause."""
        return sum(self.bad_images.values())


class PipelineStats:
    """Counters and timing windows of the pipeline; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames_received = 0
        self._frames_lost = 0
        self._masks_published = 0
        self._overlays_published = 0
        self._inference_errors = 0
        self._bad_images: dict[ImageErrorCause, int] = dict.fromkeys(_CAUSES, 0)
        self._dropped: dict[DropCause, int] = dict.fromkeys(_DROP_CAUSES, 0)
        self._windows = {stage: TimingWindow(_WINDOW_FRAMES) for stage in _STAGES}

    def count_frame(self) -> None:
        """An image message arrived."""
        with self._lock:
            self._frames_received += 1

    def count_lost(self, frames: int) -> None:
        """So many images were sent and have not come."""
        with self._lock:
            self._frames_lost += frames

    def count_mask(self, timings_ms: Mapping[Stage, float]) -> None:
        """A mask was published; `timings_ms` says how long each stage of its frame took."""
        with self._lock:
            self._masks_published += 1
            for stage, milliseconds in timings_ms.items():
                self._windows[stage].add(milliseconds)

    def count_overlay(self, overlay_ms: float) -> None:
        """An overlay was drawn and published."""
        with self._lock:
            self._overlays_published += 1
            self._windows['overlay'].add(overlay_ms)

    def count_bad_image(self, cause: ImageErrorCause) -> None:
        """An image was refused."""
        with self._lock:
            self._bad_images[cause] += 1

    def count_stale(self) -> None:
        """An image was too old when its turn came."""
        with self._lock:
            self._dropped['stale'] += 1

    def count_replaced(self, drops: Drops) -> None:
        """Take over what a mailbox has counted, which then starts again."""
        with self._lock:
            self._dropped['newer'] += drops.newer
            self._dropped['rate'] += drops.held

    def count_inference_error(self) -> None:
        """The pipeline raised an exception on a good image."""
        with self._lock:
            self._inference_errors += 1

    def counts(self, waiting: Drops) -> PipelineCounts:
        """The present state.

        Args:
            waiting: what the mailbox of the present thread has counted and not handed over yet.
        """
        with self._lock:
            dropped: dict[DropCause, int] = {
                **self._dropped,
                'newer': self._dropped['newer'] + waiting.newer,
                'rate': self._dropped['rate'] + waiting.held,
            }
            return PipelineCounts(
                frames_received=self._frames_received,
                frames_lost=self._frames_lost,
                dropped=MappingProxyType(dropped),
                masks_published=self._masks_published,
                overlays_published=self._overlays_published,
                inference_errors=self._inference_errors,
                bad_images=MappingProxyType(dict(self._bad_images)),
                timings=MappingProxyType(
                    {stage: window.summary() for stage, window in self._windows.items()}
                ),
            )


class Throttle:
    """Lets one message per key and period through; rclpy's own throttle is per source line."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_s: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def admit(self, key: str) -> int | None:
        """Whether a message of this key may be logged now.

        Returns:
            None: not now; else the number of messages held back since the last one.
        """
        now_s = time.monotonic()
        last_s = self._last_s.get(key)
        if last_s is not None and now_s - last_s < self._period_s:
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
            return None
        self._last_s[key] = now_s
        return self._suppressed.pop(key, 0)
