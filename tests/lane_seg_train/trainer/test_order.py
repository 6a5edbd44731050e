"""Which image stands where in an epoch is a pure function of seed and epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_train.trainer.order import EpochOrder, even_choice


def order(**changes: object) -> EpochOrder:
    defaults: dict[str, object] = {
        'counts': (10, 4),
        'repeats': (1.0, 2.5),
        'share': 1.0,
        'batch_size': 4,
        'periods': 1,
        'seed': 0,
    }
    return EpochOrder(**{**defaults, **changes})


orders = st.builds(
    EpochOrder,
    counts=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    repeats=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
    share=st.floats(0.05, 1),
    batch_size=st.integers(1, 8),
    periods=st.integers(1, 4),
    seed=st.integers(0, 1000),
)


def test_an_epoch_shows_each_image_as_often_as_its_data_set_repeats() -> None:
    shown = Counter(order().order(0)[: order().images_per_epoch].tolist())
    assert order().images_per_epoch == 20
    assert all(shown[row] == 1 for row in range(10))
    assert sorted(shown[row] for row in range(10, 14)) == [2, 2, 3, 3]


def test_epochs_differ_and_the_same_epoch_is_the_same() -> None:
    assert np.array_equal(order().order(3), order().order(3))
    assert not np.array_equal(order().order(3), order().order(4))
    assert not np.array_equal(order().order(3), order(seed=1).order(3))


def test_a_share_shows_other_images_in_each_epoch() -> None:
    half = order(counts=(100,), repeats=(1.0,), share=0.5)
    assert half.images_per_epoch == 50
    seen = {row for epoch in range(8) for row in half.order(epoch).tolist()}
    assert len(seen) > 90


@given(orders)
def test_all_batches_are_full_and_all_periods_equally_long(plan: EpochOrder) -> None:
    for period in range(2 * plan.periods):
        batches = plan.batches(period)
        assert len(batches) == plan.batches_per_period
        assert {len(batch) for batch in batches} == {plan.batch_size}
        assert {place.epoch for batch in batches for place in batch} == {period // plan.periods}


@given(orders)
def test_the_periods_of_an_epoch_show_its_whole_order(plan: EpochOrder) -> None:
    places = [
        place
        for period in range(plan.periods)
        for batch in plan.batches(period)
        for place in batch
    ]
    assert [place.row for place in places] == plan.order(0).tolist()
    assert [place.position for place in places] == list(range(len(places)))


@given(orders, st.integers(0, 5))
def test_skipping_goes_on_with_the_batches_that_were_not_done(plan: EpochOrder, skip: int) -> None:
    assert plan.batches(1, skip=skip) == plan.batches(1)[skip:]


@given(orders, st.sampled_from([2, 3]))
def test_processes_share_the_images_of_each_batch(plan: EpochOrder, world: int) -> None:
    parts = [plan.batches(0, rank=rank, world=world) for rank in range(world)]
    for whole, *pieces in zip(plan.batches(0), *parts, strict=True):
        together = sorted((place for piece in pieces for place in piece), key=lambda p: p.position)
        assert together == whole


@pytest.mark.parametrize(('count', 'share', 'expected'), [
    (10, 1.0, list(range(10))), (10, 0.2, [0, 5]), (10, 0.01, [0]), (1, 0.5, [0]),
])  # fmt: skip
def test_a_choice_is_evenly_spaced(count: int, share: float, expected: list[int]) -> None:
    assert list(even_choice(count, share)) == expected
