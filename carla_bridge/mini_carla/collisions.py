"""Whether two cuboids that stand upright overlap: for spawning and for driving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carla_bridge.mini_carla.geometry import Box, Transform

__all__ = ['Footprint', 'Obstacles', 'footprint_of', 'overlap']

# What a car drives through without harm: leaves.
_SOFT = ('crown',)


@dataclass(frozen=True)
class Footprint:
    """The outline of an upright cuboid on the ground, and the heights that it takes up.

    Attributes:
        x: of the centre, metres.
        y: of the centre, metres.
        yaw: radians.
        half_length: along its own x, metres.
        half_width: along its own y, metres.
        bottom: metres.
        top: metres.
    """

    x: float
    y: float
    yaw: float
    half_length: float
    half_width: float
    bottom: float
    top: float

    @property
    def radius(self) -> float:
        """Of the circle around the outline, metres."""
        return math.hypot(self.half_length, self.half_width)


def footprint_of(transform: Transform, extent: Sequence[float], *, centred: bool) -> Footprint:
    """Return the footprint of a cuboid.

    Args:
        transform: of its centre, or of the middle of its bottom.
        extent: half sizes, metres.
        centred: whether the transform is that of the centre.
    """
    bottom = transform.z - extent[2] if centred else transform.z
    return Footprint(
        transform.x,
        transform.y,
        math.radians(transform.yaw),
        extent[0],
        extent[1],
        bottom,
        bottom + 2 * extent[2],
    )


def overlap(first: Footprint, second: Footprint) -> bool:
    """Say whether two footprints share space: separating axes of two rectangles, and heights."""
    if first.bottom >= second.top or second.bottom >= first.top:
        return False
    dx, dy = second.x - first.x, second.y - first.y
    if math.hypot(dx, dy) >= first.radius + second.radius:
        return False
    turned = second.yaw - first.yaw
    c, s = abs(math.cos(turned)), abs(math.sin(turned))
    for own, other in ((first, second), (second, first)):
        along = abs(dx * math.cos(own.yaw) + dy * math.sin(own.yaw))
        across = abs(dy * math.cos(own.yaw) - dx * math.sin(own.yaw))
        if along >= own.half_length + other.half_length * c + other.half_width * s:
            return False
        if across >= own.half_width + other.half_length * s + other.half_width * c:
            return False
    return True


class Obstacles:
    """What stands still in a town, quickly found by place."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        """Take over those boxes that would stop a car."""
        self._boxes = [box for box in boxes if box.kind not in _SOFT]
        self._footprints = [
            footprint_of(box.transform, box.extent, centred=True) for box in self._boxes
        ]
        self._centres = np.array(
            [(footprint.x, footprint.y) for footprint in self._footprints], np.float64
        ).reshape(-1, 2)
        self._radii = np.array([footprint.radius for footprint in self._footprints], np.float64)

    def hit_by(self, footprint: Footprint) -> Box | None:
        """Return one that a footprint overlaps, or None."""
        offsets = self._centres - (footprint.x, footprint.y)
        distances = np.hypot(offsets[:, 0], offsets[:, 1])
        for index in np.flatnonzero(distances < self._radii + footprint.radius):
            if overlap(footprint, self._footprints[index]):
                return self._boxes[index]
        return None
