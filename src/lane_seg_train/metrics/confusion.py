"""Counts first, ratios after: one joint histogram per validation set gives every metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torchmetrics import Metric

from lane_seg_train.metrics.outcomes import (
    Outcomes,
    frequency_weighted_iou,
    mean_iou,
    mean_recall,
    outcomes_by_set,
    pixel_accuracy,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = ['SetConfusion']


class SetConfusion(Metric):
    """Joint histogram of targets and predicted classes, summed over processes.

    Every ratio is one of sums over all pixels of all images since the last `reset`, never a mean
    of ratios of single images.

    Args:
        table: what the target ids mean.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: torch.Tensor  # (256, C) int64 pixels by target id and predicted class
    unseen: torch.Tensor  # (256,) int64 pixels without a prediction, by target id

    def __init__(self, table: LabelTable) -> None:
        super().__init__()
        self.table = table
        counts = torch.zeros((256, len(table.classes)), dtype=torch.int64)
        self.add_state('counts', counts, dist_reduce_fx='sum')
        self.add_state('unseen', torch.zeros(256, dtype=torch.int64), dist_reduce_fx='sum')

    def update(self, target: torch.Tensor, mask: torch.Tensor) -> None:
        """Count one image or a batch.

        Args:
            target: (..., H, W) uint8 target ids.
            mask: same shape, uint8 predicted class ids. Values from C on are no class, such as
                255 of pixels that the model does not see; where there is a label, it is missed.

        Raises:
            ValueError: shapes differ.
        """
        if target.shape != mask.shape:
            raise ValueError(
                f'expected target and mask of one shape, found {tuple(target.shape)} and '
                f'{tuple(mask.shape)}'
            )
        columns = self.counts.shape[1] + 1
        joint = target.flatten().to(torch.int32) * columns + mask.flatten().clamp(max=columns - 1)
        added = torch.bincount(joint, minlength=256 * columns).reshape(256, columns)
        # Not in place: a state that was reset in inference mode must not be written outside of it.
        self.counts = self.counts + added[:, :-1]
        self.unseen = self.unseen + added[:, -1]

    def add_image(self, target: torch.Tensor, mask: torch.Tensor) -> dict[str, Outcomes]:
        """Count one image as `update` does, and return what `outcomes` says of it alone."""
        counts = self(target, mask).cpu().numpy()
        return self._named(outcomes_by_set(counts, self.table))

    def compute(self) -> torch.Tensor:
        """The histogram of all processes, (256, C + 1) int64; the last column is `unseen`."""
        return torch.cat([self.counts, self.unseen[:, None]], dim=1)

    def outcomes(self) -> dict[str, Outcomes]:
        """Counts of each label set that the data set can name, by its name."""
        return self._named(self._by_set())

    def iou(self) -> dict[str, float]:
        """IoU of each label set that is labelled or predicted, 0..1, by its name."""
        return {
            name: outcomes.iou
            for name, outcomes in self.outcomes().items()
            if not outcomes.is_absent
        }

    def miou(self) -> float:
        """Mean IoU, see `outcomes.mean_iou`."""
        return mean_iou(self._by_set(), self.table)

    def mean_recall(self) -> float:
        """Mean class accuracy, see `outcomes.mean_recall`."""
        return mean_recall(self._by_set(), self.table)

    def weighted_iou(self) -> float:
        """Frequency-weighted IoU, see `outcomes.frequency_weighted_iou`."""
        return frequency_weighted_iou(self._by_set())

    def accuracy(self) -> float:
        """Pixel accuracy, see `outcomes.pixel_accuracy`."""
        return pixel_accuracy(self._counted(), self.table)

    def _named(self, by_set: dict[int, Outcomes]) -> dict[str, Outcomes]:
        return {self.table.name_of(target): outcomes for target, outcomes in by_set.items()}

    def _by_set(self) -> dict[int, Outcomes]:
        return outcomes_by_set(self._counted(), self.table)

    def _counted(self) -> NDArray[np.int64]:
        counted: NDArray[np.int64] = self.compute().cpu().numpy()
        return counted
