"""Predictions beside their labels, and where the two differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path
from lane_seg_train.colours import default_colours
from lane_seg_train.label_sets import ANY_ID
from lane_seg_train.report.error_map import (
    CONFUSED,
    ERRORS,
    FOUND,
    IGNORED,
    UNKNOWN,
    background_of,
    error_map,
    wrong_share,
)
from lane_seg_train.report.text import draw_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable
    from lane_seg_train.report.error_map import ErrorKind

__all__ = ['snapshot_sheet', 'write_snapshot']

Colour = tuple[int, int, int]
COLUMNS = ('image', 'label', 'prediction', 'errors')

PAPER: Colour = (27, 22, 18)
INK: Colour = (242, 237, 233)
FAINT: Colour = (174, 162, 152)

MARGIN, GAP = 14, 6
PANEL_MIN, PANEL_MAX = 320, 480  # width in pixels
CAPTION, LINE = 34, 30  # height in pixels
OPACITY, WEAK_SHARE = 0.62, 0.4
ERROR_OPACITY = np.array([0.5, 0, 0.45, 0.95, 0.95, 0.95], np.float32)
ERROR_PALETTE = np.array([kind.colour for kind in ERRORS], np.uint8)
STRIPE = 10  # pixels on the sheet


def snapshot_sheet(
    images: Sequence[NDArray[np.uint8]],
    targets: Sequence[NDArray[np.uint8]],
    masks: Sequence[NDArray[np.uint8]],
    table: LabelTable,
    names: Sequence[str],
    *,
    colours: Sequence[Colour] | None = None,
) -> NDArray[np.uint8]:
    """Draw a row for each image: image, label, prediction, errors; below them a legend.

    A label that leaves a choice of classes is drawn in stripes of their colours, one that says
    nothing is hatched. Black classes are not drawn: the image shows.

    Args:
        images: (H, W, 3) uint8 BGR each.
        targets: (H, W) uint8 target ids each.
        masks: (H, W) uint8 predicted class ids each.
        table: of the data set that all of them come from.
        names: one for each image.
        colours: (B, G, R) of each class; None takes those of `lane_seg_train.colours`.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        LaneSegError: nothing to draw, or parts of different number or size.
    """
    _check(images, targets, masks, names)
    painter = _Painter(table, colours or default_colours(len(table.classes)))
    rows = [
        painter.row(image, target, mask)
        for image, target, mask in zip(images, targets, masks, strict=True)
    ]
    width = max(row[0].shape[1] for row in rows)
    sheet_width = 2 * MARGIN + 4 * width + 3 * GAP
    parts = [_strip(sheet_width, 36)]
    lefts = [MARGIN + index * (width + GAP) for index in range(4)]
    for left, title in zip(lefts, COLUMNS, strict=True):
        draw_text(parts[0], title, (21, left), colour=INK, size=18, bold=True)
    for panels, target, mask, name in zip(rows, targets, masks, names, strict=True):
        caption = _strip(sheet_width, CAPTION)
        draw_text(caption, name, (CAPTION - 13, MARGIN), colour=FAINT, size=15)
        right = lefts[3] + panels[3].shape[1]
        share = wrong_share(target, mask, table)
        wrong = (
            'nothing labelled'
            if share is None
            else f'{100 * share:.1f} % of labelled pixels wrong'
        )
        draw_text(caption, wrong, (CAPTION - 13, right), colour=FAINT, size=15, right=True)
        strip = _strip(sheet_width, panels[0].shape[0])
        for left, panel in zip(lefts, panels, strict=True):
            strip[:, left : left + panel.shape[1]] = panel
        parts += [caption, strip]
    parts += painter.legend(sheet_width)
    return np.concatenate(parts)


def write_snapshot(path: str | Path, sheet: NDArray[np.uint8]) -> Path:
    """Write a sheet as a JPEG file, whole or not at all.

    Returns:
        The path.
    """
    encoded = cv2.imencode('.jpg', sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
    return Path(path)


class _Painter:
    """Draws labels and masks of one data set."""

    def __init__(self, table: LabelTable, colours: Sequence[Colour]) -> None:
        self.table = table
        self.palette = np.zeros((256, 3), np.uint8)
        self.palette[: len(colours)] = colours
        self.palette[ANY_ID] = UNKNOWN
        # By target id, which classes it stands for; of one class alone there is nothing to do.
        self.members = {
            target: np.flatnonzero(row).astype(np.uint8)
            for target, row in enumerate(table.sets)
            if row.sum() > 1 and target != ANY_ID
        }

    def row(
        self, image: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.uint8]
    ) -> list[NDArray[np.uint8]]:
        """The four panels of an image."""
        times = -(-PANEL_MIN // image.shape[1])
        if times > 1:
            image, target, mask = (_enlarged(array, times) for array in (image, target, mask))
        shrink = max(1.0, image.shape[1] / PANEL_MAX)
        stripe = max(2, round(STRIPE * shrink))
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
        shown = np.repeat(grey[..., None] * np.float32(0.75) + np.float32(12), 3, axis=2)
        dark = shown * np.float32(0.6)
        kinds = error_map(target, mask, self.table)
        panels = [
            image,
            self._label(shown, target, stripe, OPACITY),
            self._label(shown, mask, stripe, OPACITY),
            _hatched(dark, kinds, ERROR_PALETTE, ERROR_OPACITY[kinds], IGNORED, stripe),
        ]
        if shrink == 1:
            return panels
        size = (PANEL_MAX, round(image.shape[0] / shrink))
        return [
            np.asarray(cv2.resize(panel, size, interpolation=cv2.INTER_AREA), np.uint8)
            for panel in panels
        ]

    def legend(self, width: int) -> list[NDArray[np.uint8]]:
        """Lines that say what the colours mean."""
        labels = [
            (self._swatch(target), self.table.name_of(target).replace('+', ' or '))
            for target in (*range(len(self.table.classes)), *self.members)
        ]
        labels.append((self._swatch(ANY_ID), ERRORS[IGNORED].name))
        kinds: tuple[ErrorKind, ...] = ERRORS[FOUND:]
        if background_of(self.table) is None:
            kinds = (ERRORS[FOUND], ERRORS[CONFUSED])
        elif len(self.table.classes) == 2:
            kinds = ERRORS[FOUND:CONFUSED]
        errors = [(_plain_swatch(kind.colour), kind.name) for kind in kinds]
        lines = [_strip(width, 8)]
        for title, entries in (('classes', labels), ('errors', errors)):
            lines += _legend_lines(title, entries, width)
        return [*lines, _strip(width, 8)]

    def _swatch(self, target: int) -> NDArray[np.uint8]:
        paper = np.full((16, 28, 3), 70, np.float32)
        return self._label(paper, np.full((16, 28), target, np.uint8), 6, 0.9)

    def _label(
        self, shown: NDArray[np.float32], target: NDArray[np.uint8], stripe: int, opacity: float
    ) -> NDArray[np.uint8]:
        """Paint target ids; composite ones are dealt out to slanting stripes."""
        ids = target
        strength = np.full(256, opacity, np.float32)
        present = [number for number in self.members if (target == number).any()]
        if present:
            ids = target.copy()
            numbers = _slanting(target.shape, stripe)
            for number in present:
                here = target == number
                members = self.members[number]
                ids[here] = members[numbers[here] % len(members)]
                # Weak: a label that does not even say whether there is something.
                if not np.all(self.palette[members].any(axis=1)):
                    strength[number] = opacity * WEAK_SHARE
        is_drawn = np.asarray(self.palette.any(axis=1))[ids]
        weight = np.where(is_drawn, strength[target], np.float32(0))
        return _hatched(shown, ids, self.palette, weight, ANY_ID, stripe)


def _hatched(
    shown: NDArray[np.float32],
    ids: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    weight: NDArray[np.float32],
    unknown: int,
    stripe: int,
) -> NDArray[np.uint8]:
    """Blend colours over a picture; what is not known is hatched, against the other stripes."""
    blank = ids == unknown
    if blank.any():
        gaps = _slanting(ids.shape, stripe, rising=True) % 2 == 0
        weight = np.where(blank & gaps, np.float32(0.4) * weight, weight)
    share = weight[..., None]
    return np.round(shown * (1 - share) + palette[ids] * share).astype(np.uint8)


def _slanting(shape: tuple[int, ...], width: int, *, rising: bool = False) -> NDArray[np.int64]:
    """Number of the slanting stripe that each pixel lies in."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows + columns if rising else rows - columns) // width


