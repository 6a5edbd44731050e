"""Paint on the roads, and where it lies: lane marks, borders, crosswalks, stop lines, arrows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import LaneBorder, Surface
from carla_bridge.mini_carla.towns.network import (
    Lane,
    LaneSection,
    Network,
    Road,
    RoadMark,
    RoadObject,
)
from carla_bridge.mini_carla.towns.numbering import Numbers
from carla_bridge.mini_carla.towns.sampling import pieces, strip, to_world

__all__ = ['Stretch', 'borders', 'painted_stretches', 'painted_surfaces']

Array = NDArray[np.float64]

_BORDER_STEP_M = 0.5


@dataclass(frozen=True)
class Stretch:
    """One lane border over the length of one mark record: [begin, end] in metres of s."""

    road: Road
    section: LaneSection
    lane: Lane
    mark: RoadMark
    begin: float
    end: float


def painted_stretches(network: Network) -> Iterator[Stretch]:
    """Yield every stretch of lane border that carries paint."""
    for road in network.roads:
        for section, section_end in zip(road.sections, road.section_ends(), strict=True):
            for lane in section.lanes:
                starts = [section.s + offset for offset, _ in lane.marks]
                ends = [*starts[1:], section_end]
                for (_, mark), begin, end in zip(lane.marks, starts, ends, strict=True):
                    if mark.lines:
                        yield Stretch(road, section, lane, mark, begin, end)


def borders(network: Network) -> tuple[LaneBorder, ...]:
    """Return the middle of the paint on every painted lane border."""
    found = []
    for stretch in painted_stretches(network):
        road = stretch.road
        count = math.ceil((stretch.end - stretch.begin) / _BORDER_STEP_M) + 1
        s = np.linspace(stretch.begin, stretch.end, count)
        points = to_world(road.points(s, stretch.section.outer_t(stretch.lane.id, s)))
        mark = stretch.mark
        found.append(
            LaneBorder(road.id, stretch.lane.id, mark.kind, mark.colour, mark.width_m, points)
        )
    return tuple(found)


def painted_surfaces(
    network: Network, numbers: Numbers, rng: np.random.Generator
) -> Iterator[Surface]:
    """Yield all paint; the pieces, dashes and lines of one mark share a number."""
    for stretch in painted_stretches(network):
        yield from _lane_mark(stretch, numbers.next(), rng)
    for road in network.roads:
        for thing in road.objects:
            yield from _object(road, thing, numbers.next(), rng)


def _lane_mark(stretch: Stretch, number: int, rng: np.random.Generator) -> Iterator[Surface]:
    mark, road, lane = stretch.mark, stretch.road, stretch.lane
    # The first line of a double mark is the left one at lane 0 and the inner one elsewhere.
    side = -1.0 if lane.id > 0 else 1.0
    worn = _Wear(mark.wear, rng)
    for word, offset in mark.lines:
        for begin, end in _painted(stretch, word):
            for s in pieces(road, begin, end):
                middle = stretch.section.outer_t(lane.id, s) + side * offset
                polygon = strip(road, s, middle - mark.width_m / 2, middle + mark.width_m / 2)
                wear = worn.at(float(s[0] + s[-1]) / 2)
                yield Surface('lane_mark', polygon, mark.colour, number, wear)


def _painted(stretch: Stretch, word: str) -> Iterator[tuple[float, float]]:
    """Yield the painted parts of one line: all of it, or its dashes, in metres of s."""
    if word == 'solid':
        yield stretch.begin, stretch.end
        return
    period = stretch.mark.dash_m + stretch.mark.gap_m
    for i in range(math.ceil((stretch.end - stretch.begin) / period)):
        begin = stretch.begin + i * period
        end = min(begin + stretch.mark.dash_m, stretch.end)
        # Less than a hand's breadth is no dash.
        if end - begin > 0.1:
            yield begin, end


class _Wear:
    """Wear along one mark: a slow wave round its average, its own for every mark."""

    def __init__(self, average: float, rng: np.random.Generator) -> None:
        self._average = average
        self._phases = rng.uniform(0, 2 * math.pi, 2)
        self._waves_m = rng.uniform((23.0, 70.0), (50.0, 160.0))

    def at(self, s: float) -> float:
        """Return the wear, 0 to 1, at `s` metres."""
        waves = np.sin(2 * math.pi * s / self._waves_m + self._phases).sum() / 2
        # The wave fades towards 0 and 1, where there is nothing left to vary.
        spread = 0.8 * min(self._average, 1 - self._average)
        return float(np.clip(self._average + spread * waves, 0.0, 1.0))


def _object(
    road: Road, thing: RoadObject, number: int, rng: np.random.Generator
) -> Iterator[Surface]:
    wear = float(rng.uniform(0.0, 0.3))
    for part in thing.parts:
        u, v = np.array(part).T
        polygon = to_world(road.points(thing.s + u, thing.t + v)).astype(np.float32)
        yield Surface(thing.kind, polygon, 'white', number, wear)
