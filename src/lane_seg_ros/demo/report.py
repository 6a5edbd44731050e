"""What the demo found, as numbers, as JSON and as a table."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING

import cv2

import lane_seg
from lane_seg.machine import MachineInfo
from lane_seg.timing import summarize
from lane_seg_ros.demo.pictures import ClassIou

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    'Conditions',
    'Frames',
    'Latency',
    'Model',
    'NodeCounts',
    'Report',
    'frames_of_window',
    'json_of',
    'latency_of',
    'node_counts',
    'table_of',
    'versions',
]

_VERSIONS_OF = ('numpy', 'openvino', 'onnxruntime', 'tensorrt', 'ros-rclpy', 'rclpy')


@dataclass(frozen=True)
class NodeCounts:
    """What lane_seg_node says about itself on /diagnostics.

    Attributes:
        received: images that reached it.
        dropped: images that a newer one replaced before they were processed.
        refused: images that were broken, and those on which the engine failed.
        masks: masks that it published.
        engine: the engine that runs.
        threads: CPU threads of the engine.
        stages_ms: {stage: (median, 99th percentile)} over its last 300 frames.
    """

    received: int
    dropped: int
    refused: int
    masks: int
    engine: str
    threads: int
    stages_ms: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Frames:
    """Where the frames of the measured time went; the four losses add up to camera - masks.

    Attributes:
        camera: frames that the camera published.
        masks: masks that the listener received for them.
        overlays: overlays that the listener received for them.
        camera_to_node: lost on the way to the node.
        mailbox: dropped by the node because a newer frame was there.
        refused: broken, or the engine failed.
        node_to_listener: their masks were lost on the way to the listener.
    """

    camera: int
    masks: int
    overlays: int
    camera_to_node: int
    mailbox: int
    refused: int
    node_to_listener: int

    @property
    def lost(self) -> int:
        """Frames without a mask."""
        return self.camera - self.masks


@dataclass(frozen=True)
class Latency:
    """From the camera's stamp to the mask in the listener's callback, in milliseconds."""

    count: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True)
class Conditions:
    """Under which circumstances the figures were taken."""

    input: str
    seed: int
    height: int
    width: int
    rate_hz: float
    seconds: float
    warm_up_s: float
    ros_domain_id: int
    load_average_before: float
    setup: str = (
        'camera, node and listener are three processes on this machine, over Fast DDS; frames of '
        'the warm-up are not counted; the listener also encodes the video, at low priority'
    )


@dataclass(frozen=True)
class Model:
    """What ran."""

    name: str
    version: str
    precision: str
    height: int
    width: int
    onnx_sha256: str
    engine: str
    threads: int


@dataclass(frozen=True)
class Report:
    """All figures of one run."""

    conditions: Conditions
    model: Model
    frames: Frames
    latency_ms: Latency
    stages_ms: Mapping[str, tuple[float, float]]
    iou: Sequence[ClassIou]
    iou_pictures: int
    video_height: int
    video_width: int
    overlays_not_filmed: int
    machine: MachineInfo
    versions: Mapping[str, str]

    @property
    def mask_rate_hz(self) -> float:
        """Masks per second."""
        return self.frames.masks / self.conditions.seconds


def node_counts(values: Mapping[str, str]) -> NodeCounts:
    """Read the key-values of the node's diagnostic status."""
    stages = [key.removesuffix('_ms.p50') for key in values if key.endswith('_ms.p50')]
    return NodeCounts(
        received=int(values['frames_received']),
        dropped=int(values['frames_dropped']),
        refused=int(values['bad_images']) + int(values['inference_errors']),
        masks=int(values['masks_published']),
        engine=values['engine'],
        threads=int(values['engine_threads']),
        stages_ms={
            stage: (float(values[f'{stage}_ms.p50']), float(values[f'{stage}_ms.p99']))
            for stage in stages
        },
    )


def frames_of_window(
    *,
    camera: int,
    masks: int,
    overlays: int,
    before: NodeCounts,
    after: NodeCounts,
    masks_received_between: int,
) -> Frames:
    """Say where frames were lost.

    That a frame has no mask is known exactly, from the stamps. Where it was lost follows from the
    node's counters, whose reports stand up to one reporting period beside the edges of the
    window; so they never explain more than was lost.

    Args:
        camera: frames of the window.
        masks: masks received for them.
        overlays: overlays received for them.
        before: the node's counters at the start of the window.
        after: the node's counters after its end.
        masks_received_between: masks received between those two reports.
    """
    left = camera - masks
    mailbox = min(left, after.dropped - before.dropped)
    left -= mailbox
    refused = min(left, after.refused - before.refused)
    left -= refused
    published = after.masks - before.masks
    node_to_listener = min(left, max(0, published - masks_received_between))
    return Frames(
        camera=camera,
        masks=masks,
        overlays=overlays,
        camera_to_node=left - node_to_listener,
        mailbox=mailbox,
        refused=refused,
        node_to_listener=node_to_listener,
    )


