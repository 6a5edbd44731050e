"""What the node counts and measures, and how it says so on /diagnostics.

Threads: `PipelineStats` is written by the executor thread (frames received) and by the inference
thread (everything else) and read by the executor thread; one lock guards it. The rest of this
module is pure functions of frozen values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from lane_seg.errors import ImageErrorCause
from lane_seg.timing import TimingSummary, TimingWindow

__all__ = [
    'NodeState',
    'PipelineCounts',
    'PipelineStats',
    'Stage',
    'Throttle',
    'diagnostic_array',
    'status_from_counts',
]

# In the order of a frame's way. 'latency' is image received -> mask published, on a monotonic
# clock; 'age' is the camera's stamp -> mask published, on the node's clock: it tells the truth
# only where camera and node share a clock.
Stage = Literal[
    'convert', 'preprocess', 'inference', 'postprocess', 'publish', 'overlay', 'latency', 'age'
]
_STAGES: tuple[Stage, ...] = get_args(Stage)
_CAUSES: tuple[ImageErrorCause, ...] = get_args(ImageErrorCause)
# Ten seconds of a 30 Hz camera: long enough for a p99, short enough to show a change.
_WINDOW_FRAMES = 300


@dataclass(frozen=True)
class PipelineCounts:
    """Totals since the start, and timings of the last frames."""

    frames_received: int = 0
    frames_dropped: int = 0
    masks_published: int = 0
    overlays_published: int = 0
    inference_errors: int = 0
    bad_images: Mapping[ImageErrorCause, int] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(_CAUSES, 0))
    )
    timings: Mapping[Stage, TimingSummary] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def bad_images_total(self) -> int:
        """Images that were refused, for whatever cause."""
        return sum(self.bad_images.values())


@dataclass(frozen=True)
class NodeState:
    """What the node is doing and with what, as far as diagnostics tell it."""

    phase: Literal['unconfigured', 'inactive', 'active']
    inference_alive: bool = False
    seconds_without_image: float = 0.0
    image_topic: str = 'image'
    image_publishers: int = 0
    engine: str = ''
    engine_threads: int = 0
    model: str = ''
    model_version: str = ''
    model_sha256: str = ''


class PipelineStats:
    """Counters and timing windows of the pipeline; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames_received = 0
        self._masks_published = 0
        self._overlays_published = 0
        self._inference_errors = 0
        self._bad_images: dict[ImageErrorCause, int] = dict.fromkeys(_CAUSES, 0)
        self._windows = {stage: TimingWindow(_WINDOW_FRAMES) for stage in _STAGES}

    def count_frame(self) -> None:
        """An image message arrived."""
        with self._lock:
            self._frames_received += 1

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

    def count_inference_error(self) -> None:
        """The pipeline raised an exception on a good image."""
        with self._lock:
            self._inference_errors += 1

    def counts(self, *, frames_dropped: int) -> PipelineCounts:
        """The present state; the drops are counted by the mailboxes, so they are handed in."""
        with self._lock:
            return PipelineCounts(
                frames_received=self._frames_received,
                frames_dropped=frames_dropped,
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


def status_from_counts(
    counts: PipelineCounts,
    before: PipelineCounts,
    state: NodeState,
    *,
    name: str,
    elapsed_s: float,
    stale_after_s: float,
) -> DiagnosticStatus:
    """One status of the whole pipeline.

    Args:
        counts: totals now.
        before: totals at the last report; the level speaks of the time between the two.
        state: what the node is doing.
        name: name of the status, '<node>: pipeline'.
        elapsed_s: seconds since the last report.
        stale_after_s: seconds without an image that are worth a warning.
    """
    errors, warnings = _complaints(counts, before, state, stale_after_s=stale_after_s)
    fps = (counts.masks_published - before.masks_published) / elapsed_s if elapsed_s > 0 else 0.0
    if errors:
        level, message = DiagnosticStatus.ERROR, '; '.join(errors + warnings)
    elif warnings:
        level, message = DiagnosticStatus.WARN, '; '.join(warnings)
    elif state.phase == 'active':
        level, message = DiagnosticStatus.OK, f'{fps:.1f} masks per second'
    else:
        level, message = DiagnosticStatus.OK, state.phase
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=state.engine,
        values=[
            KeyValue(key=key, value=value)
            for key, value in {
                'state': state.phase,
                'engine': state.engine,
                'engine_threads': str(state.engine_threads),
                'model': state.model,
                'model_version': state.model_version,
                'model_sha256': state.model_sha256[:12],
                'fps': f'{fps:.2f}',
                **_count_values(counts),
                **_timing_values(counts),
                'seconds_without_image': f'{state.seconds_without_image:.2f}',
                'image_publishers': str(state.image_publishers),
            }.items()
        ],
    )


def diagnostic_array(status: DiagnosticStatus, *, stamp: Time) -> DiagnosticArray:
    """The message for /diagnostics."""
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def _complaints(
    counts: PipelineCounts, before: PipelineCounts, state: NodeState, *, stale_after_s: float
) -> tuple[list[str], list[str]]:
    """What is wrong: (errors, warnings), each a short sentence."""
    errors: list[str] = []
    warnings: list[str] = []
    failed = counts.inference_errors - before.inference_errors
    if failed:
        errors.append(f'inference failed on {failed} images since the last report')
    for cause, total in counts.bad_images.items():
        refused = total - before.bad_images[cause]
        if refused:
            warnings.append(f'{refused} bad images since the last report ({cause})')
    dropped = counts.frames_dropped - before.frames_dropped
    if dropped:
        warnings.append(f'{dropped} frames dropped since the last report: a newer one was there')
    if state.phase == 'active':
        if not state.inference_alive:
            errors.append('the inference thread has ended: deactivate and activate the node')
        if state.seconds_without_image > stale_after_s:
            warnings.append(_stale_message(state))
    return errors, warnings


def _stale_message(state: NodeState) -> str:
    """Why there may be no image, as far as the number of publishers tells it."""
    found = f'no image on {state.image_topic} for {state.seconds_without_image:.1f} s'
    if state.image_publishers == 0:
        return f'{found}: nobody publishes it, check the remapping and the camera'
    return (
        f'{found}, though it has {state.image_publishers} publisher(s): the camera stands still, '
        'or its images get lost on the way (give it the Fast DDS profile of this package too, or '
        'set input_reliability to reliable)'
    )


def _count_values(counts: PipelineCounts) -> dict[str, str]:
    """Counters as key-values."""
    return {
        'frames_received': str(counts.frames_received),
        'masks_published': str(counts.masks_published),
        'overlays_published': str(counts.overlays_published),
        'frames_dropped': str(counts.frames_dropped),
        'inference_errors': str(counts.inference_errors),
        'bad_images': str(counts.bad_images_total),
        **{f'bad_images.{cause}': str(total) for cause, total in counts.bad_images.items()},
    }


def _timing_values(counts: PipelineCounts) -> dict[str, str]:
    """Median and p99 of each stage that has run, in milliseconds, as key-values."""
    values: dict[str, str] = {}
    for stage, summary in counts.timings.items():
        if summary.count:
            values[f'{stage}_ms.p50'] = f'{summary.median_ms:.3f}'
            values[f'{stage}_ms.p99'] = f'{summary.p99_ms:.3f}'
    return values
