"""Places along a way, and the way itself, on the towns' maps as the client reads them."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

carla = pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.ego import LanePath, Teleport  # noqa: E402
from carla_bridge.mini_carla.towns import available_towns, load_town  # noqa: E402

pytestmark = pytest.mark.carla

towns = st.sampled_from(available_towns())
seeds = st.integers(0, 2**31 - 1)


@cache
def map_of(name: str) -> carla.Map:
    return carla.Map(name, load_town(name).opendrive)


@cache
def lanes_of(name: str) -> list[carla.Waypoint]:
    return map_of(name).generate_waypoints(7.0)


def start_in(town: str, seed: int) -> carla.Transform:
    return random.Random(seed).choice(lanes_of(town)).transform


def numbers(place: carla.Transform) -> tuple[float, ...]:
    at, turn = place.location, place.rotation
    return at.x, at.y, at.z, turn.pitch, turn.yaw, turn.roll


@settings(max_examples=40)
@given(towns, seeds)
def test_a_way_goes_on_in_steps_of_a_metre_without_a_kink(town: str, seed: int) -> None:
    path = LanePath(map_of(town), start_in(town, seed), random.Random(seed))
    path.extend(120)
    points = path.points
    assert not path.ends
    steps = np.hypot(*np.diff(points[1:, :2], axis=0).T)
    assert steps.max() < 1.4
    assert np.abs(np.diff(points[1:, 3])).max() < 0.3


@settings(max_examples=40)
@given(seeds)
def test_a_way_starts_on_the_lane_that_points_the_way_of_the_car(seed: int) -> None:
    inside = [lane for lane in lanes_of('Town_grid') if lane.is_junction]
    start = random.Random(seed).choice(inside).transform
    points = LanePath(map_of('Town_grid'), start, random.Random(seed)).points
    turn = math.remainder(points[-1, 3] - math.radians(start.rotation.yaw), math.tau)
    assert abs(turn) < math.radians(25.0)
    assert math.dist(points[-1, :2], (start.location.x, start.location.y)) < 1.5


def test_seeds_choose_other_branches() -> None:
    start = map_of('Town_grid').get_topology()[0][0].transform
    ends = set()
    for seed in range(8):
        path = LanePath(map_of('Town_grid'), start, random.Random(seed))
        path.extend(800)
        ends.add(tuple(path.points[-1, :2].round(2)))
    assert len(ends) > 2


@settings(max_examples=25)
@given(towns, seeds)
def test_the_same_seed_gives_the_same_places(town: str, seed: int) -> None:
    first, second = (Teleport(map_of(town), start_in(town, seed), seed=seed) for _ in range(2))
    assert [numbers(first.next()) for _ in range(30)] == [
        numbers(second.next()) for _ in range(30)
    ]


@settings(max_examples=25)
@given(towns, seeds, st.floats(0.0, 0.6), st.floats(0.0, 10.0))
def test_places_are_on_the_lane_within_two_standard_deviations(
    town: str, seed: int, lateral_m: float, yaw_deg: float
) -> None:
    exact = Teleport(map_of(town), start_in(town, seed), seed=seed, lateral_m=0.0, yaw_deg=0.0)
    noisy = Teleport(
        map_of(town), start_in(town, seed), seed=seed, lateral_m=lateral_m, yaw_deg=yaw_deg
    )
    for _ in range(20):
        there, place = exact.next(), noisy.next()
        off = there.location.distance(place.location)
        turn = math.remainder(place.rotation.yaw - there.rotation.yaw, 360.0)
        assert off <= 2 * lateral_m + 1e-3
        assert abs(turn) <= 2 * yaw_deg + 1e-3


def test_the_noise_has_the_size_that_was_asked_for() -> None:
    start = start_in('Town_highway', 1)
    exact = Teleport(map_of('Town_highway'), start, seed=1, lateral_m=0.0, yaw_deg=0.0)
    noisy = Teleport(map_of('Town_highway'), start, seed=1, lateral_m=0.3, yaw_deg=5.0)
    pairs = [(exact.next(), noisy.next()) for _ in range(400)]
    offsets = [a.location.distance(b.location) for a, b in pairs]
    turns = [math.remainder(b.rotation.yaw - a.rotation.yaw, 360.0) for a, b in pairs]
    # A normal distribution cut at two standard deviations, its rest put at the cuts.
    assert 0.24 < float(np.sqrt(np.mean(np.square(offsets)))) < 0.32
    assert 4.2 < float(np.std(turns)) < 5.3


def test_jumps_are_shorter_in_bends() -> None:
    jumps: dict[str, list[float]] = {}
    for town in ('Town_highway', 'Town_hills'):
        way = Teleport(map_of(town), start_in(town, 2), seed=2, lateral_m=0.0, yaw_deg=0.0)
        places = [way.next().location for _ in range(80)]
        jumps[town] = [a.distance(b) for a, b in zip(places, places[1:], strict=False)]
    assert min(jumps['Town_highway']) > 4.5
    assert max(jumps['Town_highway']) < 10.5
    assert min(jumps['Town_hills']) < 4.5
