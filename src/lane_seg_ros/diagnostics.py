"""What is counted of the pipeline, as /diagnostics says it: pure functions of frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from lane_seg_ros.pipeline_stats import DropCause, PipelineCounts

__all__ = ['NodeState', 'Phase', 'diagnostic_array', 'status_from_counts']

Phase = Literal['unconfigured', 'inactive', 'active']
# Those held back by the rate that was asked for are not.
_PROFILE_ADVICE = (
    'give the camera the Fast DDS profile of this package too, or set input_reliability to '
    'reliable; lane-seg doctor finds out more'
)
_DROPS_WORTH_A_WARNING: dict[DropCause, str] = {
    'newer': 'a newer one was there',
    'stale': 'older than max_age_ms; do camera and node share a clock?',
}


@dataclass(frozen=True)
class NodeState:
    """What the node is doing and with what, as far as diagnostics tell it.

    Attributes:
        phase: of the lifecycle.
        failure: why it could not start or deactivated itself, '' if neither.
        asleep: it is lazy, and nobody listens.
        inference_alive: whether the inference thread runs and does not hang.
        seconds_without_image: of this camera.
        image_topic: of this camera, resolved.
        image_publishers: how many publish there.
        engine: that really runs.
        engine_threads: of it.
        model: name of the bundle.
        model_version: of the bundle.
        model_sha256: of its ONNX file.
        host: {name: value} of temperatures and power mode, as far as they can be read.
    """

    phase: Phase
    failure: str = ''
    asleep: bool = False
    inference_alive: bool = False
    seconds_without_image: float = 0.0
    image_topic: str = 'image'
    image_publishers: int = 0
    engine: str = ''
    engine_threads: int = 0
    model: str = ''
    model_version: str = ''
    model_sha256: str = ''
    host: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


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
    elif state.asleep:
        level, message = DiagnosticStatus.OK, 'asleep: nobody listens to any output (lazy)'
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
                **state.host,
            }.items()
        ],
    )


def diagnostic_array(statuses: Sequence[DiagnosticStatus], *, stamp: Time) -> DiagnosticArray:
    """The message for /diagnostics."""
    array = DiagnosticArray(status=list(statuses))
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
    lost = counts.frames_lost - before.frames_lost
    if lost:
        warnings.append(
            f'{lost} frames since the last report were sent and never came: {_PROFILE_ADVICE}'
        )
    for cause, total in counts.bad_images.items():
        refused = total - before.bad_images[cause]
        if refused:
            warnings.append(f'{refused} bad images since the last report ({cause})')
    for drop_cause, said in _DROPS_WORTH_A_WARNING.items():
        dropped = counts.dropped[drop_cause] - before.dropped[drop_cause]
        if dropped:
            warnings.append(f'{dropped} frames dropped since the last report: {said}')
    if state.failure:
        ran = state.phase == 'inactive'
        errors.append(f'deactivated itself: {state.failure}' if ran else state.failure)
    if state.phase == 'active' and not state.asleep:
        if not state.inference_alive:
            errors.append(
                'the inference thread has ended or hangs in the engine: restart the node'
            )
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
        f'or its images get lost on the way ({_PROFILE_ADVICE})'
    )


def _count_values(counts: PipelineCounts) -> dict[str, str]:
    """Counters as key-values."""
    return {
        'frames_received': str(counts.frames_received),
        'frames_lost': str(counts.frames_lost),
        'masks_published': str(counts.masks_published),
        'overlays_published': str(counts.overlays_published),
        'frames_dropped': str(counts.frames_dropped),
        **{f'frames_dropped.{cause}': str(total) for cause, total in counts.dropped.items()},
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
