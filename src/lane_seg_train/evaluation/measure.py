"""Runs a pipeline over a data set and gathers every figure that was asked for."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from lane_seg.timing import summarize
from lane_seg_train.evaluation.lanes import LaneLines
from lane_seg_train.evaluation.outlines import Outlines
from lane_seg_train.evaluation.scores import DataScore, ImageScore, Score
from lane_seg_train.metrics import Outcomes, SetConfusion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lane_seg.pipeline import LanePipeline
    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['ImageListener', 'Measures', 'measure']


class ImageListener(Protocol):
    """Something that wants to know about each image."""

    def add(
        self,
        score: ImageScore,
        image: NDArray[np.uint8],
        target: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> None:
        """Take one image.

        Args:
            score: of this image.
            image: (H, W, 3) uint8 BGR.
            target: (H, W) uint8 target ids.
            mask: (H, W) uint8 predicted class ids, a buffer that the next image overwrites.
        """


@dataclass(frozen=True)
class Measures:
    """What to measure beside the counts of pixels.

    Attributes:
        boundary: compare outlines.
        lane_class: compare lane lines painted in this class, where a data set labels it; '' does
            not.
    """

    boundary: bool = False
    lane_class: str = ''


def measure(
    pipeline: LanePipeline,
    data: LaneData,
    measures: Measures | None = None,
    listeners: Sequence[ImageListener] = (),
) -> DataScore:
    """Score a pipeline on a data set, at the images' own size.

    Args:
        pipeline: model and engine.
        data: labelled images.
        measures: what else to measure.
        listeners: told about each image.

    Raises:
        LaneSegError: an image or label cannot be used.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    measures = measures or Measures()
    table = data.table
    confusion = SetConfusion(table)
    outlines = Outlines(table) if measures.boundary else None
    has_lanes = LaneLines.are_labelled(data, measures.lane_class)
    lanes = LaneLines(data, measures.lane_class) if has_lanes else None
    empty = _EmptyImages()
    times_ms = []
    # What the first frame does for the first time does not count as its time.
    bundle = pipeline.bundle
    pipeline.process(np.zeros((bundle.height, bundle.width, 3), np.uint8))
    examples = zip(data.pairs, data.originals(), strict=True)
    for pair, (image, target) in track(
        examples, escape(f'evaluating {data.name}'), len(data), console=Console(stderr=True)
    ):
        result = pipeline.process(image)
        mask = result.mask
        times_ms.append(result.preprocess_ms + result.inference_ms + result.postprocess_ms)
        outcomes = confusion.add_image(torch.from_numpy(target), torch.from_numpy(mask))
        empty.add(outcomes)
        if outlines:
            outlines.add(target, mask)
        if lanes:
            lanes.add(pair, target, mask)
        score = _image_score(data, pair, outcomes, times_ms[-1])
        for listener in listeners:
            listener.add(score, image, target, mask)
    return DataScore(
        data=data.name,
        images=len(data),
        miou=confusion.miou(),
        class_accuracy=confusion.mean_recall(),
        weighted_iou=confusion.weighted_iou(),
        pixel_accuracy=confusion.accuracy(),
        median_ms=summarize(times_ms).median_ms,
        scores=tuple(
            _score(data, name, outcomes, empty)
            for name, outcomes in confusion.outcomes().items()
            if not outcomes.is_absent
        ),
        boundaries=outlines.means() if outlines else (),
        lanes=lanes.figures() if lanes else None,
    )


class _EmptyImages:
    """Images that show nothing of a label set: their IoU would be 0 or 1 by a single pixel."""

    def __init__(self) -> None:
        self.images: Counter[str] = Counter()
        self.false_positives: Counter[str] = Counter()

    def add(self, outcomes: Mapping[str, Outcomes]) -> None:
        """Note one image; one whose label says nothing at all does not count."""
        for name, one in outcomes.items():
            if not one.labelled and one.false_positives + one.true_negatives:
                self.images[name] += 1
                self.false_positives[name] += one.false_positives


def _score(data: LaneData, name: str, outcomes: Outcomes, empty: _EmptyImages) -> Score:
    images = empty.images[name]
    return Score(
        data=data.name,
        classes=name,
        iou=outcomes.iou,
        images=len(data),
        dice=outcomes.dice,
        precision=outcomes.precision,
        recall=outcomes.recall,
        specificity=outcomes.specificity,
        accuracy=outcomes.accuracy,
        empty_images=images,
        empty_false_positives=empty.false_positives[name] / images if images else math.nan,
    )


def _image_score(
    data: LaneData, pair: Pair, outcomes: Mapping[str, Outcomes], ms: float
) -> ImageScore:
    return ImageScore(
        data=data.name,
        name=pair.name,
        iou={name: one.iou for name, one in outcomes.items() if one.labelled},
        false_positives={name: one.false_positives for name, one in outcomes.items()},
        ms=ms,
    )
