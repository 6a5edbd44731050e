"""The ground of a town without its paint: carriageways, shoulders, kerbs, sidewalks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Surface, SurfaceKind
from carla_bridge.mini_carla.towns.network import Junction, Lane, LaneSection, Network, Road
from carla_bridge.mini_carla.towns.numbering import Numbers
from carla_bridge.mini_carla.towns.sampling import beside, curve_runs, pieces, strip, to_world

__all__ = ['KERB_WIDTH_M', 'SIDEWALK_HEIGHT_M', 'SIDEWALK_WIDTH_M', 'ground_surfaces']

Array = NDArray[np.float64]

KERB_WIDTH_M = 0.15
"""Of the slope from the carriageway up to the sidewalk."""

SIDEWALK_HEIGHT_M = 0.12
SIDEWALK_WIDTH_M = 2.0

_SURFACE_OF_LANE: dict[str, SurfaceKind] = {
    'driving': 'road',
    'shoulder': 'shoulder',
    'median': 'shoulder',
    'sidewalk': 'sidewalk',
}


def ground_surfaces(network: Network, numbers: Numbers) -> Iterator[Surface]:
    """Yield the surfaces of all roads and junctions; all of one road share a number."""
    for road in network.roads:
        if road.junction == -1:
            number = numbers.next()
            for section, end in zip(road.sections, road.section_ends(), strict=True):
                yield from _of_section(road, section, end, number)
    for junction in network.junctions:
        yield from _of_junction(junction, numbers.next())


def _of_section(road: Road, section: LaneSection, end: float, number: int) -> Iterator[Surface]:
    # Neighbours of one kind make one strip: fewer polygons, and no seam between them.
    lanes = [lane for lane in section.lanes if lane.id != 0]
    for kind, group in groupby(lanes, key=lambda lane: _SURFACE_OF_LANE[lane.kind]):
        band = list(group)
        for s in pieces(road, section.s, end):
            left, right = _borders(section, band, s)
            if kind != 'sidewalk':
                yield Surface(kind, strip(road, s, right, left), instance=number)
                continue
            height = band[0].height_m
            if band[0].id > 0:
                kerb, right = right, right + KERB_WIDTH_M
                yield Surface('kerb', _slope(road, s, kerb, right, height), instance=number)
            else:
                kerb, left = left, left - KERB_WIDTH_M
                yield Surface('kerb', _slope(road, s, kerb, left, height), instance=number)
            yield Surface(kind, strip(road, s, right, left, height), instance=number)


def _borders(section: LaneSection, band: list[Lane], s: Array) -> tuple[Array, Array]:
    """Return t (N,) of the left and the right border of lanes given from left to right."""
    first, last = band[0].id, band[-1].id
    left = section.outer_t(first, s) if first > 0 else section.inner_t(first, s)
    right = section.outer_t(last, s) if last < 0 else section.inner_t(last, s)
    return left, right


def _slope(road: Road, s: Array, low: Array, high: Array, height: float) -> NDArray[np.float32]:
    """Return the face of a kerb (2 N, 3): it rises from t `low` to `height` at t `high`."""
    foot, top = road.points(s, low), road.points(s, high)
    top[:, 2] += height
    if high[0] > low[0]:
        polygon = np.concatenate([foot, top[::-1]])
    else:
        polygon = np.concatenate([top, foot[::-1]])
    return to_world(polygon).astype(np.float32)


def _of_junction(junction: Junction, number: int) -> Iterator[Surface]:
    outline = [beside(corner, s) for corner in junction.corners for s in curve_runs(corner)]
    yield Surface('road', _flat(np.concatenate(outline), 0.0), instance=number)
    for corner in junction.corners:
        for s in curve_runs(corner):
            edge, kerb, far = (
                beside(corner, s, t) for t in (0.0, -KERB_WIDTH_M, -SIDEWALK_WIDTH_M)
            )
            face = np.concatenate([_flat(kerb, SIDEWALK_HEIGHT_M), _flat(edge[::-1], 0.0)])
            yield Surface('kerb', face, instance=number)
            walk = np.concatenate([far, kerb[::-1]])
            yield Surface('sidewalk', _flat(walk, SIDEWALK_HEIGHT_M), instance=number)


def _flat(points: Array, z: float) -> NDArray[np.float32]:
    """Lift points (N, 2) of OpenDRIVE's plane to height `z` in the world frame, (N, 3)."""
    lifted = np.column_stack([points, np.full(len(points), z)])
    return to_world(lifted).astype(np.float32)
