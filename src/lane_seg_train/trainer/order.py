"""Which image stands where in an epoch: a pure function of seed and epoch.

Nothing here has a state, so a resumed run, a run with other numbers of data workers, and a run
spread over several processes all see the same images with the same augmentation at each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ['EpochOrder', 'Place', 'even_choice']


@dataclass(frozen=True)
class Place:
    """An image in its place.

    Attributes:
        row: index of the image over all data sets.
        epoch: counted from 0.
        position: in the order of the epoch; with seed and epoch it seeds the augmentation.
    """

    row: int
    epoch: int
    position: int


@dataclass(frozen=True)
class EpochOrder:
    """The order of the training images.

    Attributes:
        counts: number of images of each data set.
        repeats: how often an epoch shows each of them: 2.5 is twice, and a random half once more.
        share: share of all that which one epoch really shows.
        batch_size: images of one step over all processes.
        periods: an epoch is cut into so many parts; after each comes a validation.
        seed: of everything.
    """

    counts: tuple[int, ...]
    repeats: tuple[float, ...]
    share: float
    batch_size: int
    periods: int
    seed: int

    @property
    def images_per_epoch(self) -> int:
        """Number of images that an epoch shows, before the last batches are filled up."""
        return max(1, round(sum(self._shown) * self.share))

    @property
    def batches_per_period(self) -> int:
        """Number of batches of a period; all periods are equally long."""
        return -(-self.images_per_epoch // (self.batch_size * self.periods))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Rows in the order of an epoch, filled up to whole periods: (N,) int64."""
        rng = np.random.default_rng([self.seed, epoch])
        rows = []
        first = 0
        for count, shown in zip(self.counts, self._shown, strict=True):
            whole, rest = divmod(shown, count)
            rows += [np.arange(first, first + count)] * whole
            rows.append(first + rng.permutation(count)[:rest])
            first += count
        shuffled = rng.permutation(np.concatenate(rows))[: self.images_per_epoch]
        # All batches have one size: batch normalization and the mean of a loss depend on it.
        return np.resize(shuffled, self.periods * self.batches_per_period * self.batch_size)

    @property
    def _shown(self) -> list[int]:
        """How many images of each data set an epoch shows, were all of them shown."""
        return [
            max(1, round(count * repeat))
            for count, repeat in zip(self.counts, self.repeats, strict=True)
        ]

    def batches(
        self, period: int, *, skip: int = 0, rank: int = 0, world: int = 1
    ) -> list[list[Place]]:
        """The batches of one process in one period.

        Args:
            period: counted on over the epochs.
            skip: leave out so many batches at the start, for they are done.
            rank: of this process.
            world: number of processes; each takes every `world`-th image of each batch.
        """
        epoch, part = divmod(period, self.periods)
        first = part * self.batches_per_period
        order = self.order(epoch)
        return [
            [
                Place(int(order[position]), epoch, position)
                for position in range(
                    batch * self.batch_size + rank, (batch + 1) * self.batch_size, world
                )
            ]
            for batch in range(first + skip, first + self.batches_per_period)
        ]


def even_choice(count: int, share: float) -> Sequence[int]:
    """Indices of an evenly spaced share of `count` things, at least one."""
    chosen = max(1, round(count * share))
    return [index * count // chosen for index in range(chosen)]
