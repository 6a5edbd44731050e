"""How far outlines lie from where they should be, in pixels of the image's own size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = ['TOLERANCES_PX', 'BoundaryScore', 'Region', 'boundary_score', 'outline', 'region_of']

TOLERANCES_PX = (1, 2, 4)


@dataclass(frozen=True)
class Region:
    """Where an image shows one set of classes, by label and by prediction.

    Attributes:
        labelled: (H, W) bool, the label says that it is there.
        known: (H, W) bool, the label says whether it is there or not.
        predicted: (H, W) bool.
    """

    labelled: NDArray[np.bool_]
    known: NDArray[np.bool_]
    predicted: NDArray[np.bool_]


@dataclass(frozen=True)
class BoundaryScore:
    """Outline of one set of classes in one image; NaN where there is nothing to compare.

    Attributes:
        f1: F1 at each of `TOLERANCES_PX`, 0..1.
        hausdorff_px: Hausdorff distance.
        hausdorff95_px: its 95th percentile, which a few stray pixels do not change.
    """

    f1: tuple[float, ...]
    hausdorff_px: float
    hausdorff95_px: float


def region_of(
    target: NDArray[np.uint8], mask: NDArray[np.uint8], table: LabelTable, wanted: int
) -> Region:
    """Look at one set of classes as `outcomes.outcomes_by_set` does.

    Args:
        target: (H, W) uint8 target ids of `table`.
        mask: (H, W) uint8 predicted class ids; other values are no class.
        table: what the target ids mean.
        wanted: target id of the set.
    """
    sets = table.sets
    members = sets[wanted]
    is_known = sets.any(axis=1) & ~sets.all(axis=1)
    is_in = is_known & ~(sets & ~members).any(axis=1)
    is_out = is_known & ~(sets & members).any(axis=1)
    is_predicted = np.zeros(256, np.bool_)
    is_predicted[: len(members)] = members
    return Region(is_in[target], (is_in | is_out)[target], is_predicted[mask])


def boundary_score(region: Region) -> BoundaryScore:
    """Compare the outline that is predicted with the one that is labelled.

    F1 is that of Csurka et al. (2013, What is a good evaluation measure for semantic
    segmentation?) and of Perazzi et al. (2016, DAVIS): precision is the share of the predicted
    outline within the tolerance of the labelled one, recall the share of the labelled outline
    within the tolerance of the predicted one. The Hausdorff distance is the larger of the two
    one-way distances between outlines, each the largest or the 95th percentile of its pixels.

    Void hides outlines. So the labelled outline runs only between pixels that are known;
    the predicted one is not judged where void lies within the tolerance; and to the Hausdorff
    distance void is as good as an outline, which makes it a lower bound.

    Returns:
        The score; all NaN if the label shows no outline, distances NaN if none is predicted.
    """
    label = outline(region.labelled, region.known)
    if not label.any():
        return BoundaryScore((math.nan,) * len(TOLERANCES_PX), math.nan, math.nan)
    prediction = outline(region.predicted, np.ones_like(region.known))
    to_label = _distance(label)
    to_void = _distance(~region.known)
    recall_px = _distance(prediction)[label]
    f1 = []
    for tolerance in TOLERANCES_PX:
        judged = to_label[prediction & (to_void > tolerance)]
        f1.append(_f1(_share(judged <= tolerance), _share(recall_px <= tolerance)))
    precision_px = np.minimum(to_label, to_void)[prediction & region.known]
    if not prediction.any():
        return BoundaryScore(tuple(f1), math.nan, math.nan)
    ways = [way for way in (precision_px, recall_px) if way.size]
    return BoundaryScore(
        f1=tuple(f1),
        hausdorff_px=max(float(way.max()) for way in ways),
        hausdorff95_px=max(float(np.percentile(way, 95)) for way in ways),
    )


def outline(region: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a region beside one that is known not to be of it.

    Args:
        region: (H, W) bool.
        known: (H, W) bool; the edge of the image counts as unknown.

    Returns:
        (H, W) bool; a pixel has four neighbours.
    """
    rest = known & ~region
    beside = np.zeros_like(rest)
    beside[1:] |= rest[:-1]
    beside[:-1] |= rest[1:]
    beside[:, 1:] |= rest[:, :-1]
    beside[:, :-1] |= rest[:, 1:]
    return np.asarray(region & known & beside, np.bool_)


def _distance(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Euclidean distance of every pixel to the nearest of `pixels`; infinite without any."""
    if not pixels.any():
        return np.full(pixels.shape, np.inf, np.float32)
    others = (~pixels).astype(np.uint8)
    distance = cv2.distanceTransform(others, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if hits.size else math.nan


def _f1(precision: float, recall: float) -> float:
    """Harmonic mean. Without any prediction there is no precision, and nothing is recalled."""
    if recall == 0 or precision == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)