def latency_of(values_ms: Sequence[float]) -> Latency:
    """Summarize latencies in milliseconds."""
    summary = summarize(values_ms)
    return Latency(summary.count, summary.median_ms, summary.p99_ms, summary.max_ms)


def versions() -> dict[str, str]:
    """{name: version} of what takes part in any of the demo's processes."""
    found = {'lane_seg_ros': lane_seg.__version__, 'opencv': cv2.__version__}
    for name in _VERSIONS_OF:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    if distro := os.environ.get('ROS_DISTRO'):
        found['ros_distro'] = distro
    return found


def json_of(report: Report) -> str:
    """The report as JSON text; what is not a number there is null."""
    frames = report.frames
    content = {
        'schema': 1,
        'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'conditions': asdict(report.conditions),
        'model': asdict(report.model),
        'frames': {
            **asdict(frames),
            'lost': frames.lost,
            'camera_rate_hz': frames.camera / report.conditions.seconds,
            'mask_rate_hz': report.mask_rate_hz,
        },
        'latency_ms': asdict(report.latency_ms),
        'node_stages_ms': {
            stage: {'p50': p50, 'p99': p99} for stage, (p50, p99) in report.stages_ms.items()
        },
        'iou': {item.name: item.iou for item in report.iou} or None,
        'iou_pictures': report.iou_pictures,
        'video': {
            'height': report.video_height,
            'width': report.video_width,
            'overlays_not_filmed': report.overlays_not_filmed,
        },
        'machine': asdict(report.machine),
        'versions': dict(report.versions),
    }
    return json.dumps(_rounded(content), indent=2, allow_nan=False) + '\n'


def table_of(report: Report) -> Table:
    """The figures that a person looks for."""
    from rich.table import Table

    frames, latency, conditions = report.frames, report.latency_ms, report.conditions
    table = Table(
        title=f'{conditions.input}, {conditions.width} x {conditions.height} at '
        f'{conditions.rate_hz:g} Hz, {conditions.seconds:g} s',
        show_header=False,
        title_justify='left',
    )
    table.add_column(style='bold')
    table.add_column()
    camera_hz = frames.camera / conditions.seconds
    slow = '' if camera_hz > 0.95 * conditions.rate_hz else ', as fast as this machine makes them'
    table.add_row('frames in', f'{frames.camera}  ({camera_hz:.1f} per second{slow})')
    table.add_row('masks out', f'{frames.masks}  ({report.mask_rate_hz:.1f} per second)')
    table.add_row('lost', _losses_text(frames))
    table.add_row(
        'latency', f'p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms, max {latency.max:.1f} ms'
    )
    if 'inference' in report.stages_ms:
        p50, p99 = report.stages_ms['inference']
        table.add_row('of it inference', f'p50 {p50:.1f} ms, p99 {p99:.1f} ms')
    threads = report.model.threads or "the engine's own choice"
    table.add_row('engine', f'{report.model.engine}, threads: {threads}')
    table.add_row('model', f'{report.model.name} {report.model.version}, {report.model.precision}')
    table.add_row('IoU', _iou_text(report))
    machine = report.machine
    table.add_row(
        'machine',
        f'{machine.cpu}, {machine.cores_usable} cores, '
        f'load {conditions.load_average_before:.1f} before',
    )
    return table


def _losses_text(frames: Frames) -> str:
    """How many frames were lost, and where."""
    places = {
        'camera to node': frames.camera_to_node,
        'a newer frame was there': frames.mailbox,
        'refused': frames.refused,
        'node to listener': frames.node_to_listener,
    }
    text = ', '.join(f'{place}: {number}' for place, number in places.items() if number)
    return f'{frames.lost}  ({text})' if text else str(frames.lost)


def _iou_text(report: Report) -> str:
    """IoU of each class against the scene's own labels."""
    if not report.iou_pictures:
        return 'no labels: only the built-in road knows the truth'
    parts = [f'{item.name.replace("_", " ")} {item.iou:.3f}' for item in report.iou]
    return f"{', '.join(parts)}  (against the scene's own labels, {report.iou_pictures} frames)"


def _rounded(value: object) -> object:
    """JSON-ready: floats to three digits after the point, NaN and infinity as None."""
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return value
