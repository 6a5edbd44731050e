"""The parts of a plan: weather, traffic, the car and its camera, labels and splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

__all__ = [
    'EGO_MODES',
    'CameraPlan',
    'EgoPlan',
    'LabelPlan',
    'SplitPlan',
    'TrafficPlan',
    'expect',
]

EGO_MODES: Final = ('follower', 'traffic_manager', 'teleport')


@dataclass(frozen=True)
class TrafficPlan:
    """What else is on the road."""

    vehicles: int = 20  # spawned where there is room


@dataclass(frozen=True)
class EgoPlan:
    """How the car with the camera moves."""

    mode: str = 'follower'  # one of EGO_MODES
    speed_kmh: float = 30.0
    lateral_m: float = 0.3  # standard deviation beside the lane's centre (teleport)
    yaw_deg: float = 5.0  # standard deviation of the heading (teleport)

    def __post_init__(self) -> None:
        if self.mode not in EGO_MODES:
            raise LaneSegError(
                f'ego: mode: expected one of {", ".join(EGO_MODES)}, found {self.mode!r}'
                f'{nearest(self.mode, EGO_MODES)}'
            )
        expect('ego: speed_kmh', self.speed_kmh, 1.0, 200.0)
        expect('ego: lateral_m', self.lateral_m, 0.0, 5.0)
        expect('ego: yaw_deg', self.yaw_deg, 0.0, 90.0)


@dataclass(frozen=True)
class CameraPlan:
    """The camera, and the vehicle that carries it."""

    width: int = 1280  # pixels
    height: int = 720
    fov_deg: float = 90.0  # horizontal
    x: float = 0.65  # metres forward of the vehicle's origin
    z: float = 2.0  # metres up
    pitch: float = 0.0  # degrees, nose up is positive
    vehicle: str = 'vehicle.tesla.model3'

    def __post_init__(self) -> None:
        expect('camera: width', self.width, 16, 8192)
        expect('camera: height', self.height, 16, 8192)
        expect('camera: fov_deg', self.fov_deg, 1.0, 170.0)
        expect('camera: pitch', self.pitch, -89.0, 89.0)


@dataclass(frozen=True)
class LabelPlan:
    """What is written besides rgb, seg (CARLA's tags) and label (road, lane_marking)."""

    lanes: bool = True  # which lane border a pixel belongs to
    area: bool = False  # ego lane and other lanes
    depth: bool = False  # the depth camera's picture as CARLA codes it


@dataclass(frozen=True)
class SplitPlan:
    """Shares of the splits; each town is cut into squares that belong to one split as a whole."""

    train: float = 0.7
    val: float = 0.15
    test: float = 0.15
    block_m: float = 100.0  # side of a square
    gap_m: float = 20.0  # nearer to a road of another split nothing is written

    def __post_init__(self) -> None:
        for key, share in self.fractions.items():
            expect(f'split: {key}', share, 0.0, 1.0)
        total = sum(self.fractions.values())
        if abs(total - 1.0) > 1e-6:
            raise LaneSegError(
                f'split: expected shares whose sum is 1, found {total:g}: {self.fractions}'
            )
        expect('split: block_m', self.block_m, 1.0, 100_000.0)
        expect('split: gap_m', self.gap_m, 0.0, self.block_m)

    @property
    def fractions(self) -> dict[str, float]:
        """{split: share}."""
        return {'train': self.train, 'val': self.val, 'test': self.test}


def expect(key: str, value: float, least: float, most: float) -> None:
    """Refuse a value outside of [least, most]; `key` is its place in the plan.

    Raises:
        LaneSegError: it is outside.
    """
    if not least <= value <= most:
        raise LaneSegError(f'{key}: expected {least:g} to {most:g}, found {value:g}')
