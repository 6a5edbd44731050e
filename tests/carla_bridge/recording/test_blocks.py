"""Splits by place: no street in two of them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carla_bridge.recording.blocks import SPLITS, RouteBlocks
from lane_seg.errors import LaneSegError

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}


def grid_of_streets(side_m: float = 600.0, apart_m: float = 100.0) -> np.ndarray:
    """Points, 2 m apart, on streets that cross each other like a chess board."""
    along = np.arange(-side_m / 2, side_m / 2, 2.0)
    streets = np.arange(-side_m / 2, side_m / 2 + 1, apart_m)
    x, y = (axis.ravel() for axis in np.meshgrid(along, streets))
    return np.vstack([np.stack([x, y], 1), np.stack([y, x], 1)])


def blocks(road_xy: np.ndarray, **changes: object) -> RouteBlocks:
    asked = {'town': 'T', 'seed': 0, 'fractions': FRACTIONS, 'block_m': 100.0, 'gap_m': 20.0}
    return RouteBlocks(road_xy, **{**asked, **changes})


def test_shares_are_kept_as_well_as_whole_squares_allow() -> None:
    shares = blocks(grid_of_streets(1200.0)).shares
    assert shares == pytest.approx(FRACTIONS, abs=0.02)


def test_a_split_without_share_gets_nothing() -> None:
    road = grid_of_streets()
    found = blocks(road, fractions={'train': 0.8, 'val': 0.2, 'test': 0.0})
    assert found.shares['test'] == 0.0
    assert {found.split_of(x, y) for x, y in road[::7]} == {'train', 'val', None}


def test_all_of_a_town_may_be_one_split() -> None:
    road = grid_of_streets(200.0)
    found = blocks(road, fractions={'train': 0.0, 'val': 0.0, 'test': 1.0})
    assert {found.split_of(x, y) for x, y in road} == {'test'}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(*[st.floats(-500, 500)] * 2), min_size=1, max_size=40),
    st.floats(20, 200),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_places_of_two_splits_are_further_apart_than_the_gap(
    points: list[tuple[float, float]], block_m: float, gap: float, seed: int
) -> None:
    road = np.array(points)
    found = blocks(road, block_m=block_m, gap_m=gap * block_m, seed=seed)
    splits = [found.split_of(x, y) for x, y in road]
    for here, split in zip(road, splits, strict=True):
        for there, other in zip(road, splits, strict=True):
            if None not in (split, other) and split != other:
                assert np.hypot(*(here - there)) > gap * block_m


@settings(max_examples=10)
@given(st.integers(0, 2**31 - 1), st.randoms(use_true_random=False))
def test_neither_run_nor_order_of_points_changes_a_split(seed: int, random: Random) -> None:
    road = grid_of_streets(300.0)
    order = list(range(len(road)))
    random.shuffle(order)
    first, second = blocks(road, seed=seed), blocks(road[order], seed=seed)
    assert first.shares == second.shares
    places = road[:: len(road) // 20]
    assert [first.split_of(*p) for p in places] == [second.split_of(*p) for p in places]


def test_seed_and_town_deal_the_squares_anew() -> None:
    road = grid_of_streets()
    places = road[::60]
    dealt = {
        tuple(blocks(road, town=town, seed=seed).split_of(x, y) for x, y in places)
        for town, seed in (('A', 0), ('B', 0), ('A', 1))
    }
    assert len(dealt) == 3


def test_within_the_gap_of_another_split_there_is_none() -> None:
    road = np.stack([np.arange(0.0, 1000.0), np.zeros(1000)], 1)
    found = blocks(road, gap_m=10.0, fractions={'train': 0.5, 'val': 0.5, 'test': 0.0})
    splits = [found.split_of(x, 0.0) for x in road[:, 0]]
    borders = sum(a != b for a, b in zip(splits[50::100], splits[150::100], strict=False))
    assert borders
    # 10 m on either side: 10 points before a border and 10 behind it.
    assert splits.count(None) == 20 * borders
    assert set(splits) <= {*SPLITS, None}


def test_a_town_without_roads_is_refused() -> None:
    with pytest.raises(LaneSegError, match='has the map any road'):
        blocks(np.zeros((0, 2)))
