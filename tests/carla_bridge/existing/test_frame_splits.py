"""Splits of frames by blocks of neighbours."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carla_bridge.existing.frame_splits import splits_of_frames

FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=6),
    st.integers(1, 30).flatmap(lambda block: st.tuples(st.just(block), st.integers(0, block - 1))),
    st.integers(0, 99),
)
def test_splits_of_a_drive_are_a_gap_apart_and_nothing_else_is_lost(
    lengths: list[int], sizes: tuple[int, int], seed: int
) -> None:
    block, gap = sizes
    groups = [str(drive) for drive, length in enumerate(lengths) for _ in range(length)]
    splits = splits_of_frames(groups, FRACTIONS, block=block, gap=gap, seed=seed)
    assert len(splits) == len(groups)
    kept = [index for index, split in enumerate(splits) if split is not None]
    for before, behind in pairwise(kept):
        if groups[before] == groups[behind] and splits[before] != splits[behind]:
            assert behind - before > gap
    for before, behind in pairwise(range(len(groups))):
        if splits[before] is None and splits[behind] is None:
            continue
        assert gap or None not in (splits[before], splits[behind])
    again = splits_of_frames(groups, FRACTIONS, block=block, gap=gap, seed=seed)
    assert splits == again


def test_shares_are_kept() -> None:
    splits = splits_of_frames(['a'] * 10_000, FRACTIONS, block=50, gap=6, seed=1)
    kept = [split for split in splits if split is not None]
    for split, share in FRACTIONS.items():
        assert kept.count(split) / len(kept) == pytest.approx(share, abs=0.03)
    assert len(kept) > 0.9 * len(splits)
