"""The lanes and their painted borders, read once from a `carla.Map`.

`carla.Map` is asked, and not the OpenDRIVE text, so that every construct that CARLA's own parser
understands is understood here. A border is named as in OpenDRIVE: by the lane whose outer border
it is, 0 for the reference line; so the two lanes that share it cannot both report it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.lane_lines import line_numbers
from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import carla

__all__ = ['Lane', 'LaneKey', 'LaneMap', 'MarkedBorder', 'lane_map_of']

STEP_M: Final = 0.5
"""Distance of the samples along a road."""

_EXACT_M = 0.005  # how exactly beginnings and ends are found
_NOT_PAINT = ('NONE', 'Curb', 'Grass')
_DEFAULT_WIDTH_M = 0.15  # some maps leave the width of a mark at 0


class LaneKey(NamedTuple):
    """A lane, or the border on its outer side: OpenDRIVE's road, index of the section, lane."""

    road: int
    section: int
    lane: int


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane of one lane section.

    Attributes:
        key: its name.
        kind: CARLA's lane type: 'Driving', 'Shoulder', 'Sidewalk', ...
        s: (N,) metres along the road, rising.
        inner: (N, 3) border towards the reference line, world frame, metres.
        outer: (N, 3) the other border.
        outermost: whether no lane lies beyond it.
    """

    key: LaneKey
    kind: str
    s: NDArray[np.float64]
    inner: NDArray[np.float64]
    outer: NDArray[np.float64]
    outermost: bool


@dataclass(frozen=True, eq=False)
class MarkedBorder:
    """A stretch of a lane border with one kind of mark.

    Attributes:
        key: of the lane whose outer border it is.
        kind: of the mark, as in `SeenBorder`.
        colour: as in `SeenBorder`.
        half_m: from the middle to the outer edge of all its paint, metres.
        points: (N, 3) middle of the paint, world frame, metres, along rising s.
        line: number of the line; stretches that continue each other have the same one.
    """

    key: LaneKey
    kind: str
    colour: str
    half_m: float
    points: NDArray[np.float64]
    line: int = 0


@dataclass(frozen=True, eq=False)
class LaneMap:
    """A town as far as labels need it.

    Attributes:
        lanes: by key, those that carry no traffic included.
        borders: the painted ones.
        crosswalks: (N, 2) corners of each crosswalk, world x and y, metres.
    """

    lanes: dict[LaneKey, Lane]
    borders: tuple[MarkedBorder, ...]
    crosswalks: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class _Mark:
    """What is painted, as the map says."""

    kind: str
    colour: str
    width_m: float


def lane_map_of(map_: carla.Map) -> LaneMap:
    """Read a town.

    Args:
        map_: of the town; a server is not needed.

    Raises:
        LaneSegError: the map has no lane to drive on.
    """
    lanes: dict[LaneKey, Lane] = {}
    borders: list[MarkedBorder] = []
    for (road, section), waypoints in sorted(_by_section(map_).items()):
        ids = _lane_ids(waypoints)
        known = next(iter(waypoints.values()))
        s = _samples(map_, road, section, known).tolist()
        for lane in ids:
            along = [map_.get_waypoint_xodr(road, lane, at) for at in s]
            along = [here for here in along if here is not None and here.section_id == section]
            if len(along) < 2:
                continue
            key = LaneKey(road, section, lane)
            lanes[key] = found = _lane(key, along, outermost=_outermost(lane, ids))
            borders += _painted(map_, found, key, along, 'right_lane_marking')
            # The reference line has one lane on each side; the right one speaks for it.
            if lane == -1 or (lane == 1 and -1 not in ids):
                middle = LaneKey(road, section, 0)
                borders += _painted(map_, found, middle, along, 'left_lane_marking')
    if not lanes:
        raise LaneSegError(
            f'expected a town with lanes to drive on, found none in the map {map_.name!r}'
        )
    lines = line_numbers([border.points for border in borders])
    numbered = (replace(border, line=line) for border, line in zip(borders, lines, strict=True))
    return LaneMap(lanes, tuple(numbered), tuple(_crosswalks(map_)))


def _by_section(map_: carla.Map) -> dict[tuple[int, int], dict[int, carla.Waypoint]]:
    """Return a waypoint of each driving lane, by road and section."""
    found: dict[tuple[int, int], dict[int, carla.Waypoint]] = defaultdict(dict)
    for waypoint in map_.generate_waypoints(STEP_M):
        found[waypoint.road_id, waypoint.section_id].setdefault(waypoint.lane_id, waypoint)
    return found


def _lane_ids(waypoints: dict[int, carla.Waypoint]) -> list[int]:
    """Return the ids of all lanes of a section: shoulders and sidewalks have borders as well."""
    ids = set(waypoints)
    for waypoint in waypoints.values():
        for step in ('get_left_lane', 'get_right_lane'):
            beside = getattr(waypoint, step)()
            while beside is not None and beside.lane_id not in ids:
                ids.add(beside.lane_id)
                # Beyond the reference line left and right change places.
                outward = beside.lane_id * waypoint.lane_id < 0
                beside = beside.get_right_lane() if outward else getattr(beside, step)()
    return sorted(ids)


def _outermost(lane: int, ids: list[int]) -> bool:
    return lane + (1 if lane > 0 else -1) not in ids


def _samples(
    map_: carla.Map, road: int, section: int, known: carla.Waypoint
) -> NDArray[np.float64]:
    """Return s in metres from the very beginning to the very end of a section."""

    def inside(s: float) -> bool:
        if s < 0.0:
            return False
        here = map_.get_waypoint_xodr(road, known.lane_id, s)
        return here is not None and here.section_id == section

    low = high = float(known.s)
    while inside(low - STEP_M):
        low -= STEP_M
    while inside(high + STEP_M):
        high += STEP_M
    begin = _change(low, low - STEP_M, inside)
    end = _change(high, high + STEP_M, inside)
    return np.linspace(begin, end, max(2, math.ceil((end - begin) / STEP_M) + 1))


def _change(holds: float, fails: float, condition: Callable[[float], bool]) -> float:
    """Return the last place before a change of `condition`, by halving."""
    while abs(fails - holds) > _EXACT_M:
        middle = (holds + fails) / 2
        holds, fails = (middle, fails) if condition(middle) else (holds, middle)
    return holds


def _lane(key: LaneKey, waypoints: list[carla.Waypoint], *, outermost: bool) -> Lane:
    rows = [_place(waypoint) for waypoint in waypoints]
    middle, across = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    return Lane(
        key=key,
        kind=str(waypoints[0].lane_type),
        s=np.array([waypoint.s for waypoint in waypoints]),
        inner=middle - across,
        outer=middle + across,
        outermost=outermost,
    )


def _place(
    waypoint: carla.Waypoint,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return the middle of the lane, and from there the way to its outer border."""
    transform = waypoint.transform
    at, yaw = transform.location, math.radians(transform.rotation.yaw)
    # A waypoint heads along its lane, and with that the outer border is on its right.
    half = waypoint.lane_width / 2
    return (at.x, at.y, at.z), (-half * math.sin(yaw), half * math.cos(yaw), 0.0)


