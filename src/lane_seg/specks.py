"""Removes small islands of a class from a mask: what is no larger than dirt is no lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['remove_specks']

_CLASSES = 256
# Component numbers travel as uint16, because cv2.dilate takes no int32.
_MOST_COMPONENTS = 65535


def remove_specks(
    mask: NDArray[np.uint8], class_ids: Sequence[int], min_area_px: float
) -> NDArray[np.uint8]:
    """Give small connected areas of some classes to the class that surrounds them.

    Areas are connected over edges and corners (8-connectivity), labelled by
    `cv2.connectedComponentsWithStats`. An area goes to the class that most pixels of its rim have;
    classes are treated in the order given, each seeing what became of those before it.

    Args:
        mask: (H, W) uint8 class ids.
        class_ids: classes whose areas are looked at.
        min_area_px: the smallest area that stays, in pixels.

    Returns:
        (H, W) uint8: `mask` itself where there was nothing to remove, else a new array.
    """
    for class_id in class_ids:
        mask = _without_specks_of(mask, class_id, min_area_px)
    return mask


def _without_specks_of(
    mask: NDArray[np.uint8], class_id: int, min_area_px: float
) -> NDArray[np.uint8]:
    own = cv2.inRange(mask, class_id, class_id)
    count, components, stats, _ = cv2.connectedComponentsWithStats(own, connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < min_area_px
    small[0] = False  # that is everything else
    numbers = np.flatnonzero(small)[:_MOST_COMPONENTS]
    if not len(numbers):
        return mask
    renumber = np.zeros(count, np.uint16)
    renumber[numbers] = np.arange(1, len(numbers) + 1)
    specks = renumber[components]
    # Each pixel of a rim votes for its class; where two specks share a rim the later one has it.
    reach = cv2.dilate(specks, np.ones((3, 3), np.uint8))
    rim = (reach > 0) & (own == 0)
    votes = np.bincount(
        reach[rim].astype(np.intp) * _CLASSES + mask[rim],
        minlength=(len(numbers) + 1) * _CLASSES,
    )
    winners = votes.reshape(-1, _CLASSES).argmax(axis=1).astype(np.uint8)
    inside = specks > 0
    cleaned = mask.copy()
    cleaned[inside] = winners[specks[inside]]
    return cleaned
