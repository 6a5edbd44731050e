"""Drives of a plan."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.recording.plan import CollectPlan, Weather
from carla_bridge.recording.sweep import drives_of, route_seed

PLAN = CollectPlan(
    towns=('Town01', 'Town02'), weathers=(Weather('ClearNoon'), Weather('WetNoon')), routes=3
)


def test_every_combination_is_driven_once() -> None:
    drives = drives_of(PLAN)
    assert len(drives) == len({drive.prefix for drive in drives}) == 12
    assert drives[1].frame_name(7) == 'Town01_r000_WetNoon_00007'
    assert [drive.town for drive in drives] == ['Town01'] * 6 + ['Town02'] * 6


def test_a_route_has_one_seed_in_every_weather_and_each_route_its_own() -> None:
    seeds: dict[tuple[str, int], set[int]] = {}
    for drive in drives_of(PLAN):
        seeds.setdefault((drive.town, drive.route), set()).add(drive.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 6


def test_adding_to_a_plan_leaves_the_other_drives_alone() -> None:
    more = dataclasses.replace(
        PLAN,
        towns=('Town03', *PLAN.towns),
        weathers=(Weather('ClearNight'), *PLAN.weathers),
        routes=4,
    )
    assert set(map(str, drives_of(PLAN))) < set(map(str, drives_of(more)))


def test_the_seed_of_a_plan_changes_every_route() -> None:
    other = drives_of(dataclasses.replace(PLAN, seed=1))
    assert all(a.seed != b.seed for a, b in zip(drives_of(PLAN), other, strict=True))


@given(st.integers(0, 2**31 - 1), st.text(max_size=5), st.integers(0, 1000))
def test_a_seed_is_what_every_generator_takes(seed: int, town: str, route: int) -> None:
    assert 0 <= route_seed(seed, town, route) < 2**31
