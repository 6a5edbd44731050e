"""Intersection over union of masks and true labels, from one table of pixels per frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.bundle import ClassInfo

__all__ = ['CLASSES', 'LABEL_IDS', 'UNLABELED', 'LabelScore', 'ious_of', 'mask_ids_of']

LABEL_IDS = {'background': 0, 'road': 1, 'lane_marking': 2}
"""What a true label says by number, a model says by name."""

CLASSES = ('road', 'lane_marking')
"""The classes whose IoU is told."""

UNLABELED = 255
"""In a label: nobody knows what is there, the pixel is left out."""

_UNSEEN = 3
_SIDE = 4


class LabelScore:
    """Counts how masks and true labels agree, pixel by pixel.

    Args:
        mask_ids: {class name: id in the mask}; ids of other names count as background.
        unlabeled_id: mask value of pixels that the model did not see; they are left out.
    """

    def __init__(self, mask_ids: Mapping[str, int], *, unlabeled_id: int) -> None:
        # Each pixel becomes 4 * label + mask, so that one histogram is the whole table.
        self._mask_part = np.zeros(256, np.uint8)
        for name, number in mask_ids.items():
            self._mask_part[number] = LABEL_IDS.get(name, 0)
        self._mask_part[unlabeled_id] = _UNSEEN
        self._label_part = np.full(256, _SIDE * _UNSEEN, np.uint8)
        self._label_part[:_UNSEEN] = _SIDE * np.arange(_UNSEEN)

    def table(self, mask: NDArray[np.uint8], label: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Count the pixels of one frame.

        Args:
            mask: (H, W) uint8 ids of the mask.
            label: (H, W) uint8 `LABEL_IDS` or `UNLABELED`; of another size it is stretched to that
                of the mask, each pixel becoming the nearest one of the label.

        Returns:
            (4, 4) int64, [label, mask]: background, road, lane marking, not labelled or not seen.
        """
        if label.shape != mask.shape:
            size_wh = (mask.shape[1], mask.shape[0])
            label = np.asarray(cv2.resize(label, size_wh, interpolation=cv2.INTER_NEAREST_EXACT))
        joint = cv2.add(cv2.LUT(mask, self._mask_part), cv2.LUT(label, self._label_part))
        pixels = cv2.calcHist([joint], [0], None, [_SIDE**2], [0, _SIDE**2])
        return pixels.astype(np.int64).reshape(_SIDE, _SIDE)


def ious_of(table: NDArray[np.int64]) -> dict[str, float]:
    """Intersection over union, 0..1, of each of `CLASSES`; NaN of what is in neither.

    Args:
        table: (4, 4) of `LabelScore.table`, or a sum of such.
    """
    seen = table[:_UNSEEN, :_UNSEEN]
    found = {}
    for name in CLASSES:
        number = LABEL_IDS[name]
        both = int(seen[number, number])
        either = int(seen[number].sum() + seen[:, number].sum()) - both
        found[name] = both / either if either else float('nan')
    return found


def mask_ids_of(classes: Sequence[ClassInfo]) -> dict[str, int]:
    """Return {name: id} of a bundle's classes."""
    return {info.name: info.id for info in classes}
