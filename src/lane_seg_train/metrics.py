"""Counts first, ratios after: one joint histogram per validation set gives every metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = ['SetConfusion']


class SetConfusion:
    """Joint histogram of label sets and predicted classes.

    For each set S of classes that the data set's labels can name, the IoU is that of "predicted
    class in S" against "labelled S"; pixels that may be anything are left out. For a lane-only
    data set this is the plain lane IoU; for one that marks road with its paint it is the IoU of
    road and paint together.
    """

    def __init__(self, table: LabelTable) -> None:
        self.table = table
        self.counts = np.zeros((table.all_bits + 1, len(table.classes)), np.int64)

    def add(self, bits: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Count one image or a batch.

        Args:
            bits: (..., H, W) uint8 admissible sets.
            mask: same shape, uint8 predicted class ids below the number of classes.
        """
        classes = self.counts.shape[1]
        joint = bits.astype(np.int64).ravel() * classes + mask.ravel()
        self.counts += np.bincount(joint, minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> dict[str, float]:
        """IoU of each set that occurs in the labels, 0..1, by its name."""
        result = {}
        everything = self.table.all_bits
        counted = self.counts.copy()
        counted[everything] = 0
        for bits in np.flatnonzero(counted.sum(axis=1)):
            inside = [c for c in range(counted.shape[1]) if bits >> c & 1]
            hit = counted[bits][inside].sum()
            union = counted[bits].sum() + counted[:, inside].sum() - hit
            result[self.table.name_of(int(bits))] = float(hit / union)
        return result
