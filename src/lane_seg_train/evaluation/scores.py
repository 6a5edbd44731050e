"""The figures of an evaluation, as they go into tables and JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ['BoundaryMeans', 'DataScore', 'ImageScore', 'LaneFigures', 'Score', 'plain']


@dataclass(frozen=True)
class Score:
    """One label set on one data set; ratios are of sums over all pixels, NaN of nothing.

    Attributes:
        data: name of the data set.
        classes: what is compared: 'lane_marking', or 'road+lane_marking' where the data marks
            road and paint as one.
        iou: intersection over union, 0..1.
        images: number of images.
        dice: Dice coefficient or F1, 0..1.
        precision: 0..1.
        recall: 0..1.
        specificity: 0..1.
        accuracy: share of pixels that are rightly in or out, 0..1.
        empty_images: images that show nothing of it by their label.
        empty_false_positives: predicted pixels in such an image, on average.
    """

    data: str
    classes: str
    iou: float
    images: int
    dice: float = math.nan
    precision: float = math.nan
    recall: float = math.nan
    specificity: float = math.nan
    accuracy: float = math.nan
    empty_images: int = 0
    empty_false_positives: float = math.nan


@dataclass(frozen=True)
class BoundaryMeans:
    """The outline of one label set, averaged over the images that show one.

    Attributes:
        classes: name of the label set.
        images: images with a labelled outline.
        f1: F1 by tolerance in pixels, 0..1.
        hausdorff_px: Hausdorff distance, mean over images where something is predicted.
        hausdorff95_px: its 95th percentile, likewise.
        unpredicted: images with a labelled outline where nothing is predicted.
    """

    classes: str
    images: int
    f1: dict[int, float]
    hausdorff_px: float
    hausdorff95_px: float
    unpredicted: int


@dataclass(frozen=True)
class LaneFigures:
    """Lane lines of a data set; see `lane_seg_train.metrics.LaneScore`.

    Attributes:
        source: where the labelled lines come from, 'polylines' or 'mask'.
        labelled: number of labelled lines.
        predicted: number of predicted lines.
        f1: CULane's, 0..1.
        precision: 0..1.
        recall: 0..1.
        row_accuracy: TuSimple's accuracy, 0..1.
        false_positive_rate: TuSimple's, 0..1.
        false_negative_rate: TuSimple's, 0..1.
    """

    source: str
    labelled: int
    predicted: int
    f1: float
    precision: float
    recall: float
    row_accuracy: float
    false_positive_rate: float
    false_negative_rate: float


@dataclass(frozen=True)
class DataScore:
    """All figures of one data set.

    Attributes:
        data: its name.
        images: number of images.
        miou: mean IoU of the classes that it defines, 0..1.
        class_accuracy: mean recall of these classes, 0..1.
        weighted_iou: IoU weighted by the labelled pixels of each set, 0..1.
        pixel_accuracy: share of labelled pixels with a class that the label allows, 0..1.
        median_ms: median time from image to mask.
        scores: of each label set that is labelled or predicted.
        boundaries: of each label set, where asked for.
        lanes: where asked for and the data set labels lane marking.
    """

    data: str
    images: int
    miou: float
    class_accuracy: float
    weighted_iou: float
    pixel_accuracy: float
    median_ms: float
    scores: tuple[Score, ...]
    boundaries: tuple[BoundaryMeans, ...] = ()
    lanes: LaneFigures | None = None


@dataclass(frozen=True)
class ImageScore:
    """One image.

    Attributes:
        data: name of the data set.
        name: name of the image in it.
        iou: by label set; sets that this image's label does not show are absent.
        false_positives: pixels by label set; all sets of the data set.
        ms: time from image to mask.
    """

    data: str
    name: str
    iou: Mapping[str, float]
    false_positives: Mapping[str, int]
    ms: float

    @property
    def mean_iou(self) -> float:
        """Mean over the sets that the label shows; NaN without any."""
        return sum(self.iou.values()) / len(self.iou) if self.iou else math.nan


def plain(value: object) -> object:
    """Turn figures into what JSON knows: dataclasses into dicts, NaN and infinity into null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
