"""Data sets as torch sees them: augmented training batches, plain validation batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lane_seg_train.augment import augment
from lane_seg_train.trainer.order import EpochOrder, Place, even_choice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData

__all__ = ['Batch', 'LaneBatches']

# image (N, 3, H, W) uint8 BGR, target (N, H, W) uint8, sets (N, 256, C) bool
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class _TrainExamples(Dataset[Batch]):
    """Augmented examples; the place of an image in the run seeds its augmentation."""

    def __init__(self, sets: Sequence[LaneData], config: TrainConfig) -> None:
        self.config = config
        self.rows = [
            (example, torch.from_numpy(data.table.sets))
            for data in sets
            for example in data.examples
        ]

    def __getitem__(self, place: Place) -> Batch:
        (image, target), sets = self.rows[place.row]
        rng = np.random.default_rng([self.config.seed, place.epoch, place.position])
        return _tensors(*augment(image, target, self.config.augment, rng), sets)


class _ValExamples(Dataset[Batch]):
    """Examples of one validation set, unchanged and in order."""

    def __init__(self, data: LaneData, indices: Sequence[int]) -> None:
        self.data = data
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Batch:
        image, target = self.data.examples[self.indices[index]]
        return _tensors(image, target, torch.from_numpy(self.data.table.sets))


class _Places(Sampler[list[Place]]):
    """Hands out one period after the other; each iteration is the next period."""

    def __init__(self, order: EpochOrder, rank: int, world: int) -> None:
        self.order = order
        self.rank = rank
        self.world = world
        self.period = 0
        self.skip = 0

    def __len__(self) -> int:
        # Of the whole period also where some of it is skipped: Lightning counts those as done.
        return self.order.batches_per_period

    def __iter__(self) -> Iterator[list[Place]]:
        # A generator, so that only an iterator that is really used counts: torch makes two when
        # its workers start, and takes one.
        batches = self.order.batches(self.period, skip=self.skip, rank=self.rank, world=self.world)
        self.period += 1
        self.skip = 0
        yield from batches


class LaneBatches(lightning.LightningDataModule):
    """The batches of a run; remembers in its checkpoint which one comes next.

    Args:
        train_sets: to learn from.
        val_sets: to validate on.
        config: the run.
        rank: of this process.
        world: number of processes.
    """

    def __init__(
        self,
        train_sets: Sequence[LaneData],
        val_sets: Sequence[LaneData],
        config: TrainConfig,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__()
        self.train_sets = train_sets
        self.val_sets = val_sets
        self.config = config
        self.rank = rank
        self.world = world
        self.order = EpochOrder(
            counts=tuple(len(data) for data in train_sets),
            repeats=tuple(data.config.repeat for data in train_sets),
            share=config.epoch_share,
            batch_size=config.batch_size * world,
            periods=config.validations_per_epoch,
            seed=config.seed,
        )
        self.places = _Places(self.order, rank, world)
        self.next_batch = (0, 0)  # period and batch in it; what a checkpoint remembers

    def load(self) -> None:
        """Read all images; otherwise that happens when the first batch is asked for."""
        for data in (*self.train_sets, *self.val_sets):
            _ = data.examples

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, augmented batches of the period that comes next."""
        return DataLoader(
            _TrainExamples(self.train_sets, self.config),
            batch_sampler=self.places,
            num_workers=self.config.workers,
            persistent_workers=self.config.workers > 0,
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """One loader for each validation set; processes share its images."""
        loaders = []
        for data in self.val_sets:
            indices = even_choice(len(data.examples), self.config.val_share)
            mine = list(indices)[self.rank :: self.world]
            loaders.append(DataLoader(_ValExamples(data, mine), self.config.batch_size))
        return loaders

    def state_dict(self) -> dict[str, int]:
        """Which batch comes next."""
        return {'period': self.next_batch[0], 'batch': self.next_batch[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with the batch that `state_dict` named."""
        self.next_batch = (state['period'], state['batch'])
        self.places.period, self.places.skip = self.next_batch


def _tensors(image: np.ndarray, target: np.ndarray, sets: torch.Tensor) -> Batch:
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return planes, torch.from_numpy(np.ascontiguousarray(target)), sets
