"""The parser of the real `carla` client finds the very roads that the towns are made of.

`carla.Map` works without a server: what it says about the OpenDRIVE text is an independent
second opinion on every point, width, mark, height and connection.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

carla = pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.mini_carla.geometry import LaneBorder, Town  # noqa: E402
from carla_bridge.mini_carla.towns import load_town  # noqa: E402
from carla_bridge.mini_carla.towns.catalogue import TOWNS  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from carla_bridge.mini_carla.towns.network import Network, Road

pytestmark = pytest.mark.carla

MARKING = {
    'solid': 'Solid',
    'broken': 'Broken',
    'solid solid': 'SolidSolid',
    'solid broken': 'SolidBroken',
    'broken solid': 'BrokenSolid',
}


@cache
def network_of(name: str) -> Network:
    return TOWNS[name]().network


@cache
def map_of(name: str) -> carla.Map:
    return carla.Map(name, load_town(name).opendrive)


@cache
def borders_of(name: str) -> tuple[LaneBorder, ...]:
    return load_town(name).borders


def vector(location: carla.Location | carla.Vector3D) -> NDArray[np.float64]:
    return np.array([location.x, location.y, location.z])


def lane_middle(road: Road, lane: int, s: float) -> tuple[NDArray[np.float64], float]:
    """Return the world point in the middle of a lane at s, and the width of the lane there."""
    section, at = road.section_at(s), np.array([s])
    inner, outer = section.inner_t(lane, at), section.outer_t(lane, at)
    point = road.points(at, (inner + outer) / 2)[0] * (1.0, -1.0, 1.0)
    return point, float(abs(outer - inner)[0])


def lane_at(road: Road, lane_index: int, share: float) -> tuple[int, float]:
    """Return a lane of a road, by its place among the lanes, and s in metres."""
    s = share * road.curve.length
    lanes = [lane.id for lane in road.section_at(s).lanes if lane.id != 0]
    return lanes[lane_index % len(lanes)], s


PLACES = st.tuples(
    st.sampled_from(tuple(TOWNS)),
    st.integers(0, 1000),
    st.integers(0, 20),
    st.floats(0.001, 0.999),
)


@given(place=PLACES)
def test_a_waypoint_lies_where_our_lane_does(place: tuple[str, int, int, float]) -> None:
    name, road_index, lane_index, share = place
    roads = network_of(name).roads
    road = roads[road_index % len(roads)]
    lane, s = lane_at(road, lane_index, share)
    point, width = lane_middle(road, lane, s)
    waypoint = map_of(name).get_waypoint_xodr(road.id, lane, s)
    np.testing.assert_allclose(vector(waypoint.transform.location), point, atol=2e-3)
    assert waypoint.lane_width == pytest.approx(width, abs=1e-3)
    ahead, back = (lane_middle(road, lane, s + ds)[0] for ds in (1e-3, -1e-3))
    way = (ahead - back) * (-1 if lane > 0 else 1)
    forward, way = vector(waypoint.transform.get_forward_vector()), way / np.linalg.norm(way)
    np.testing.assert_allclose(forward[:2], way[:2], atol=1e-3)
    # The client gives every lane the slope of the reference line; inside a curve it is steeper.
    assert forward[2] == pytest.approx(way[2], abs=5e-3)


@given(place=PLACES)
def test_a_place_on_a_lane_is_found_again(place: tuple[str, int, int, float]) -> None:
    name, road_index, lane_index, share = place
    # Lanes of connecting roads cross each other: there the nearest one may be another.
    roads = [road for road in network_of(name).roads if road.junction == -1]
    road = roads[road_index % len(roads)]
    lane, s = lane_at(road, lane_index, share)
    point, _ = lane_middle(road, lane, s)
    kind = road.section_at(s).lane(lane).kind
    kinds = {'sidewalk': 'Sidewalk', 'shoulder': 'Shoulder', 'median': 'Median'}
    lane_type = getattr(carla.LaneType, kinds.get(kind, 'Driving'))
    found = map_of(name).get_waypoint(carla.Location(*point), lane_type=lane_type)
    assert found.lane_id == lane
    # The client looks places up on chords of the lane: along it, it may be off by decimetres.
    right = vector(found.transform.get_right_vector())
    offset = point - vector(found.transform.location)
    assert abs(offset[:2] @ right[:2]) < 0.05
    assert np.linalg.norm(offset) < 0.6


def nearest_border(
    borders: tuple[LaneBorder, ...], point: NDArray[np.float64]
) -> tuple[float, LaneBorder]:
    """Return the border whose polyline is nearest to a point, and its distance, metres."""
    found = []
    for border in borders:
        begin, along = border.points[:-1], np.diff(border.points, axis=0)
        share = ((point - begin) * along).sum(-1) / (along**2).sum(-1)
        foot = begin + np.clip(share, 0, 1)[:, None] * along
        found.append((float(np.linalg.norm(point - foot, axis=1).min()), border))
    return min(found, key=lambda pair: pair[0])


def test_borders_are_waypoints_plus_and_minus_half_a_lane(town_name: str) -> None:
    borders, painted = borders_of(town_name), 0
    waypoints = [w for w in map_of(town_name).generate_waypoints(7.3) if not w.is_junction]
    for waypoint in waypoints[:: max(1, len(waypoints) // 150)]:
        centre, right = (
            vector(waypoint.transform.location),
            vector(waypoint.transform.get_right_vector()),
        )
        here = tuple(b for b in borders if b.road == waypoint.road_id)
        for side, marking in ((1, waypoint.right_lane_marking), (-1, waypoint.left_lane_marking)):
            point = centre + side * right * waypoint.lane_width / 2
            distance, border = nearest_border(here, point)
            if str(marking.type) in ('NONE', 'Curb'):
                assert distance > 1.0
                continue
            painted += 1
            assert distance < 5e-3
            assert str(marking.type) == MARKING[border.kind]
            assert str(marking.color).lower() == border.colour
            assert marking.width == pytest.approx(border.width_m)
    assert painted > 100


def test_every_driving_lane_leads_on_and_comes_from_somewhere(town_name: str) -> None:
    waypoints = map_of(town_name).generate_waypoints(2.0)
    assert len(waypoints) > 500
    assert all(waypoint.next(3.0) for waypoint in waypoints)
    assert all(waypoint.previous(3.0) for waypoint in waypoints)


def test_the_topology_joins_every_end_to_a_beginning(town_name: str) -> None:
    pairs = map_of(town_name).get_topology()
    starts = np.array([vector(begin.transform.location) for begin, _ in pairs])
    for _, end in pairs:
        gap = np.linalg.norm(starts - vector(end.transform.location), axis=1).min()
        assert gap < 0.05
    # A road that follows itself would be a dead end for the Traffic Manager.
    assert all(
        after.road_id != end.road_id or after.s != end.s
        for _, end in pairs
        for after in end.next(1.0)
    )


def test_the_roads_of_the_grid_can_all_be_reached_from_each_of_them() -> None:
    pairs = map_of('Town_grid').get_topology()
    after: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for begin, end in pairs:
        lanes = {(w.road_id, w.lane_id) for w in end.next(1.0)}
        after.setdefault((begin.road_id, begin.lane_id), set()).update(lanes)
    # Cars change between the lanes of one direction, too.
    for lanes in after.values():
        for road, lane in tuple(lanes):
            lanes |= {other for other in after if other[0] == road and other[1] * lane > 0}
    for start in after:
        seen, ahead = {start}, [start]
        while ahead:
            new = after[ahead.pop()] - seen
            seen |= new
            ahead += new
        assert {road for road, _ in seen} >= set(range(1, 9))


def test_heights_of_waypoints_are_those_of_the_ground(town_name: str) -> None:
    town, waypoints = load_town(town_name), map_of(town_name).generate_waypoints(11.0)
    for waypoint in waypoints[::5]:
        place = waypoint.transform.location
        assert town.height(place.x, place.y) == pytest.approx(place.z, abs=2e-3)


def test_spawn_points_lie_in_the_middle_of_lanes_and_look_along_them(town: Town) -> None:
    roads = map_of(town.name)
    for point in town.spawn_points:
        place = carla.Location(point.x, point.y, point.z)
        found = roads.get_waypoint(place, project_to_road=False).transform
        right, offset = vector(found.get_right_vector()), vector(place - found.location)
        assert abs(offset[:2] @ right[:2]) < 0.05
        for ours, theirs in ((point.yaw, found.rotation.yaw), (point.pitch, found.rotation.pitch)):
            assert abs((ours - theirs + 180) % 360 - 180) < 0.5


def world_outline(road: Road, thing_index: int) -> NDArray[np.float64]:
    thing = road.objects[thing_index]
    u, v = np.array(thing.outline).T
    return road.points(thing.s + u, thing.t + v) * (1.0, -1.0, 1.0)


def test_the_client_finds_the_crosswalks_where_they_are_painted() -> None:
    found = np.array([vector(corner) for corner in map_of('Town_grid').get_crosswalks()])
    found = found.reshape(-1, 5, 3)
    np.testing.assert_allclose(found[:, 0], found[:, 4], atol=1e-6)
    outlines = [
        world_outline(road, i)
        for road in network_of('Town_grid').roads
        for i, thing in enumerate(road.objects)
        if thing.kind == 'crosswalk'
    ]
    assert len(outlines) == len(found) == 16
    for outline in outlines:
        distances = np.linalg.norm(found[:, :4, None] - outline, axis=-1).min(axis=2).max(axis=1)
        assert distances.min() < 0.01


def test_the_client_finds_stop_lines_and_arrows_as_road_marks() -> None:
    marks = map_of('Town_grid').get_all_road_marks()
    planned = {
        (road.id, thing.name, round(thing.s, 3), round(thing.t, 3))
        for road in network_of('Town_grid').roads
        for thing in road.objects
        if thing.kind != 'crosswalk'
    }
    found = {(mark.road_id, mark.name, round(mark.s, 3), round(mark.t, 3)) for mark in marks}
    assert found == planned
    assert len(found) == 64


def test_the_client_finds_a_stop_sign_at_every_arm() -> None:
    stops = map_of('Town_grid').get_all_landmarks_of_type('206')
    roads = {road.id: road for road in network_of('Town_grid').roads}
    assert len(stops) == 16
    for stop in stops:
        planned = [s for s, _, _ in roads[stop.road_id].stops]
        assert min(abs(stop.s - s) for s in planned) < 1e-3
