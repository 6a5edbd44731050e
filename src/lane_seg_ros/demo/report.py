"""What the demo found: report.json, and the rows that only a demo has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata

import cv2

import lane_seg
from lane_seg.bundle import ModelBundle
from lane_seg.machine import machine_info
from lane_seg_ros.live.measurement import Measurement
from lane_seg_ros.live.tables import figures_of, ious_text, json_text, rows_of

__all__ = ['NOT_CARLA', 'Conditions', 'DemoReport']

NOT_CARLA = (
    "The world is mini_carla, our stand-in that speaks CARLA's protocol to the real CARLA client; "
    'it is not CARLA, and its pictures are drawn from polygons.'
)
_VERSIONS_OF = ('numpy', 'openvino', 'onnxruntime', 'tensorrt', 'ros-rclpy', 'rclpy', 'carla')


@dataclass(frozen=True)
class Conditions:
    """Under which circumstances the figures were taken."""

    input: str
    seed: int
    rate_hz: float
    seconds: float
    warm_up_s: float
    ros_domain_id: int
    load_average_before: float
    scenes: tuple[str, ...]
    setup: str = (
        'camera, node and listener are processes of their own on this machine, over Fast DDS; '
        'frames of the warm-up are not counted; latency is from the publishing of the picture to '
        'the arrival of the mask; the listener also encodes the video, at low priority'
    )


@dataclass(frozen=True)
class DemoReport:
    """All figures of one run.

    Attributes:
        conditions: of the run.
        bundle: the model.
        total: of all scenes.
        scenes: {name: measurement}.
        video_hw: (height, width) of the film.
        truth: whose labels the masks were compared with.
        is_mini_carla: whether the world was our stand-in for CARLA.
    """

    conditions: Conditions
    bundle: ModelBundle
    total: Measurement
    scenes: Mapping[str, Measurement]
    video_hw: tuple[int, int]
    truth: str
    is_mini_carla: bool

    @property
    def title(self) -> str:
        """Input, size and rate in one line."""
        height, width = self.total.camera_hw
        conditions = self.conditions
        return (
            f'{conditions.input}, {width} x {height} at {conditions.rate_hz:g} Hz, '
            f'{conditions.seconds:g} s'
        )

    def rows(self) -> dict[str, str]:
        """The figures that a person looks for: {name: text}."""
        bundle, conditions, machine = self.bundle, self.conditions, machine_info()
        rows = {'world': 'mini_carla, our stand-in: NOT CARLA'} if self.is_mini_carla else {}
        rows |= rows_of(self.total)
        if self.total.camera_rate_hz < 0.95 * conditions.rate_hz:
            rows['frames in'] += ', as fast as this machine makes them'
        if not self.is_mini_carla:
            rows.pop('simulated time', None)
        rows['model'] = f'{bundle.name} {bundle.version}, {bundle.precision}'
        rows['IoU'] = ious_text(self.total, self.truth)
        rows['machine'] = (
            f'{machine.cpu}, {machine.cores_usable} cores, '
            f'load {conditions.load_average_before:.1f} before'
        )
        return rows

    def json(self) -> str:
        """The report as JSON text; what is not a number there is null."""
        bundle, node = self.bundle, self.total.node
        height, width = self.total.camera_hw
        world = 'mini_carla, a stand-in and not CARLA' if self.is_mini_carla else 'camera'
        return json_text(
            {
                'schema': 2,
                'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
                'world': world,
                'conditions': {**asdict(self.conditions), 'height': height, 'width': width},
                'model': {
                    'name': bundle.name,
                    'version': bundle.version,
                    'precision': bundle.precision,
                    'height': bundle.height,
                    'width': bundle.width,
                    'onnx_sha256': bundle.onnx_sha256,
                    'engine': node.engine if node else None,
                    'threads': node.threads if node else None,
                },
                **figures_of(self.total),
                'scenes': {name: figures_of(part) for name, part in self.scenes.items()},
                'video': {'height': self.video_hw[0], 'width': self.video_hw[1]},
                'machine': asdict(machine_info()),
                'versions': _versions(),
            }
        )


def _versions() -> dict[str, str]:
    """Versions of what decides the figures; packages that are not installed are left out."""
    found = {'lane_seg_ros': lane_seg.__version__, 'opencv': cv2.__version__}
    for name in _VERSIONS_OF:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    if distro := os.environ.get('ROS_DISTRO'):
        found['ros_distro'] = distro
    return found
