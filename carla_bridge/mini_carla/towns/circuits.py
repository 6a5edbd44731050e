"""Towns that are one closed circuit: `Town_ring`, `Town_hills` and `Town_highway`."""

from __future__ import annotations

from itertools import cycle

from carla_bridge.mini_carla.towns.curve import Pose, bend, line
from carla_bridge.mini_carla.towns.loops import closed_loop
from carla_bridge.mini_carla.towns.network import Lane, LaneSection, Network, Poly3, RoadMark
from carla_bridge.mini_carla.towns.plan import TownPlan
from carla_bridge.mini_carla.towns.scenery import Scenery
from carla_bridge.mini_carla.towns.surfaces import SIDEWALK_HEIGHT_M, SIDEWALK_WIDTH_M

__all__ = ['highway', 'hills', 'ring']


def _wide(metres: float) -> tuple[Poly3, ...]:
    """Return the width of a lane that is as wide everywhere."""
    return (Poly3(0.0, metres),)


def _both_sides(lanes: tuple[Lane, ...], centre: Lane) -> tuple[Lane, ...]:
    """Return lanes given from the middle to the right, and their mirror images, in order."""
    left = [Lane(-lane.id, lane.kind, lane.width, lane.marks, lane.height_m) for lane in lanes]
    return (*reversed(left), centre, *lanes)


def ring() -> TownPlan:
    """Return a suburban ring: two lanes per direction, double yellow line, kerbs, S-curves."""
    centre = Lane(0, 'none', marks=((0.0, RoadMark('solid solid', 'yellow', wear=0.15)),))
    right = (
        Lane(-1, width=_wide(3.5), marks=((0.0, RoadMark('broken', wear=0.2)),)),
        Lane(-2, width=_wide(3.5), marks=((0.0, RoadMark('solid', wear=0.1)),)),
        Lane(-3, 'shoulder', width=_wide(0.6), marks=((0.0, RoadMark('curb')),)),
        Lane(-4, 'sidewalk', width=_wide(SIDEWALK_WIDTH_M), height_m=SIDEWALK_HEIGHT_M),
    )
    lanes = _both_sides(right, centre)
    swing = bend(120.0, 22.0, 20.0) + bend(120.0, -22.0, 20.0)
    corner = bend(55.0, 90.0, 24.0)
    long_side = line(70.0) + swing + line(70.0)
    roads = closed_loop(
        [long_side + corner, line(140.0) + corner] * 2,
        Pose(-110.0, -120.0, 0.0),
        lambda index, length: (LaneSection(0.0, lanes),),
        speed_kmh=50.0,
    )
    scenery = Scenery(buildings=(24.0, 60.0), trees=(12.0, 30.0), lamps=35.0)
    return TownPlan(Network('Town_ring', roads), scenery)


def hills() -> TownPlan:
    """Return a winding country road with hills, changing centre lines and worn paint."""
    edge = RoadMark('solid', width_m=0.12, wear=0.45)
    right = (
        Lane(-1, width=_wide(3.1), marks=((0.0, edge),)),
        Lane(-2, 'shoulder', width=_wide(0.8)),
    )
    kinds = cycle(('broken', 'solid broken', 'solid solid', 'broken solid', 'solid'))
    marks = {
        kind: RoadMark(kind, 'yellow', 0.12, dash_m=4.0, gap_m=8.0, wear=0.55)
        for kind in ('broken', 'solid broken', 'solid solid', 'broken solid', 'solid')
    }

    def sections(index: int, length: float) -> tuple[LaneSection, ...]:
        starts = [70.0 * i for i in range(int(length / 70.0))]
        records = tuple((start, marks[next(kinds)]) for start in starts)
        return (LaneSection(0.0, _both_sides(right, Lane(0, 'none', marks=records))),)

    first = line(60.0) + bend(80.0, 60.0, 25.0) + line(40.0) + bend(60.0, -50.0, 20.0)
    second = line(30.0) + bend(70.0, 100.0, 25.0) + line(50.0)
    second += bend(90.0, -40.0, 25.0) + line(40.0) + bend(60.0, 110.0, 20.0)
    knots = [(0.0, 2.0), (0.11, 9.0), (0.24, 3.0), (0.36, 14.0), (0.5, 20.0), (0.62, 12.0)]
    knots += [(0.74, 16.0), (0.88, 5.0)]
    roads = closed_loop(
        [first, second] * 2, Pose(0.0, 0.0, 0.0), sections, speed_kmh=60.0, knots=knots
    )
    scenery = Scenery(buildings=(90.0, 260.0), trees=(7.0, 20.0), rails=0.35)
    return TownPlan(Network('Town_hills', roads), scenery, hilly=True)


def highway() -> TownPlan:
    """Return a divided highway: three lanes each way, a barrier, rails and emergency bays."""
    solid = RoadMark('solid', width_m=0.2, wear=0.1)
    broken = RoadMark('broken', dash_m=6.0, gap_m=12.0, wear=0.15)
    yellow = RoadMark('solid', 'yellow', 0.2, wear=0.1)

    def lanes(shoulder: tuple[Poly3, ...]) -> tuple[Lane, ...]:
        right = (
            Lane(-1, 'median', width=_wide(1.4), marks=((0.0, yellow),)),
            Lane(-2, width=_wide(3.75), marks=((0.0, broken),)),
            Lane(-3, width=_wide(3.75), marks=((0.0, broken),)),
            Lane(-4, width=_wide(3.75), marks=((0.0, solid),)),
            Lane(-5, 'shoulder', width=shoulder),
        )
        return _both_sides(right, Lane(0, 'none'))

    def sections(index: int, length: float) -> tuple[LaneSection, ...]:
        plain = lanes(_wide(2.5))
        if index % 2:
            return (LaneSection(0.0, plain),)
        # An emergency bay: the shoulder grows by 3 m over 30 m, along a smooth cubic, and back.
        grow = (Poly3(0.0, 2.5, 0.0, 3 * 3.0 / 30**2, -2 * 3.0 / 30**3),)
        shrink = (Poly3(0.0, 5.5, 0.0, -3 * 3.0 / 30**2, 2 * 3.0 / 30**3),)
        return (
            LaneSection(0.0, plain),
            LaneSection(200.0, lanes(grow)),
            LaneSection(230.0, lanes(_wide(5.5))),
            LaneSection(280.0, lanes(shrink)),
            LaneSection(310.0, plain),
        )

    roads = closed_loop(
        [line(500.0), bend(280.0, 180.0, 90.0)] * 2,
        Pose(-250.0, -310.0, 0.0),
        sections,
        speed_kmh=110.0,
    )
    scenery = Scenery(
        buildings=(120.0, 300.0), trees=(10.0, 35.0), rails=1.0, barrier=True, setback=(8.0, 40.0)
    )
    return TownPlan(Network('Town_highway', roads), scenery)
