"""Some frames in full, spread evenly over a run of any length, to look at afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from lane_seg_ros.live.labels import LabelReader
from lane_seg_ros.live.score import LABEL_IDS, LabelScore, ious_of

__all__ = ['Album', 'Snapshot']

# 40 frames of 1280x720 are 180 MB.
_MOST = 40
_FEWEST_LINE_PIXELS = 50


@dataclass(frozen=True)
class Snapshot:
    """One frame in full.

    Attributes:
        camera: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8 ids of the mask.
        label: (H, W) uint8 `LABEL_IDS` or `UNLABELED`; None where nobody knows.
        table: (4, 4) of `LabelScore.table`; None without a label.
        caption: what is known about it besides.
    """

    camera: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    label: NDArray[np.uint8] | None = None
    table: NDArray[np.int64] | None = None
    caption: str = ''

    @property
    def score(self) -> float:
        """Mean IoU of the classes that are there; NaN without a label."""
        ious = [] if self.table is None else list(ious_of(self.table).values())
        known = [iou for iou in ious if iou == iou]
        return sum(known) / len(known) if known else float('nan')

    @property
    def has_lines(self) -> bool:
        """Whether the label shows lane markings worth speaking of."""
        if self.table is None:
            return False
        return int(self.table[LABEL_IDS['lane_marking']].sum()) >= _FEWEST_LINE_PIXELS


class Album:
    """Keeps at most 40 frames: every one at first, then every second, every fourth, ...

    Args:
        score: compares masks and labels.
        labels: reads the labels.
    """

    def __init__(self, score: LabelScore, labels: LabelReader) -> None:
        self.caption = ''
        self._score, self._labels = score, labels
        self._offered = -1
        self._every = 1
        self._kept: list[Snapshot] = []

    def wants(self) -> bool:
        """Whether the frame that has just come is one to keep."""
        self._offered += 1
        return self._offered % self._every == 0

    def add(self, camera: NDArray[np.uint8], mask: NDArray[np.uint8], label: Image | None) -> None:
        """Keep a frame.

        Args:
            camera: (H, W, 3) uint8 BGR.
            mask: (H, W) uint8 ids of the mask.
            label: message of its label, if there is one.
        """
        true = table = None
        if label is not None:
            true = self._labels.read(label)
            if true is None:
                return
            table = self._score.table(mask, true)
            if true.shape != mask.shape:
                size_wh = (mask.shape[1], mask.shape[0])
                scaled = cv2.resize(true, size_wh, interpolation=cv2.INTER_NEAREST_EXACT)
                true = np.asarray(scaled, np.uint8)
        self._kept.append(Snapshot(camera, mask, true, table, self.caption))
        if len(self._kept) > _MOST:
            del self._kept[1::2]
            self._every *= 2

    @property
    def size(self) -> int:
        """Number of frames kept."""
        return len(self._kept)

    def picks(self) -> dict[str, Snapshot]:
        """Return {'best' | 'median' | 'worst': frame} by mean IoU; frames with lines first."""
        scored = [one for one in self._kept if one.score == one.score]
        ranked = sorted(
            [one for one in scored if one.has_lines] or scored, key=lambda one: -one.score
        )
        if not ranked:
            return {}
        places = {'best': 0, 'median': len(ranked) // 2, 'worst': len(ranked) - 1}
        return {name: ranked[place] for name, place in places.items()}

    def richest(self, mask_id: int) -> Snapshot | None:
        """The frame whose mask has most pixels of an id; None without any frame."""
        return max(
            self._kept, key=lambda one: int(np.count_nonzero(one.mask == mask_id)), default=None
        )
