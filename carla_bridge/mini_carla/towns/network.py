"""A road network in OpenDRIVE's own terms: roads, lane sections, lanes, marks and junctions.

Everything is in OpenDRIVE's frame (y LEFT): s is the arc length along the reference line of a
road, t the distance to its left, both in metres. Lanes have ids 1, 2, ... to the left of the
reference line and -1, -2, ... to the right; with right-hand traffic the right ones run along s.
See OpenDRIVE 1.4, sections 5.3.5 to 5.3.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.towns.curve import Curve, Pose

__all__ = [
    'NO_MARK',
    'Contact',
    'Junction',
    'Lane',
    'LaneSection',
    'Link',
    'Network',
    'Poly3',
    'Road',
    'RoadMark',
    'RoadObject',
    'evaluate',
]

Array = NDArray[np.float64]

Contact = Literal['start', 'end']


@dataclass(frozen=True)
class Poly3:
    """a + b ds + c ds^2 + d ds^3 from `s` on, ds counted from there, in metres."""

    s: float
    a: float
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


def evaluate(records: tuple[Poly3, ...], s: Array, derivative: int = 0) -> Array:
    """Return the value, or a derivative, (N,) of piecewise cubics at `s` (N,) in metres.

    The records are in order of their `s`; before the first one it holds as well.
    """
    if len(records) == 1 and not (records[0].b or records[0].c or records[0].d):
        return np.full(s.shape, 0.0 if derivative else records[0].a)
    starts = np.array([record.s for record in records])
    which = np.clip(np.searchsorted(starts, s, side='right') - 1, 0, len(starts) - 1)
    table = np.array([[r.a, r.b, r.c, r.d] for r in records])[which]
    ds = s - starts[which]
    a, b, c, d = table.T
    if derivative == 0:
        return a + ds * (b + ds * (c + ds * d))
    if derivative == 1:
        return b + ds * (2 * c + ds * 3 * d)
    return 2 * c + 6 * d * ds


@dataclass(frozen=True)
class RoadMark:
    """The paint on one lane border.

    Attributes:
        kind: OpenDRIVE's type: 'none', 'solid', 'broken', 'solid solid', 'solid broken',
            'broken solid' or 'curb'. Of a double one the left line comes first on the reference
            line, the inner line on every other border.
        colour: 'white' or 'yellow'.
        width_m: of one line, metres.
        dash_m: painted length of a broken line, metres.
        gap_m: unpainted length between two dashes, metres.
        space_m: between the lines of a double mark, metres.
        wear: how worn the paint is on average, 0 to 1.
    """

    kind: str = 'none'
    colour: str = 'white'
    width_m: float = 0.15
    dash_m: float = 3.0
    gap_m: float = 6.0
    space_m: float = 0.15
    wear: float = 0.1

    @property
    def lines(self) -> tuple[tuple[str, float], ...]:
        """What is painted: ('solid' or 'broken', offset of its middle in metres) per line."""
        words = self.kind.split()
        if words[0] not in ('solid', 'broken'):
            return ()
        if len(words) == 1:
            return ((words[0], 0.0),)
        offset = (self.width_m + self.space_m) / 2
        return ((words[0], offset), (words[1], -offset))


NO_MARK = RoadMark()


@dataclass(frozen=True)
class Lane:
    """One lane of a lane section.

    Attributes:
        id: 1, 2, ... to the left, -1, -2, ... to the right, 0 the reference line.
        kind: OpenDRIVE's type: 'driving', 'shoulder', 'sidewalk', 'median' or 'none'.
        width: cubics of the width in metres, `s` counted from the start of the section.
        marks: (s from the start of the section, mark) of its outer border.
        height_m: of its surface above the road, metres.
        predecessor: id of the lane before it; None: the lane of the same id, if there is one.
        successor: id of the lane after it; None: the lane of the same id, if there is one.
    """

    id: int
    kind: str = 'driving'
    width: tuple[Poly3, ...] = ()
    marks: tuple[tuple[float, RoadMark], ...] = ((0.0, NO_MARK),)
    height_m: float = 0.0
    predecessor: int | None = None
    successor: int | None = None


@dataclass(frozen=True)
class LaneSection:
    """Lanes side by side from `s` on, in order of falling id; lane 0 is among them."""

    s: float
    lanes: tuple[Lane, ...]

    def lane(self, lane_id: int) -> Lane:
        """Return the lane of that id."""
        return next(lane for lane in self.lanes if lane.id == lane_id)

    def outer_t(self, lane_id: int, s: Array) -> Array:
        """Return t (N,) in metres of the outer border of a lane at `s` (N,) of the road."""
        t = np.zeros_like(s)
        for lane in self.lanes:
            if lane.id * lane_id > 0 and abs(lane.id) <= abs(lane_id):
                t += np.sign(lane_id) * evaluate(lane.width, s - self.s)
        return t

    def inner_t(self, lane_id: int, s: Array) -> Array:
        """Return t (N,) in metres of the border of a lane towards the reference line."""
        return self.outer_t(lane_id - int(np.sign(lane_id)), s)


@dataclass(frozen=True)
class Link:
    """Where a road goes on.

    Attributes:
        kind: 'road' or 'junction'.
        id: of that road or junction.
        contact: which end of that road; None for a junction.
    """

    kind: Literal['road', 'junction']
    id: int
    contact: Contact | None = None


@dataclass(frozen=True)
class RoadObject:
    """Paint that is no lane mark, as an `object` of OpenDRIVE with an outline.

    Attributes:
        kind: 'crosswalk', 'stop_line' or 'arrow'.
        s: of its origin, metres.
        t: of its origin, metres.
        parts: each polygon of paint, corners (u along the road, v to the left) in metres from
            the origin, counter-clockwise; together they are the object.
        outline: what the OpenDRIVE text tells, corners as above.
        forward: whether it is meant for traffic along s.
        name: of the object in the text.
    """

    kind: Literal['crosswalk', 'stop_line', 'arrow']
    s: float
    t: float
    parts: tuple[tuple[tuple[float, float], ...], ...]
    outline: tuple[tuple[float, float], ...]
    forward: bool
    name: str


@dataclass(frozen=True)
class Road:
    """One road: a reference line, its elevation and the lanes along it.

    Attributes:
        id: unique among roads and junctions.
        curve: the reference line.
        sections: in order of s; the first starts at 0.
        elevation: cubics of the height in metres.
        predecessor: what lies before its start.
        successor: what lies after its end.
        junction: id of the junction that it is part of, or -1.
        speed_kmh: limit.
        objects: paint across and between its lanes.
        stops: (s, t, forward) of its stop signs.
    """

    id: int
    curve: Curve
    sections: tuple[LaneSection, ...]
    elevation: tuple[Poly3, ...] = (Poly3(0.0, 0.0),)
    predecessor: Link | None = None
    successor: Link | None = None
    junction: int = -1
    speed_kmh: float = 50.0
    objects: tuple[RoadObject, ...] = ()
    stops: tuple[tuple[float, float, bool], ...] = ()

    def section_at(self, s: float) -> LaneSection:
        """Return the lane section that holds at `s` metres."""
        return [section for section in self.sections if section.s <= s or section.s == 0][-1]

    def section_ends(self) -> tuple[float, ...]:
        """Return s in metres where each section ends."""
        return (*(section.s for section in self.sections[1:]), self.curve.length)

    def edge_t(self, s: float, side: int, kinds: tuple[str, ...]) -> float:
        """Return t in metres of the outermost border of lanes of these kinds.

        Args:
            s: where along the road, metres.
            side: 1 for the left edge, -1 for the right one.
            kinds: of lanes, as in `Lane.kind`; the edge is at 0 where that side has none.
        """
        section = self.section_at(s)
        lanes = [lane.id for lane in section.lanes if lane.kind in kinds and lane.id * side > 0]
        outermost = max(lanes, key=abs, default=0)
        return float(section.outer_t(outermost, np.array([s]))[0])

    def points(self, s: Array, t: Array | float) -> Array:
        """Return the points (N, 3) at s and t, metres, in OpenDRIVE's frame."""
        x, y, heading = self.curve.at(s)
        z = evaluate(self.elevation, s)
        return np.stack([x - t * np.sin(heading), y + t * np.cos(heading), z], axis=1)

    def outward(self, contact: Contact) -> Pose:
        """Return the pose of the reference line at one end, heading away from the road."""
        if contact == 'start':
            return self.curve.start.turned()
        return self.curve.end


@dataclass(frozen=True)
class Junction:
    """A flat crossing at height 0.

    Attributes:
        id: unique among roads and junctions.
        connections: (incoming road, connecting road, lane it comes from) of each movement; the
            lane of every connecting road is -1.
        corners: edges of the carriageway from one arm to the next, counter-clockwise round the
            junction; the carriageway lies to their left.
    """

    id: int
    connections: tuple[tuple[int, int, int], ...]
    corners: tuple[Curve, ...]


@dataclass(frozen=True)
class Network:
    """All roads and junctions of a town."""

    name: str
    roads: tuple[Road, ...]
    junctions: tuple[Junction, ...] = ()

    def road(self, road_id: int) -> Road:
        """Return the road of that id."""
        return next(road for road in self.roads if road.id == road_id)
