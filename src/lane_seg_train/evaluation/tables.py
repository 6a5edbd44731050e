"""The figures of an evaluation as tables for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from lane_seg_train.metrics import TOLERANCES_PX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.evaluation.clip import ClipScore
    from lane_seg_train.evaluation.scores import DataScore

__all__ = ['tables']


def tables(title: str, scores: Sequence[DataScore], clip: ClipScore | None = None) -> list[Table]:
    """Lay out what was measured.

    Args:
        title: the model.
        scores: of each data set; may be none.
        clip: flicker, if it was measured.

    Returns:
        Tables: label sets, data sets, and outlines, lane lines and flicker where measured.
    """
    found = [_label_sets(title, scores), _data_sets(scores)] if scores else []
    if any(score.boundaries for score in scores):
        found.append(_outlines(scores))
    if any(score.lanes for score in scores):
        found.append(_lanes(scores))
    if clip:
        found.append(_clip(title, clip))
    return found


def _label_sets(title: str, scores: Sequence[DataScore]) -> Table:
    table = _table(
        title, ('data', 'classes'), 'IoU', 'Dice', 'precision', 'recall', 'specificity',
        'accuracy', 'images', 'empty', 'false px',
    )  # fmt: skip
    table.caption = (
        'empty: images that show nothing of it; false px: pixels predicted in one of them, on '
        'average'
    )
    for data in scores:
        for one in data.scores:
            ratios = (
                one.iou, one.dice, one.precision, one.recall, one.specificity, one.accuracy
            )  # fmt: skip
            table.add_row(
                escape(one.data), escape(one.classes), *map(_ratio, ratios), str(one.images),
                str(one.empty_images), _number(one.empty_false_positives),
            )  # fmt: skip
        table.add_section()
    return table


def _data_sets(scores: Sequence[DataScore]) -> Table:
    table = _table(
        'data sets', ('data',), 'mIoU', 'class accuracy', 'weighted IoU', 'pixel accuracy',
        'median ms',
    )  # fmt: skip
    for data in scores:
        ratios = (data.miou, data.class_accuracy, data.weighted_iou, data.pixel_accuracy)
        table.add_row(escape(data.data), *map(_ratio, ratios), f'{data.median_ms:.2f}')
    return table


def _outlines(scores: Sequence[DataScore]) -> Table:
    table = _table(
        'outlines', ('data', 'classes'),
        *(f'F1 {tolerance} px' for tolerance in TOLERANCES_PX),
        'Hausdorff px', '95 % px', 'images', 'nothing predicted',
    )  # fmt: skip
    for data in scores:
        for one in data.boundaries:
            table.add_row(
                escape(data.data), escape(one.classes), *map(_ratio, one.f1.values()),
                _number(one.hausdorff_px), _number(one.hausdorff95_px), str(one.images),
                str(one.unpredicted),
            )  # fmt: skip
    return table


def _lanes(scores: Sequence[DataScore]) -> Table:
    table = _table(
        'lane lines', ('data', 'lines from'), 'labelled', 'predicted', 'F1', 'precision',
        'recall', 'row accuracy', 'FP', 'FN',
    )  # fmt: skip
    table.caption = 'F1 as on CULane (IoU 0.5); row accuracy, FP and FN as on TuSimple'
    for data in scores:
        if not data.lanes:
            table.add_row(escape(data.data), 'labels none')
            continue
        lanes = data.lanes
        ratios = (
            lanes.f1, lanes.precision, lanes.recall, lanes.row_accuracy,
            lanes.false_positive_rate, lanes.false_negative_rate,
        )  # fmt: skip
        table.add_row(
            escape(data.data), lanes.source, str(lanes.labelled), str(lanes.predicted),
            *map(_ratio, ratios),
        )  # fmt: skip
    return table


def _clip(title: str, clip: ClipScore) -> Table:
    table = _table(
        f'flicker of {title}', ('clip',), 'frames', 'unreadable', 'flips', 'flips of still pixels',
        'still pixels',
    )  # fmt: skip
    table.caption = 'shares of pixels from one frame to the next; still: the picture is the same'
    shares = (clip.flip_rate, clip.still_flip_rate, clip.still_share)
    table.add_row(escape(clip.clip), str(clip.frames), str(clip.unreadable), *map(_ratio, shares))
    return table


def _table(title: str, names: Sequence[str], *numbers: str) -> Table:
    table = Table(title=escape(title), box=box.SIMPLE_HEAD, collapse_padding=True)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify='right')
    return table


def _ratio(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.4f}'


def _number(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.1f}'
