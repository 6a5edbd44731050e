"""Borders read from the client's map are those that the towns were painted by."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

carla = pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.labels.lane_map import LaneMap, MarkedBorder, lane_map_of  # noqa: E402
from carla_bridge.mini_carla.geometry import LaneBorder  # noqa: E402
from carla_bridge.mini_carla.towns import available_towns  # noqa: E402
from tests.carla_bridge.labels.scenes import town  # noqa: E402

pytestmark = pytest.mark.carla

LINES = {'Town_ring': 5, 'Town_grid': 16, 'Town_hills': 3, 'Town_highway': 8}


@cache
def lanes_of(name: str) -> LaneMap:
    return lane_map_of(carla.Map(name, town(name).opendrive))


def length(points: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def farthest(points: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    """Return the largest distance of points from a polyline, metres."""
    start, way = line[:-1], np.diff(line, axis=0)
    square = np.maximum((way**2).sum(axis=1), 1e-12)
    most = 0.0
    for point in points:
        share = np.clip(((point - start) * way).sum(axis=1) / square, 0.0, 1.0)
        gaps = np.linalg.norm(start + way * share[:, None] - point, axis=1)
        most = max(most, float(gaps.min()))
    return most


@pytest.mark.parametrize('name', available_towns())
def test_every_painted_border_is_found_once_and_lies_within_a_centimetre(name: str) -> None:
    def key(border: LaneBorder | MarkedBorder) -> tuple[int, int, str, str]:
        if isinstance(border, LaneBorder):
            return border.road, border.lane, border.kind, border.colour
        return border.key.road, border.key.lane, border.kind, border.colour

    found = list(lanes_of(name).borders)
    for border in town(name).borders:
        candidates = [other for other in found if key(other) == key(border)]
        gaps = [farthest(border.points[::12], other.points) for other in candidates]
        best = int(np.argmin(gaps))
        assert gaps[best] < 0.01
        assert length(candidates[best].points) == pytest.approx(length(border.points), abs=0.05)
        found.remove(candidates[best])
    assert not found


@pytest.mark.parametrize('name', available_towns())
def test_stretches_that_continue_each_other_are_one_line(name: str) -> None:
    borders = lanes_of(name).borders
    lines = {border.line for border in borders}
    assert lines == set(range(1, LINES[name] + 1))
    # Parts of one line have one colour: an edge line does not become a centre line.
    for line in lines:
        assert len({border.colour for border in borders if border.line == line}) == 1


def test_crosswalks_are_those_of_the_town() -> None:
    corners = lanes_of('Town_grid').crosswalks
    stripes = [item for item in town('Town_grid').surfaces if item.kind == 'crosswalk']
    assert len(corners) == 16
    assert all(len(polygon) == 4 for polygon in corners)
    for stripe in stripes:
        middle = stripe.vertices[:, :2].mean(axis=0)
        assert any(
            ((polygon.min(axis=0) < middle) & (middle < polygon.max(axis=0))).all()
            for polygon in corners
        )


def test_lanes_without_traffic_are_read_as_well() -> None:
    kinds = {lane.kind for lane in lanes_of('Town_highway').lanes.values()}
    assert kinds == {'Driving', 'Shoulder', 'Median'}
    edges = {key.lane for key, lane in lanes_of('Town_highway').lanes.items() if lane.outermost}
    assert edges == {-5, 5}
