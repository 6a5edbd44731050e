"""The land round the roads: its height, and the polygons of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Surface
from carla_bridge.mini_carla.towns.network import Network, evaluate
from carla_bridge.mini_carla.towns.sampling import pieces, strip, to_world

__all__ = ['ALL_LANES', 'HillyGround', 'RoadSamples', 'terrain_cells', 'verges']

Array = NDArray[np.float64]

ALL_LANES = ('driving', 'shoulder', 'median', 'sidewalk')

_VERGE_M = 8.0
"""Width of the strip beside a road in the hills that has the height of the road."""

_BLEND_M = 22.0
"""Beyond the verge, over this distance, the height of the road passes into that of the land."""

_SINK_M = 0.3
"""Cells lie this much lower under roads and verges, so that they never stick out."""


_BEYOND_M = 2.0
"""How far a road is followed past its end: the distance between two samples."""


class RoadSamples:
    """Points of all roads outside junctions, for questions of distance.

    Attributes:
        roads: those roads.
        xy: (N, 2) of the reference lines in OpenDRIVE's frame, metres.
        half_width: (N,) from there to the outermost border of the wider side, metres.
        s: (N,) along the road, metres.
        road: (N,) index into `roads`.
    """

    def __init__(self, network: Network, step: float = 2.0) -> None:
        self.roads = [road for road in network.roads if road.junction == -1]
        xy, half, along, index = [], [], [], []
        for i, road in enumerate(self.roads):
            s = np.linspace(0, road.curve.length, max(2, int(road.curve.length / step) + 1))
            x, y, _ = road.curve.at(s)
            widest = np.zeros_like(s)
            for section, end in zip(road.sections, road.section_ends(), strict=True):
                here = (s >= section.s) & (s <= end)
                for lane in (section.lanes[0].id, section.lanes[-1].id):
                    widest[here] = np.maximum(widest[here], abs(section.outer_t(lane, s[here])))
            xy.append(np.stack([x, y], axis=1))
            half.append(widest)
            along.append(s)
            index.append(np.full(len(s), i))
        self.xy, self.half_width = np.concatenate(xy), np.concatenate(half)
        self.s, self.road = np.concatenate(along), np.concatenate(index)

    def clearance(self, x: float, y: float) -> float:
        """Return the distance in metres from a point of OpenDRIVE's plane to the nearest road."""
        distance = np.hypot(self.xy[:, 0] - x, self.xy[:, 1] - y)
        return float((distance - self.half_width).min())

    def squared_distance(self, x: Array, y: Array) -> Array:
        """Return the squared distances (P, N) of points of OpenDRIVE's plane to the samples."""
        return (self.xy[:, 0] - x[:, None]) ** 2 + (self.xy[:, 1] - y[:, None]) ** 2


class HillyGround:
    """Height of a land that meets its roads: exact on them, smooth between them."""

    def __init__(self, samples: RoadSamples) -> None:
        self._samples = samples
        self._corridor = float(samples.half_width.max()) + _VERGE_M
        self._z = np.empty(len(samples.s))
        for i, road in enumerate(samples.roads):
            here = samples.road == i
            self._z[here] = evaluate(road.elevation, samples.s[here])

    def __call__(self, x: float, y: float) -> float:
        """Return the height in metres at world coordinates (y RIGHT)."""
        return float(self.heights(np.array([x]), np.array([y]))[0])

    def heights(self, x: Array, y: Array) -> Array:
        """Return the heights (P,) in metres at world coordinates x, y (P,)."""
        return self._heights(x, y)[0]

    def sunk(self, x: Array, y: Array) -> Array:
        """Return the heights (P,) of the cells, which hide under roads and verges, metres."""
        height, share = self._heights(x, y)
        return height - _SINK_M * (1 - share)

    def _heights(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the heights (P,) and how far, 0 to 1, the land has its own height there."""
        samples = self._samples
        squared = samples.squared_distance(x, -y)
        nearest = squared.argmin(axis=1)
        road_z, distance = np.empty_like(x), np.empty_like(x)
        for i, road in enumerate(samples.roads):
            here = samples.road[nearest] == i
            if not here.any():
                continue
            s = samples.s[nearest[here]]
            # Newton's steps to the foot of the perpendicular.
            for _ in range(3):
                cx, cy, heading = road.curve.at(s)
                dx, dy = x[here] - cx, -y[here] - cy
                distance[here] = np.hypot(dx, dy)
                ahead = dx * np.cos(heading) + dy * np.sin(heading)
                # The nearest sample may belong to the neighbouring road: a little beyond its end
                # the last element, and the profile, still run on as the neighbour does.
                s = np.clip(s + ahead, -_BEYOND_M, road.curve.length + _BEYOND_M)
            road_z[here] = evaluate(road.elevation, s)
        share = np.clip((distance - self._corridor) / _BLEND_M, 0.0, 1.0)
        share = share * share * (3 - 2 * share)
        # Shepard's interpolation: every road pulls with the fourth power of its nearness.
        weight = 1 / (squared + 25.0) ** 2
        land = weight @ self._z / weight.sum(axis=1)
        return road_z + (land - road_z) * share, share


def terrain_cells(
    samples: RoadSamples,
    heights: Callable[[Array, Array], Array],
    *,
    cell: float,
    margin: float,
    number: int,
) -> Iterator[Surface]:
    """Yield square cells of land that reach `margin` metres beyond all roads.

    Args:
        samples: of the roads.
        heights: metres (P,) at world x, y (P,).
        cell: side in metres.
        margin: metres.
        number: instance of all cells.
    """
    low = np.floor((samples.xy.min(axis=0) - margin) / cell).astype(int)
    high = np.ceil((samples.xy.max(axis=0) + margin) / cell).astype(int)
    xs, ys = (np.arange(a, b + 1) * cell for a, b in zip(low, high, strict=True))
    rows = [heights(np.full_like(ys, x), -ys) for x in xs.tolist()]
    grid = np.dstack([*np.meshgrid(xs, ys, indexing='ij'), np.array(rows)])
    for i in range(len(xs) - 1):
        for j in range(len(ys) - 1):
            corners = grid[[i, i + 1, i + 1, i], [j, j, j + 1, j + 1]]
            yield Surface('terrain', to_world(corners).astype(np.float32), instance=number)


def verges(network: Network, number: int) -> Iterator[Surface]:
    """Yield strips of land along both sides of every road, as high as the road."""
    for road in network.roads:
        if road.junction != -1:
            continue
        for section, end in zip(road.sections, road.section_ends(), strict=True):
            for s in pieces(road, section.s, end):
                left = section.outer_t(section.lanes[0].id, s)
                right = section.outer_t(section.lanes[-1].id, s)
                for low, high in ((left, left + _VERGE_M), (right - _VERGE_M, right)):
                    yield Surface('terrain', strip(road, s, low, high), instance=number)
