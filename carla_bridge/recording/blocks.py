"""Which split a place belongs to: a town is cut into squares, each of one split as a whole.

Neighbouring frames of a drive are near-duplicates, and so is the same street in another weather or
on another route. A split by place keeps all of them together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError

__all__ = ['SPLITS', 'RouteBlocks', 'dealt']

SPLITS: Final = ('train', 'val', 'test')


class RouteBlocks:
    """The splits of one town's roads.

    Squares are dealt out in an order drawn by town and seed, each to the split that is furthest
    below its share; so shares are kept as well as whole squares allow, and a town whose roads are
    few squares may lack a split: see `shares`.

    Args:
        road_xy: (N, 2) metres, points on all roads of the town, no further apart than a few
            metres; their order does not matter.
        town: its name.
        seed: of the plan.
        fractions: {split: share}.
        block_m: side of a square.
        gap_m: nearer to a road of another split a place belongs to none.

    Raises:
        LaneSegError: there is no road.
    """

    def __init__(
        self,
        road_xy: NDArray[np.float64],
        *,
        town: str,
        seed: int,
        fractions: Mapping[str, float],
        block_m: float,
        gap_m: float,
    ) -> None:
        points = np.asarray(road_xy, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise LaneSegError(
                f'{town}: expected points on its roads, found an array of shape {points.shape}; '
                'has the map any road?'
            )
        self._points = points
        self._gap_m = gap_m
        squares, square_of_point, weights = np.unique(
            np.floor(points / block_m).astype(np.int64),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        names = [f'{town}/{square[0]}/{square[1]}' for square in squares]
        splits = dealt(dict(zip(names, weights.tolist(), strict=True)), fractions, seed=seed)
        split_of_square = np.array([SPLITS.index(splits[name]) for name in names])
        self._split_of_point = split_of_square[square_of_point.ravel()]
        self._counts = np.bincount(self._split_of_point, minlength=len(SPLITS))

    @property
    def shares(self) -> dict[str, float]:
        """{split: share of the road points that it got}."""
        return dict(zip(SPLITS, (self._counts / len(self._points)).tolist(), strict=True))

    def split_of(self, x: float, y: float) -> str | None:
        """Return the split of a place.

        Args:
            x: metres in the world.
            y: metres in the world.

        Returns:
            'train', 'val' or 'test': that of the nearest road; None where a road of another split
            is not further away than the gap.
        """
        distance = np.hypot(self._points[:, 0] - x, self._points[:, 1] - y)
        split = int(self._split_of_point[distance.argmin()])
        others = distance[self._split_of_point != split]
        if others.size and others.min() <= self._gap_m:
            return None
        return SPLITS[split]


def dealt(
    weights: Mapping[str, int], fractions: Mapping[str, float], *, seed: int
) -> dict[str, str]:
    """Deal blocks out to splits, each to the one that is furthest below its share.

    Args:
        weights: {name of a block: how much is in it}.
        fractions: {split: share}.
        seed: draws, with the names, the order in which they are dealt.

    Returns:
        {name of a block: split}.
    """

    # Not numpy's generator, whose order may change between two runs by an update.
    def draw(block: str) -> bytes:
        return hashlib.sha256(f'{seed}/{block}'.encode()).digest()

    shares = {split: fractions[split] for split in SPLITS if fractions.get(split, 0.0) > 0.0}
    counts = dict.fromkeys(shares, 0)
    splits = {}
    for block in sorted(weights, key=draw):
        total = sum(counts.values()) + weights[block]
        chosen = max(shares, key=lambda split: shares[split] * total - counts[split])
        splits[block] = chosen
        counts[chosen] += weights[block]
    return splits
