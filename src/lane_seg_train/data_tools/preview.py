"""Contact sheets: images beside their labels, and what augmentation makes of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path
from lane_seg_train.augment import augment
from lane_seg_train.data_tools.contact_sheet import (
    INNER_GAP,
    MARGIN,
    PANEL_GAP,
    SHEET_WIDTH,
    SWATCH,
    LegendEntry,
    heading,
    notice,
    row_of_panels,
    scaled,
    stacked,
)
from lane_seg_train.data_tools.label_painting import LabelPainter
from lane_seg_train.data_tools.meanings import meaning
from lane_seg_train.datasets import resized
from lane_seg_train.datasets.selection import evenly_spaced
from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.config import AugmentConfig
    from lane_seg_train.data_tools.chosen_sets import ChosenSet
    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['augmented_sheet', 'chosen_pairs', 'preview_sheet', 'write_sheet']

Colour = tuple[int, int, int]

PAIRS_IN_A_ROW = 2
TALLEST = 420  # of a panel, in pixels
WIDEST = 512  # of a panel beside its augmentations, in pixels
JPEG_QUALITY = 90
DOT = ' · '


def chosen_pairs(pairs: Sequence[Pair], count: int, *, seed: int | None = None) -> list[Pair]:
    """Take some pairs: evenly spaced, or with a seed by chance, in order in both cases."""
    if seed is None or count >= len(pairs):
        return evenly_spaced(pairs, count)
    places = np.random.default_rng(seed).choice(len(pairs), count, replace=False)
    return [pairs[place] for place in sorted(places.tolist())]


def preview_sheet(
    chosen: ChosenSet, data: LaneData, pairs: Sequence[Pair], colours: Sequence[Colour]
) -> NDArray[np.uint8]:
    """Draw pairs: the image, and beside it the label over the image.

    A pair that cannot be read is drawn as the reason why.

    Args:
        chosen: the data set.
        data: the same, opened.
        pairs: some of its pairs, at least one.
        colours: (B, G, R) of each class.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    painter = LabelPainter(data.table, colours)
    columns = 2 * PAIRS_IN_A_ROW
    gaps = 2 * PANEL_GAP * (PAIRS_IN_A_ROW - 1) + INNER_GAP * PAIRS_IN_A_ROW
    width = (SHEET_WIDTH - 2 * MARGIN - gaps) // columns
    rows = []
    for start in range(0, len(pairs), PAIRS_IN_A_ROW):
        panels: list[NDArray[np.uint8]] = []
        captions = []
        for pair in pairs[start : start + PAIRS_IN_A_ROW]:
            try:
                image, target = data.read(pair)
            except LaneSegError as error:
                panels += [notice(str(error), (width // 2, 2 * width)), _nothing(width // 2)]
                captions.append(pair.name)
                continue
            size = _panel_size(image, width)
            panels += [scaled(image, size), painter.draw(image, target, size)]
            captions.append(f'{pair.name}{DOT}{_what_is_in(data, image, target)}')
        rows.append(row_of_panels(panels, captions, group=2))
    shown = f'{len(data)} pairs, {len(pairs)} shown: image, and label over it'
    return stacked([heading(chosen.key, shown, _legend(data, painter, colours)), *rows])


def augmented_sheet(
    chosen: ChosenSet,
    data: LaneData,
    pairs: Sequence[Pair],
    colours: Sequence[Colour],
    config: AugmentConfig,
    *,
    count: int,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Draw pairs at the size of the network, each beside augmentations of it.

    Args:
        chosen: the data set.
        data: the same, opened.
        pairs: some of its pairs, at least one.
        colours: (B, G, R) of each class.
        config: of the augmentation.
        count: augmentations of each pair.
        seed: of their chance.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    painter = LabelPainter(data.table, colours)
    width = (SHEET_WIDTH - 2 * MARGIN - 2 * PANEL_GAP * count) // (count + 1)
    rows = []
    for number, pair in enumerate(pairs):
        try:
            original = resized(*data.read(pair), data.size)
        except LaneSegError as error:
            rows.append(row_of_panels([notice(str(error), (90, SHEET_WIDTH // 2))], [pair.name]))
            continue
        examples = [original] + [
            augment(*original, config, np.random.default_rng((seed, number, copy)))
            for copy in range(count)
        ]
        size = _panel_size(original[0], min(width, WIDEST))
        captions = [pair.name, *(f'augmented {copy + 1}' for copy in range(count))]
        rows.append(row_of_panels([scaled(image, size) for image, _ in examples], captions))
        labels = [painter.draw(image, target, size) for image, target in examples]
        rows.append(row_of_panels(labels, ['']))
    shown = (
        f'{len(data)} pairs, {len(pairs)} shown at {data.size[1]}x{data.size[0]} as the network '
        'sees them; below each image its label'
    )
    legend = _legend(data, painter, colours, padded=True)
    return stacked([heading(f'{chosen.key}, augmented', shown, legend), *rows])


def write_sheet(path: Path, sheet: NDArray[np.uint8]) -> None:
    """Write a sheet as JPEG, whole or not at all."""
    encoded = cv2.imencode('.jpg', sheet, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _panel_size(image: NDArray[np.uint8], width: int) -> tuple[int, int]:
    """(height, width) of a panel of at most this width in the image's proportions."""
    scale = min(width / image.shape[1], TALLEST / image.shape[0])
    return max(1, round(scale * image.shape[0])), max(1, round(scale * image.shape[1]))


def _nothing(height: int) -> NDArray[np.uint8]:
    return np.zeros((height, 0, 3), np.uint8)


def _what_is_in(data: LaneData, image: NDArray[np.uint8], target: NDArray[np.uint8]) -> str:
    """Size of an image and what its label holds."""
    counts = np.bincount(target.ravel(), minlength=256)
    shares = [
        f'{meaning(data.table, index)} {100 * counts[index] / target.size:.1f} %'
        for index in np.flatnonzero(counts).tolist()
    ]
    return DOT.join([f'{image.shape[1]}x{image.shape[0]}', *shares])


def _legend(
    data: LaneData, painter: LabelPainter, colours: Sequence[Colour], *, padded: bool = False
) -> list[LegendEntry]:
    table = data.table
    produced = set(table.values.values()) | ({table.other} if table.other is not None else set())
    if padded:
        produced.add(ANY_ID)
    entries = []
    for target in sorted(produced):
        text = meaning(table, target)
        if target < len(colours):
            text = f'{target} {text}' + ('' if any(colours[target]) else ' (not drawn)')
        if target == ANY_ID and padded:
            text += ' and outside of the image'
        entries.append(LegendEntry(painter.swatch(target, SWATCH), text))
    return entries
