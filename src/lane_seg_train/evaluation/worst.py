"""Pictures of the images that a model does worst on."""

from __future__ import annotations

import heapq
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.postprocess import UNLABELED_ID
from lane_seg_train.report.snapshots import snapshot_sheet, write_snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.evaluation.scores import ImageScore
    from lane_seg_train.label_sets import LabelTable

__all__ = ['WorstImages']


@dataclass(order=True)
class _Kept:
    goodness: float  # minus the mean IoU: the first of the heap is the best of the worst
    number: int
    score: ImageScore = field(compare=False)
    arrays: tuple[NDArray[np.uint8], ...] = field(compare=False)


class WorstImages:
    """Keeps the images of a data set with the lowest mean IoU.

    The mean is over the label sets that the image shows; images that show none are not ranked.

    Args:
        count: how many to keep.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._heap: list[_Kept] = []
        self._number = 0

    def add(
        self,
        score: ImageScore,
        image: NDArray[np.uint8],
        target: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> None:
        """Look at one image; it is copied if it is kept.

        Args:
            score: of this image.
            image: (H, W, 3) uint8 BGR.
            target: (H, W) uint8 target ids.
            mask: (H, W) uint8 predicted class ids.
        """
        if math.isnan(score.mean_iou) or not self.count:
            return
        self._number += 1
        goodness = -score.mean_iou
        if len(self._heap) == self.count and goodness <= self._heap[0].goodness:
            return
        kept = _Kept(goodness, -self._number, score, (image.copy(), target.copy(), mask.copy()))
        if len(self._heap) == self.count:
            heapq.heapreplace(self._heap, kept)
        else:
            heapq.heappush(self._heap, kept)

    def write(
        self, folder: Path, table: LabelTable, colours: Sequence[tuple[int, int, int]]
    ) -> list[Path]:
        """Draw image, label, prediction and errors side by side, one file each, worst first.

        Args:
            folder: gets 'worst_<data set>_<rank>_<name>.jpg'.
            table: of the data set.
            colours: (B, G, R) of each class.

        Returns:
            The files.
        """
        paths = []
        for rank, kept in enumerate(sorted(self._heap, reverse=True), 1):
            score = kept.score
            image, target, mask = _seen(*kept.arrays)
            text = f'{score.data} {score.name}   IoU ' + ', '.join(
                f'{name} {iou:.3f}' for name, iou in score.iou.items()
            )
            sheet = snapshot_sheet([image], [target], [mask], table, [text], colours=colours)
            name = re.sub(r'[^\w.-]+', '_', f'{score.data}_{rank:03}_{score.name}')
            paths.append(write_snapshot(folder / f'worst_{name}.jpg', sheet))
        return paths


def _seen(
    image: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut off what the model does not see: its mask has no class there (255)."""
    is_seen = mask != UNLABELED_ID
    rows, columns = np.flatnonzero(is_seen.any(axis=1)), np.flatnonzero(is_seen.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return image[part], target[part], mask[part]