def _enlarged(array: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    size = (array.shape[1] * times, array.shape[0] * times)
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _strip(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), PAPER, np.uint8)


def _plain_swatch(colour: Colour) -> NDArray[np.uint8]:
    return np.full((16, 28, 3), colour, np.uint8)


def _legend_lines(
    title: str, entries: list[tuple[NDArray[np.uint8], str]], width: int
) -> list[NDArray[np.uint8]]:
    """Swatches with names, as many to a line as fit."""
    first = MARGIN + 84
    lines, column = [_strip(width, LINE)], first
    draw_text(lines[0], title, (LINE // 2, MARGIN), colour=FAINT, size=15, bold=True)
    for swatch, name in entries:
        trial = _strip(width, LINE)
        needed = 37 + draw_text(trial, name, (LINE // 2, 0), colour=INK, size=15) + 26
        if column > first and column + needed > width:
            lines.append(_strip(width, LINE))
            column = first
        lines[-1][7:23, column : column + 28] = swatch[:, : max(0, width - column)]
        draw_text(lines[-1], name, (LINE // 2, column + 37), colour=INK, size=15)
        column += needed
    return lines


def _check(
    images: Sequence[NDArray[np.uint8]],
    targets: Sequence[NDArray[np.uint8]],
    masks: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
) -> None:
    counts = [len(images), len(targets), len(masks), len(names)]
    if not images or len(set(counts)) > 1:
        raise LaneSegError(
            'expected as many images as targets, masks and names, at least one, '
            f'found {counts[0]}, {counts[1]}, {counts[2]} and {counts[3]}'
        )
    for image, target, mask, name in zip(images, targets, masks, names, strict=True):
        if not image.shape[:2] == target.shape == mask.shape:
            raise LaneSegError(
                f'{name}: expected image, target and mask of one size, found '
                f'{image.shape[:2]}, {target.shape} and {mask.shape}'
            )
