"""What stands beside the roads: buildings, trees, lamps, rails, barriers, sign posts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from carla_bridge.mini_carla.geometry import Box, BoxKind, Transform
from carla_bridge.mini_carla.towns.network import Road
from carla_bridge.mini_carla.towns.numbering import Numbers
from carla_bridge.mini_carla.towns.terrain import ALL_LANES, RoadSamples

__all__ = ['Scenery', 'scenery_boxes']

Range = tuple[float, float]

_RAIL_M = 8.0
"""Length of one straight piece of rail or barrier."""

_RAIL_BESIDE_M = 0.4
"""From the edge of the outermost lane to the middle of the rail."""

_WALLS = ((88, 110, 140), (120, 135, 150), (150, 160, 170), (95, 95, 105), (140, 170, 190))
_LEAVES = ((38, 84, 48), (46, 100, 62), (40, 76, 40), (52, 104, 88))
_BARK, _STEEL, _CONCRETE = (40, 58, 82), (125, 125, 120), (150, 155, 155)


@dataclass(frozen=True)
class Scenery:
    """How densely a town is furnished; distances in metres, None: there are none.

    Attributes:
        buildings: range of the distance from one building to the next.
        storeys: range of their height.
        trees: range of the distance from one tree to the next.
        lamps: distance between street lamps on the right-hand side.
        rails: share of the roadside behind guard rails, 0 to 1.
        barrier: whether a concrete barrier stands on the reference line.
        setback: range of the distance from the road to fronts and trees.
    """

    buildings: Range | None = None
    storeys: Range = (5.0, 14.0)
    trees: Range | None = (14.0, 40.0)
    lamps: float | None = None
    rails: float = 0.0
    barrier: bool = False
    setback: Range = (4.0, 14.0)


def scenery_boxes(
    samples: RoadSamples,
    scenery: Scenery,
    height: Callable[[float, float], float],
    numbers: Numbers,
    rng: np.random.Generator,
) -> Iterator[Box]:
    """Yield all boxes of a town; none stands on a road or inside another building or tree."""
    place = _Place(samples, height, numbers, rng)
    for road in samples.roads:
        if scenery.barrier:
            yield from place.rail(road, None, 'wall', (0.15, 0.45), _CONCRETE, 1.0)
        for side in (-1, 1):
            edge = road.edge_t(0.0, side, ALL_LANES)
            if scenery.rails:
                share = scenery.rails
                yield from place.rail(road, side, 'guard_rail', (0.06, 0.4), _STEEL, share)
            if scenery.lamps is not None and side < 0:
                yield from place.lamps(road, edge, scenery.lamps)
            if scenery.buildings is not None:
                yield from place.buildings(road, side, scenery)
            if scenery.trees is not None:
                yield from place.trees(road, side, scenery)
        for s, t, _ in road.stops:
            x, y = place.at(road, s, t)
            yield place.box('pole', x, y, 1.25, (0.04, 0.04, 1.25), _STEEL)


class _Place:
    """Puts boxes where there is room."""

    def __init__(
        self,
        samples: RoadSamples,
        height: Callable[[float, float], float],
        numbers: Numbers,
        rng: np.random.Generator,
    ) -> None:
        self._samples, self._height = samples, height
        self._numbers, self._rng = numbers, rng
        self._taken: list[tuple[float, float, float]] = []

    def at(self, road: Road, s: float, t: float) -> tuple[float, float]:
        """Return x and y of OpenDRIVE's plane at s and t, metres."""
        x, y, _ = road.points(np.array([s]), t)[0].tolist()
        return x, y

    def box(
        self,
        kind: BoxKind,
        x: float,
        y: float,
        up: float,
        extent: tuple[float, float, float],
        colour: tuple[int, int, int],
        heading: float = 0.0,
        number: int | None = None,
    ) -> Box:
        """Return a box whose centre is `up` metres above the land at x, y of OpenDRIVE."""
        z = self._height(x, -y) + up
        transform = Transform(x, -y, z, yaw=-math.degrees(heading))
        return Box(kind, transform, extent, colour, number or self._numbers.next())

    def rail(
        self,
        road: Road,
        side: int | None,
        kind: BoxKind,
        half: tuple[float, float],
        colour: tuple[int, int, int],
        share: float,
    ) -> Iterator[Box]:
        """Yield straight pieces beside a road (side 1 or -1) or on its reference line (None).

        Each run of 6 pieces stands there with the chance `share`.
        """
        number = self._numbers.next()
        count = math.ceil(road.curve.length / _RAIL_M)
        cuts = np.linspace(0, road.curve.length, count + 1)
        t = np.zeros_like(cuts)
        if side is not None:
            edges = [road.edge_t(s, side, ALL_LANES) for s in cuts.tolist()]
            t = np.array(edges) + side * _RAIL_BESIDE_M
        ends = road.points(cuts, t)
        keep = np.repeat(self._rng.random(count // 6 + 1) < share, 6)
        for begin, end, kept in zip(ends, ends[1:], keep, strict=False):
            if not kept:
                continue
            x, y, z = ((begin + end) / 2).tolist()
            dx, dy, dz = (end - begin).tolist()
            flat = math.hypot(dx, dy)
            transform = Transform(
                x,
                -y,
                z + half[1],
                pitch=math.degrees(math.atan2(dz, flat)),
                yaw=-math.degrees(math.atan2(dy, dx)),
            )
            yield Box(kind, transform, (math.hypot(flat, dz) / 2, *half), colour, number)

    def lamps(self, road: Road, edge: float, every: float) -> Iterator[Box]:
        """Yield street lamps at the edge of a road."""
        for s in np.arange(every / 2, road.curve.length, every).tolist():
            x, y = self.at(road, s, edge - 0.4)
            yield self.box('pole', x, y, 3.5, (0.08, 0.08, 3.5), _STEEL)

    def buildings(self, road: Road, side: int, scenery: Scenery) -> Iterator[Box]:
        """Yield buildings that face the road."""
        for s, t in self._spots(road, side, scenery.buildings, scenery.setback):
            length, depth = self._rng.uniform(5.0, 12.0), self._rng.uniform(4.0, 9.0)
            half = self._rng.uniform(*scenery.storeys) / 2
            x, y = self.at(road, s, t + side * depth)
            if self._room(x, y, math.hypot(length, depth)):
                heading = float(road.curve.at(np.array([s]))[2][0])
                colour = _WALLS[int(self._rng.integers(len(_WALLS)))]
                # On a slope the lower side needs a plinth: the box reaches 1.5 m into the land.
                extent = (length, depth, half + 0.75)
                yield self.box('building', x, y, half - 0.75, extent, colour, heading)

    def trees(self, road: Road, side: int, scenery: Scenery) -> Iterator[Box]:
        """Yield trees: a trunk and a crown of one number."""
        for s, t in self._spots(road, side, scenery.trees, scenery.setback):
            wide, tall = self._rng.uniform(1.0, 2.2), self._rng.uniform(1.2, 2.6)
            x, y = self.at(road, s, t)
            if self._room(x, y, wide * math.sqrt(2)):
                trunk, number = self._rng.uniform(0.8, 1.4), self._numbers.next()
                colour = _LEAVES[int(self._rng.integers(len(_LEAVES)))]
                heading = self._rng.uniform(0, math.pi)
                extent = (0.15, 0.15, trunk)
                yield self.box('trunk', x, y, trunk, extent, _BARK, heading, number)
                extent = (wide, wide, tall)
                up = 2 * trunk + tall
                yield self.box('crown', x, y, up, extent, colour, heading, number)

    def _spots(
        self, road: Road, side: int, every: Range | None, setback: Range
    ) -> Iterator[tuple[float, float]]:
        """Yield s and t of candidates along one side of a road, metres."""
        s = 0.0
        while every is not None:
            s += self._rng.uniform(*every)
            if s >= road.curve.length:
                return
            edge = road.edge_t(s, side, ALL_LANES)
            yield s, edge + side * self._rng.uniform(*setback)

    def _room(self, x: float, y: float, radius: float) -> bool:
        """Take a circle if it touches no road and nothing that stands already."""
        if self._samples.clearance(x, y) < radius + 1.0:
            return False
        if any(math.hypot(x - a, y - b) < radius + r for a, b, r in self._taken):
            return False
        self._taken.append((x, y, radius))
        return True
