"""What is painted where a road meets a junction: crosswalk, stop line, arrows, stop sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from carla_bridge.mini_carla.towns.network import Contact, Road, RoadObject

__all__ = ['UNMARKED_M', 'painted_arm']

UNMARKED_M = 5.4
"""From the junction to the far side of the stop line, where lane marks begin."""

Corners = tuple[tuple[float, float], ...]

_CROSSWALK = (1.0, 4.0)
"""Distances from the junction in metres between which the crosswalk lies."""

_STOP_LINE = (5.0, UNMARKED_M)
_STRIPE_M, _STRIPE_GAP_M = 0.5, 0.6
_ARROW_TIPS_M = (9.0, 28.0)
"""Distances of the tips of both rows of arrows from the junction."""

_SIGN_BESIDE_M = 0.7
"""From the kerb to the post of the stop sign."""

# Arrow parts for somebody who drives along u, with v to the left; metres, origin at the tail.
_SHAFT: Corners = ((0.0, -0.1), (2.8, -0.1), (2.8, 0.1), (0.0, 0.1))
_SHORT_SHAFT: Corners = ((0.0, -0.1), (1.5, -0.1), (1.5, 0.1), (0.0, 0.1))
_HEAD: Corners = ((2.8, -0.45), (4.0, 0.0), (2.8, 0.45))
_BRANCH: Corners = ((1.2, 0.1), (1.5, 0.1), (2.1, 0.6), (1.8, 0.6))
_BRANCH_HEAD: Corners = ((1.5, 0.6), (2.4, 0.6), (2.0, 1.15))
_ARROW_LENGTH_M = 4.0


def painted_arm(road: Road, contact: Contact, ways: Sequence[str]) -> Road:
    """Return the road with the paint and the stop sign that its end at a junction needs.

    Args:
        road: straight, with driving lanes, for `_ARROW_TIPS_M[-1]` and a few metres there.
        contact: which of its ends meets the junction.
        ways: where each lane towards the junction leads, from the left lane to the right one:
            letters out of 'L' (left), 'S' (straight), 'R' (right).
    """
    forward = contact == 'end'
    objects = [_crosswalk(road, contact), _stop_line(road, contact)]
    for row in _ARROW_TIPS_M:
        for i, letters in enumerate(ways):
            objects.append(_arrow(road, contact, i, letters, row))
    s = _s(road, contact, UNMARKED_M)
    side = -1 if forward else 1
    t = road.edge_t(s, side, ('driving',)) + side * _SIGN_BESIDE_M
    return replace(
        road,
        objects=(*road.objects, *objects),
        stops=(*road.stops, (s, t, forward)),
    )


def _s(road: Road, contact: Contact, distance: float) -> float:
    """Return s in metres at a distance from one end."""
    return distance if contact == 'start' else road.curve.length - distance


def _rectangle(length: float, width: float, v: float = 0.0) -> Corners:
    """Return the corners of a rectangle round (0, v), counter-clockwise, metres."""
    u, half = length / 2, width / 2
    return ((-u, v - half), (u, v - half), (u, v + half), (-u, v + half))


def _crosswalk(road: Road, contact: Contact) -> RoadObject:
    near, far = _CROSSWALK
    s = _s(road, contact, (near + far) / 2)
    right, left = (road.edge_t(s, side, ('driving',)) for side in (-1, 1))
    width, length = left - right, far - near
    count = int((width + _STRIPE_GAP_M) / (_STRIPE_M + _STRIPE_GAP_M))
    middles = (np.arange(count) - (count - 1) / 2) * (_STRIPE_M + _STRIPE_GAP_M)
    return RoadObject(
        kind='crosswalk',
        s=s,
        t=(left + right) / 2,
        parts=tuple(_rectangle(length, _STRIPE_M, float(v)) for v in middles),
        outline=_rectangle(length, width),
        forward=contact == 'end',
        name='SolidStripeCrosswalk',
    )


def _stop_line(road: Road, contact: Contact) -> RoadObject:
    near, far = _STOP_LINE
    s = _s(road, contact, (near + far) / 2)
    forward = contact == 'end'
    edge = road.edge_t(s, -1 if forward else 1, ('driving',))
    shape = _rectangle(far - near, abs(edge))
    return RoadObject('stop_line', s, edge / 2, (shape,), shape, forward, 'Stencil_STOP_LINE')


def _arrow(road: Road, contact: Contact, index: int, letters: str, tip: float) -> RoadObject:
    forward = contact == 'end'
    side = -1 if forward else 1
    s = _s(road, contact, tip + _ARROW_LENGTH_M)
    section, lane = road.section_at(s), side * (index + 1)
    at = np.array([s])
    t = float(section.inner_t(lane, at)[0] + section.outer_t(lane, at)[0]) / 2
    parts = [_SHAFT, _HEAD] if 'S' in letters else [_SHORT_SHAFT]
    if 'L' in letters:
        parts += [_BRANCH, _BRANCH_HEAD]
    if 'R' in letters:
        parts += [_mirrored(_BRANCH), _mirrored(_BRANCH_HEAD)]
    if not forward:
        parts = [tuple((-u, -v) for u, v in part) for part in parts]
    corners = np.concatenate([np.array(part) for part in parts])
    (u0, v0), (u1, v1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    outline = ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
    name = f'Stencil_Arrow_{letters}'
    return RoadObject('arrow', s, t, tuple(parts), outline, forward, name)


def _mirrored(part: Corners) -> Corners:
    """Swap left and right; the order turns round, so that it stays counter-clockwise."""
    return tuple((u, -v) for u, v in reversed(part))
