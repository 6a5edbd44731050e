"""Lane lines of a data set: its own polylines where it has some, else traced in its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg_train.datasets.polylines import PolylinesReader
from lane_seg_train.evaluation.scores import LaneFigures
from lane_seg_train.metrics import LaneScore, lines_from_mask, region_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['LaneLines']


class LaneLines:
    """Compares lines image by image.

    Lines drawn by people run on under cars and over the gaps between dashes; lines traced in a
    mask end with the paint. Figures of the two kinds of data sets do not compare.

    Args:
        data: the data set; `are_labelled` must hold.
        lane_class: the class that lines are painted in.
    """

    def __init__(self, data: LaneData, lane_class: str) -> None:
        self.table = data.table
        self.lane = data.table.classes.index(lane_class)
        self.reader = data.reader if isinstance(data.reader, PolylinesReader) else None
        self.score = LaneScore()

    @staticmethod
    def are_labelled(data: LaneData, lane_class: str) -> bool:
        """Whether a label of the data set means exactly this class."""
        classes = data.table.classes
        return lane_class in classes and data.table.defined_classes()[classes.index(lane_class)]

    def add(self, pair: Pair, target: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Compare one image; what is predicted where the label says nothing does not count.

        Args:
            pair: names the image.
            target: (H, W) uint8 target ids.
            mask: (H, W) uint8 predicted class ids.
        """
        region = region_of(target, mask, self.table, self.lane)
        predicted = lines_from_mask(region.predicted & region.known)
        height, width = target.shape
        labelled = self._drawn(pair) if self.reader else lines_from_mask(region.labelled)
        self.score.add(labelled, predicted, (height, width))

    def figures(self) -> LaneFigures:
        """Ratios over all images."""
        score = self.score
        return LaneFigures(
            source='polylines' if self.reader else 'mask',
            labelled=score.labelled,
            predicted=score.predicted,
            f1=score.f1,
            precision=score.precision,
            recall=score.recall,
            row_accuracy=score.row_accuracy,
            false_positive_rate=score.false_positive_rate,
            false_negative_rate=score.false_negative_rate,
        )

    def _drawn(self, pair: Pair) -> list[NDArray[np.float64]]:
        """The lines that somebody drew, of shapes whose label means exactly lane marking."""
        assert self.reader is not None
        values, table = self.reader.values, self.table
        return [
            shape.points
            for shape in self.reader.annotations[pair.name].shapes
            if not shape.is_polygon
            and table.values.get(values[shape.name], table.other) == self.lane
        ]
