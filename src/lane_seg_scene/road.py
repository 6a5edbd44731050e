"""Road geometry: an endless centre line, the lanes beside it and the paint on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ['CentreLine', 'Marking', 'RoadLayout', 'RoadPiece', 'road_layout']

AHEAD_M = 600.0
"""How far ahead a piece of road reaches; at this distance the ground is 1 to 3 rows high."""


@dataclass(frozen=True)
class RoadPiece:
    """Samples of a centre line around one place, in the frame of that place.

    The frame has x along the road, y left. All arrays have shape (N,): arc length `s` (metres,
    counted from the start of the road), position `x`, `y` and `heading` (radians).
    """

    s: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    heading: NDArray[np.float64]

    def at(
        self, s: NDArray[np.float64], t: NDArray[np.float64] | float = 0.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Position x, y and heading at arc length `s`, `t` metres left of the centre line."""
        heading = np.interp(s, self.s, self.heading)
        x = np.interp(s, self.s, self.x) - t * np.sin(heading)
        y = np.interp(s, self.s, self.y) + t * np.cos(heading)
        return x, y, heading


@dataclass(frozen=True)
class CentreLine:
    """Endless road whose heading is a sum of sines of the arc length.

    The heading stays below `max_heading`, so the road never turns back on itself and whatever
    lies ahead can be described by one distance.
    """

    amplitudes: tuple[float, ...]
    wavelengths_m: tuple[float, ...]
    phases: tuple[float, ...]

    @classmethod
    def random(cls, rng: np.random.Generator, *, min_radius_m: float) -> CentreLine:
        """Draw a road whose curves are nowhere tighter than `min_radius_m`."""
        waves = rng.uniform((170.0, 330.0, 700.0), (330.0, 700.0, 1500.0))
        shares = rng.dirichlet((1.0, 1.0, 1.0))
        amplitudes = np.minimum(shares * waves / (2 * math.pi * min_radius_m), 0.2)
        return cls(
            tuple(amplitudes.tolist()),
            tuple(waves.tolist()),
            tuple(rng.uniform(0, 2 * math.pi, 3).tolist()),
        )

    @property
    def max_heading(self) -> float:
        """Bound of |heading| in radians."""
        return sum(self.amplitudes)

    def heading(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Heading in radians at arc length `s` (metres)."""
        total = np.zeros_like(s)
        for amplitude, wave, phase in zip(
            self.amplitudes, self.wavelengths_m, self.phases, strict=True
        ):
            total += amplitude * np.sin(s * (2 * math.pi / wave) + phase)
        return total

    def piece(self, s: float, *, behind: float = 20.0) -> RoadPiece:
        """Sample the road from `behind` metres behind `s` to `AHEAD_M` ahead of it."""
        near = np.arange(-math.ceil(behind), 120.0)
        far = np.geomspace(120.0, AHEAD_M, 90)
        offset = np.concatenate([near, far])
        heading = self.heading(s + offset)
        heading -= self.heading(np.array([s]))[0]
        step = np.diff(offset)
        # The heading changes slowly: the mean of both ends of a step is exact to millimetres.
        middle = (heading[1:] + heading[:-1]) / 2
        x = np.concatenate([[0.0], np.cumsum(step * np.cos(middle))])
        y = np.concatenate([[0.0], np.cumsum(step * np.sin(middle))])
        origin = math.ceil(behind)
        return RoadPiece(s + offset, x - x[origin], y - y[origin], heading)


@dataclass(frozen=True, kw_only=True)
class Marking:
    """A band of paint along the road, or a bar across it, repeated for ever.

    Attributes:
        left: left border, metres left of the centre line.
        right: right border, smaller than `left`.
        on: painted length in metres of each period; equal to `period` for a solid line.
        period: metres.
        phase: arc length at which one painted part begins.
        yellow: yellow instead of white.
    """

    left: float
    right: float
    on: float = 1.0
    period: float = 1.0
    phase: float = 0.0
    yellow: bool = False


@dataclass(frozen=True, kw_only=True)
class RoadLayout:
    """Cross-section of the road: t is metres left of the centre line.

    Attributes:
        lane_width: metres.
        lanes_left: lanes of oncoming traffic, left of t = 0.
        lanes_right: lanes in our direction, right of t = 0.
        left: left border of the carriageway (labelled road), positive.
        right: right border of the carriageway, negative.
        urban: kerb and sidewalk instead of shoulder and grass.
        rail_left, rail_right: guard rails.
        shoulder: width in metres of the gravel shoulder or of the sidewalk.
        ego_t: where the camera car drives.
        markings: all paint.
    """

    lane_width: float
    lanes_left: int
    lanes_right: int
    left: float
    right: float
    urban: bool
    rail_left: bool
    rail_right: bool
    shoulder: float
    ego_t: float
    markings: tuple[Marking, ...]

    @property
    def lane_centres(self) -> tuple[tuple[float, int], ...]:
        """(t, direction) of every lane; direction is 1 for ours and -1 for oncoming."""
        w = self.lane_width
        ours = [(-w * (index + 0.5), 1) for index in range(self.lanes_right)]
        theirs = [(w * (index + 0.5), -1) for index in range(self.lanes_left)]
        return tuple(ours + theirs)


def road_layout(rng: np.random.Generator, *, urban: bool) -> RoadLayout:
    """Draw a cross-section with its markings."""
    lane_width = float(rng.uniform(2.8, 3.4) if urban else rng.uniform(3.2, 3.7))
    lanes = int(rng.choice([1, 2, 3, 4], p=[0.08, 0.42, 0.25, 0.25]))
    lanes_left = lanes // 2 if rng.random() < 0.65 else 0
    lanes_right = lanes - lanes_left
    margin = float(rng.uniform(0.25, 0.7) if urban else rng.uniform(0.3, 2.2))
    left = lanes_left * lane_width + margin
    right = -lanes_right * lane_width - margin
    width = float(rng.uniform(0.12, 0.2))
    on, period = (3.0, 9.0) if urban else (3.0, 12.0)
    markings: list[Marking] = []

    def line(t: float, *, dashed: bool = False, yellow: bool = False) -> None:
        markings.append(
            Marking(
                left=t + width / 2,
                right=t - width / 2,
                on=on if dashed else period,
                period=period,
                yellow=yellow,
            )
        )

    american = bool(rng.random() < 0.5)
    edges = bool(not urban or lanes == 1 or rng.random() < 0.6)
    if edges:
        line(-lanes_right * lane_width - width * 0.5)
        line(lanes_left * lane_width + width * 0.5, yellow=american and lanes_left == 0)
    for index in range(1, lanes_right):
        line(-index * lane_width, dashed=True)
    for index in range(1, lanes_left):
        line(index * lane_width, dashed=True)
    if lanes_left:
        yellow = bool(rng.random() < 0.6)
        kind = str(rng.choice(['double', 'solid', 'dashed', 'mixed']))
        if kind in ('double', 'mixed'):
            line(width, yellow=yellow)
            line(-width, dashed=kind == 'mixed', yellow=yellow)
        else:
            line(0.0, dashed=kind == 'dashed', yellow=yellow)

    if urban:
        start, every = float(rng.uniform(40, 120)), float(rng.uniform(110, 220))
        bar = float(rng.uniform(0.4, 0.6))
        for t in np.arange(right + 0.4 + bar, left - 0.3, 2 * bar).tolist():
            markings.append(Marking(left=t, right=t - bar, on=3.0, period=every, phase=start))
        markings.append(
            Marking(left=-0.3, right=right + 0.3, on=0.4, period=every, phase=start - 1.6)
        )
    lane = int(rng.integers(lanes_right))
    return RoadLayout(
        lane_width=lane_width,
        lanes_left=lanes_left,
        lanes_right=lanes_right,
        left=left,
        right=right,
        urban=urban,
        rail_left=bool(not urban and rng.random() < 0.4),
        rail_right=bool(not urban and rng.random() < 0.5),
        shoulder=float(rng.uniform(1.5, 4.0) if urban else rng.uniform(0.6, 2.0)),
        ego_t=-(lane + 0.5) * lane_width,
        markings=tuple(markings),
    )
