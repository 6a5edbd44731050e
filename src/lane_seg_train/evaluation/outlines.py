"""Boundary scores of many images, gathered for each label set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lane_seg_train.evaluation.scores import BoundaryMeans
from lane_seg_train.label_sets import ANY_ID
from lane_seg_train.metrics import TOLERANCES_PX, boundary_score, region_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable
    from lane_seg_train.metrics import BoundaryScore

__all__ = ['Outlines']


class Outlines:
    """Compares outlines image by image; Csurka et al. (2013) average over images, so do we.

    Args:
        table: of the data set.
    """

    def __init__(self, table: LabelTable) -> None:
        self.table = table
        known = np.flatnonzero(table.sets.any(axis=1))
        self._scores: dict[int, list[BoundaryScore]] = {
            int(target): [] for target in known if target != ANY_ID
        }

    def add(self, target: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Compare one image.

        Args:
            target: (H, W) uint8 target ids.
            mask: (H, W) uint8 predicted class ids.
        """
        for wanted, scores in self._scores.items():
            score = boundary_score(region_of(target, mask, self.table, wanted))
            # Without a labelled outline all of it is NaN.
            if not all(math.isnan(value) for value in (*score.f1, score.hausdorff_px)):
                scores.append(score)

    def means(self) -> tuple[BoundaryMeans, ...]:
        """Means of each label set that has a labelled outline in some image."""
        return tuple(
            BoundaryMeans(
                classes=self.table.name_of(wanted),
                images=len(scores),
                f1={
                    tolerance: _mean([score.f1[index] for score in scores])
                    for index, tolerance in enumerate(TOLERANCES_PX)
                },
                hausdorff_px=_mean([score.hausdorff_px for score in scores]),
                hausdorff95_px=_mean([score.hausdorff95_px for score in scores]),
                unpredicted=sum(math.isnan(score.hausdorff_px) for score in scores),
            )
            for wanted, scores in self._scores.items()
            if scores
        )


def _mean(values: list[float]) -> float:
    """Mean of what is a number."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
