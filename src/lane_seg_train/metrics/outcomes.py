"""The four counts of a yes-or-no question about pixels, and every ratio that comes from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = [
    'Outcomes', 'frequency_weighted_iou', 'mean_iou', 'mean_recall', 'outcomes_by_set',
    'pixel_accuracy',
]  # fmt: skip


@dataclass(frozen=True)
class Outcomes:
    """Pixels by label and prediction. A ratio of nothing to nothing is NaN, never 0 or 1.

    Attributes:
        true_positives: labelled so and predicted so.
        false_positives: predicted so, labelled otherwise.
        false_negatives: labelled so, predicted otherwise.
        true_negatives: neither.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def labelled(self) -> int:
        """Pixels that are labelled so."""
        return self.true_positives + self.false_negatives

    @property
    def is_absent(self) -> bool:
        """Whether nothing is labelled so and nothing predicted so: there is nothing to score."""
        return self.labelled + self.false_positives == 0

    @property
    def iou(self) -> float:
        """Intersection over union, Jaccard index: TP / (TP + FP + FN)."""
        return ratio(self.true_positives, self.labelled + self.false_positives)

    @property
    def dice(self) -> float:
        """Dice coefficient, which is F1: 2 TP / (2 TP + FP + FN)."""
        double = 2 * self.true_positives
        return ratio(double, double + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        """Share of what is predicted that is right: TP / (TP + FP)."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of what is labelled that is found, sensitivity: TP / (TP + FN)."""
        return ratio(self.true_positives, self.labelled)

    @property
    def specificity(self) -> float:
        """Share of the rest that is left alone: TN / (TN + FP)."""
        return ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def accuracy(self) -> float:
        """Share of all pixels that is right; says little where most pixels are the rest."""
        right = self.true_positives + self.true_negatives
        return ratio(right, right + self.false_positives + self.false_negatives)


def outcomes_by_set(counts: NDArray[np.int64], table: LabelTable) -> dict[int, Outcomes]:
    """Ask of each set S of classes that the labels can name: is this pixel of S?

    The label says yes where all classes that it allows are in S, and no where none is. Where only
    some are, both answers may be right, and the pixel does not count for S. So "road" and "lane
    marking" are told apart only where the label does.

    Args:
        counts: (256, C + 1) int64 pixels by target id and predicted class; the last column counts
            those without a prediction, which are predicted otherwise.
        table: what the target ids mean.

    Returns:
        Target id of S -> counts, for every S.
    """
    sets = table.sets
    known = sets.any(axis=1) & ~sets.all(axis=1)
    found = {}
    for target in np.flatnonzero(known):
        members = sets[target]
        is_in = known & ~(sets & ~members).any(axis=1)
        is_out = known & ~(sets & members).any(axis=1)
        predicted = np.append(members, False)
        found[int(target)] = Outcomes(
            true_positives=int(counts[is_in][:, predicted].sum()),
            false_positives=int(counts[is_out][:, predicted].sum()),
            false_negatives=int(counts[is_in][:, ~predicted].sum()),
            true_negatives=int(counts[is_out][:, ~predicted].sum()),
        )
    return found


def mean_iou(by_set: Mapping[int, Outcomes], table: LabelTable) -> float:
    """Mean IoU of the classes that the data set defines; NaN without any.

    A class that is neither labelled nor predicted is left out; one that is predicted and nowhere
    labelled counts 0. Of labels that name no single class, it is the mean over their sets.
    """
    return _mean(
        [outcomes.iou for outcomes in _of_classes(by_set, table) if not outcomes.is_absent]
    )


def mean_recall(by_set: Mapping[int, Outcomes], table: LabelTable) -> float:
    """Mean recall of the classes that are labelled, also called mean class accuracy."""
    return _mean([outcomes.recall for outcomes in _of_classes(by_set, table) if outcomes.labelled])


def frequency_weighted_iou(by_set: Mapping[int, Outcomes]) -> float:
    """IoU of every set, weighted by its labelled pixels (Long et al., 2015, FCN)."""
    labelled = [outcomes for outcomes in by_set.values() if outcomes.labelled]
    weighed = sum(outcomes.labelled * outcomes.iou for outcomes in labelled)
    return ratio(weighed, sum(outcomes.labelled for outcomes in labelled))


def pixel_accuracy(counts: NDArray[np.int64], table: LabelTable) -> float:
    """Share of the pixels with a label whose predicted class the label allows.

    Args:
        counts: (256, C + 1) as for `outcomes_by_set`.
        table: what the target ids mean.
    """
    sets = table.sets
    known = sets.any(axis=1) & ~sets.all(axis=1)
    allowed = counts[known, :-1][sets[known]]
    return ratio(int(allowed.sum()), int(counts[known].sum()))


def _of_classes(by_set: Mapping[int, Outcomes], table: LabelTable) -> list[Outcomes]:
    """Outcomes of single classes; of labels that name none, of all their sets."""
    classes = [target for target, defined in enumerate(table.defined_classes()) if defined]
    return [by_set[target] for target in classes or by_set]


def ratio(part: float, whole: float) -> float:
    """Divide; of nothing it is not a number."""
    return part / whole if whole else math.nan


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
