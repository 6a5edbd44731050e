"""Closed circuits of roads, and smooth height profiles along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.towns.curve import Curve, Element, Pose
from carla_bridge.mini_carla.towns.network import LaneSection, Link, Poly3, Road

__all__ = ['closed_loop', 'periodic_profile']

Array = NDArray[np.float64]

_CLOSED_M = 1e-6


def closed_loop(
    parts: Sequence[tuple[Element, ...]],
    start: Pose,
    sections: Callable[[int, float], tuple[LaneSection, ...]],
    *,
    speed_kmh: float,
    knots: Sequence[tuple[float, float]] = ((0.0, 0.0),),
) -> tuple[Road, ...]:
    """Join parts end to end into roads 1, 2, ... of which each leads to the next.

    The circuit is made of several roads, since the Traffic Manager takes a road that follows
    itself for a dead end.

    Args:
        parts: reference line of each road.
        start: where the first one begins.
        sections: gives the lanes of road `index` (from 0) of `length` metres.
        speed_kmh: limit on all of them.
        knots: (share of the circuit, height in metres) that the profile goes through.

    Raises:
        ValueError: the end of the last part is not the start of the first one.
    """
    curves: list[Curve] = []
    for elements in parts:
        curves.append(Curve(curves[-1].end if curves else start, elements))
    end = curves[-1].end
    if np.hypot(end.x - start.x, end.y - start.y) > _CLOSED_M:
        raise ValueError(f'expected a circuit that closes at {start}, found its end at {end}')
    total = sum(curve.length for curve in curves)
    profile = periodic_profile([(share * total, z) for share, z in knots], total)
    roads, before = [], 0.0
    for i, curve in enumerate(curves):
        roads.append(
            Road(
                id=i + 1,
                curve=curve,
                sections=sections(i, curve.length),
                elevation=_cut(profile, before, before + curve.length),
                predecessor=Link('road', (i - 1) % len(curves) + 1, 'end'),
                successor=Link('road', (i + 1) % len(curves) + 1, 'start'),
                speed_kmh=speed_kmh,
            )
        )
        before += curve.length
    return tuple(roads)


def periodic_profile(knots: Sequence[tuple[float, float]], period: float) -> tuple[Poly3, ...]:
    """Return cubics through knots that repeat: value, slope and bend are continuous.

    Args:
        knots: (s, height), metres, s rising from 0 and below `period`.
        period: metres after which the first knot comes again.
    """
    if len(knots) < 3:
        return (Poly3(0.0, knots[0][1]),)
    s, z = np.array(knots).T
    h = np.diff(np.append(s, period))
    rise = (np.roll(z, -1) - z) / h
    count = len(s)
    system, right = np.zeros((count, count)), np.zeros(count)
    for i in range(count):
        # Equal second derivatives on both sides of knot i, in terms of the slopes there.
        system[i, i - 1] += 1 / h[i - 1]
        system[i, i] += 2 / h[i - 1] + 2 / h[i]
        system[i, (i + 1) % count] += 1 / h[i]
        right[i] = 3 * (rise[i - 1] / h[i - 1] + rise[i] / h[i])
    slope = np.linalg.solve(system, right)
    after = np.roll(slope, -1)
    c = (3 * rise - 2 * slope - after) / h
    d = (slope + after - 2 * rise) / h**2
    return tuple(Poly3(*row) for row in np.column_stack([s, z, slope, c, d]).tolist())


def _cut(profile: tuple[Poly3, ...], begin: float, end: float) -> tuple[Poly3, ...]:
    """Return the records of a profile between two positions, counted from the first one."""
    inside = [p for p in profile if p.s < end - 1e-9]
    first = max((i for i, p in enumerate(inside) if p.s <= begin + 1e-9), default=0)
    head, *rest = inside[first:]
    x = begin - head.s
    start = Poly3(
        0.0,
        head.a + x * (head.b + x * (head.c + x * head.d)),
        head.b + x * (2 * head.c + 3 * head.d * x),
        head.c + 3 * head.d * x,
        head.d,
    )
    return (start, *(Poly3(p.s - begin, p.a, p.b, p.c, p.d) for p in rest))