def _painted(
    map_: carla.Map,
    lane: Lane,
    key: LaneKey,
    waypoints: list[carla.Waypoint],
    attribute: str,
) -> Iterator[MarkedBorder]:
    """Yield the stretches with paint of one border of a lane, along its waypoints."""
    points = lane.outer if attribute == 'right_lane_marking' else lane.inner

    def mark_at(s: float) -> _Mark | None:
        waypoint = map_.get_waypoint_xodr(lane.key.road, lane.key.lane, s)
        return None if waypoint is None else _mark(getattr(waypoint, attribute))

    marks = [_mark(getattr(waypoint, attribute)) for waypoint in waypoints]

    def last_of(mark: _Mark | None, here: float, there: float) -> float:
        return _change(here, there, lambda s: mark_at(s) == mark)

    # Where one mark ends and the next begins.
    bounds = [float(lane.s[0])]
    kinds = [marks[0]]
    for (here, mark), (there, following) in pairwise(zip(lane.s.tolist(), marks, strict=True)):
        if mark != following:
            bounds.append(last_of(mark, here, there))
            kinds.append(following)
    bounds.append(float(lane.s[-1]))
    for mark, (begin, end) in zip(kinds, pairwise(bounds), strict=True):
        if mark is None or end - begin < 2 * _EXACT_M:
            continue
        inside = lane.s[(lane.s > begin) & (lane.s < end)]
        s = np.concatenate([[begin], inside, [end]])
        columns = [np.interp(s, lane.s, column) for column in points.T]
        double = ' ' in mark.kind and mark.kind != 'botts dots'
        # The lines of a double mark are as far apart as they are wide.
        half = mark.width_m * (1.5 if double else 0.5)
        yield MarkedBorder(key, mark.kind, mark.colour, half, np.stack(columns, axis=1))


def _mark(marking: carla.LaneMarking | None) -> _Mark | None:
    """Return what a lane marking paints, None for nothing."""
    if marking is None or str(marking.type) in _NOT_PAINT:
        return None
    colour = str(marking.color).lower()
    return _Mark(
        kind=_words(str(marking.type)),
        colour='white' if colour == 'standard' else colour,
        width_m=marking.width if marking.width > 0.0 else _DEFAULT_WIDTH_M,
    )


@cache
def _words(name: str) -> str:
    """Return 'solid broken' for 'SolidBroken'."""
    return ' '.join(re.findall('[A-Z][a-z]*', name)).lower()


def _crosswalks(map_: carla.Map) -> Iterator[NDArray[np.float64]]:
    """Yield the corners (N, 2) of each crosswalk: the map lists them all, first corners twice."""
    polygon: list[tuple[float, float]] = []
    for corner in map_.get_crosswalks():
        point = (corner.x, corner.y)
        if len(polygon) > 2 and math.dist(point, polygon[0]) < 0.01:
            yield np.array(polygon)
            polygon = []
        else:
            polygon.append(point)
