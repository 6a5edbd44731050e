"""Data sets as torch sees them: augmented training examples, plain validation examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from lane_seg_train.augment import augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData

__all__ = ['Batch', 'train_loader', 'val_loader']

# image (N, 3, H, W) uint8 BGR, bits (N, H, W) uint8, defined (N, C) bool
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class _Examples(Dataset[Batch]):
    def __init__(self, sets: Sequence[LaneData], config: TrainConfig, *, training: bool) -> None:
        self.config = config
        self.training = training
        self.rows = [
            (image, bits, data.table.all_bits, torch.tensor(data.table.defined_classes()))
            for data in sets
            for image, bits in data.examples
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        image, bits, ignore_bits, defined = self.rows[index]
        if self.training:
            # torch seeds each worker and each epoch differently; numpy's own seed would repeat.
            seed = int(torch.randint(1 << 62, ()).item())
            rng = np.random.default_rng(seed)
            image, bits = augment(image, bits, self.config.augment, rng, ignore_bits=ignore_bits)
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return planes, torch.from_numpy(bits), defined


def train_loader(sets: Sequence[LaneData], config: TrainConfig) -> DataLoader[Batch]:
    """Shuffled, augmented batches; a data set's `repeat` weighs how often it is drawn."""
    examples = _Examples(sets, config, training=True)
    weights = [data.config.repeat for data in sets for _ in data.examples]
    count = max(1, round(sum(weights)))
    sampler = WeightedRandomSampler(weights, count)
    return DataLoader(
        examples,
        config.batch_size,
        sampler=sampler,
        num_workers=config.workers,
        drop_last=count > config.batch_size,
        persistent_workers=config.workers > 0,
    )


def val_loader(data: LaneData, config: TrainConfig) -> DataLoader[Batch]:
    """The examples of one validation set, unchanged and in order."""
    return DataLoader(_Examples([data], config, training=False), config.batch_size)
