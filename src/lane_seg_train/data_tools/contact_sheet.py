"""A sheet of panels with captions, a heading and a legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.report.theme import DARK
from lane_seg_train.report.text import draw_text, text_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    'INNER_GAP', 'MARGIN', 'PANEL_GAP', 'SHEET_WIDTH', 'SWATCH', 'LegendEntry', 'heading',
    'notice', 'row_of_panels', 'scaled', 'stacked',
]  # fmt: skip

SHEET_WIDTH = 1640  # pixels
MARGIN, PANEL_GAP = 20, 8
INNER_GAP = 2  # between panels that belong together
TITLE_SIZE, TEXT_SIZE, CAPTION_SIZE = 24, 14, 13
CAPTION_HEIGHT = 26
SWATCH = (16, 30)  # (height, width)


@dataclass(frozen=True)
class LegendEntry:
    """One colour and its meaning.

    Attributes:
        swatch: (16, 30, 3) uint8 BGR.
        text: what it means.
    """

    swatch: NDArray[np.uint8]
    text: str


def heading(title: str, subtitle: str, legend: Sequence[LegendEntry]) -> NDArray[np.uint8]:
    """Title, a line about what is shown, and as many lines of legend as are needed.

    Returns:
        (H, SHEET_WIDTH, 3) uint8 BGR.
    """
    top = _strip(84)
    draw_text(top, title, (28, MARGIN), colour=INK, size=TITLE_SIZE, bold=True)
    draw_text(top, subtitle, (62, MARGIN), colour=FAINT, size=TEXT_SIZE)
    lines, left = [_strip(30)], MARGIN
    for entry in legend:
        width = SWATCH[1] + 8 + text_alpha(entry.text, TEXT_SIZE, False).shape[1] + 26
        if left > MARGIN and left + width > SHEET_WIDTH - MARGIN:
            lines.append(_strip(30))
            left = MARGIN
        line = lines[-1]
        line[7 : 7 + SWATCH[0], left : left + SWATCH[1]] = entry.swatch
        draw_text(line, entry.text, (15, left + SWATCH[1] + 8), colour=INK, size=TEXT_SIZE)
        left += width
    return np.concatenate([top, *lines, _strip(10)])


def row_of_panels(
    panels: Sequence[NDArray[np.uint8]], captions: Sequence[str], *, group: int = 1
) -> NDArray[np.uint8]:
    """Panels beside each other, with captions above.

    Args:
        panels: (H, W, 3) uint8 BGR each.
        captions: one for each group of panels.
        group: how many neighbouring panels share a caption.

    Returns:
        (H, SHEET_WIDTH, 3) uint8 BGR.
    """
    height = max(panel.shape[0] for panel in panels)
    has_captions = any(captions)
    row = _strip((CAPTION_HEIGHT if has_captions else 0) + height + PANEL_GAP)
    left = MARGIN
    for number, panel in enumerate(panels):
        if has_captions and number % group == 0:
            end = left + sum(item.shape[1] + PANEL_GAP for item in panels[number : number + group])
            room = row[:CAPTION_HEIGHT, left : end - PANEL_GAP]
            text = shortened(captions[number // group], room.shape[1], CAPTION_SIZE)
            draw_text(room, text, (CAPTION_HEIGHT // 2, 0), colour=INK, size=CAPTION_SIZE)
        top = row.shape[0] - PANEL_GAP - height
        row[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        # More room between groups than within them.
        left += panel.shape[1] + (2 * PANEL_GAP if (number + 1) % group == 0 else INNER_GAP)
    return row


def notice(text: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A panel with words instead of a picture, (height, width, 3) uint8 BGR."""
    panel = np.full((*size, 3), _bgr('#3a2226'), np.uint8)
    line, row = '', 18
    for word in [*text.split(), '']:
        longer = f'{line} {word}'.strip()
        is_full = text_alpha(longer, CAPTION_SIZE, False).shape[1] > size[1] - 16
        if line and (is_full or not word):
            draw_text(panel, line, (row, 8), colour=INK, size=CAPTION_SIZE)
            line, row = word, row + 18
        else:
            line = longer
    return panel


def shortened(text: str, width: int, size: int) -> str:
    """The text, with dots in its middle if it is wider than `width` pixels."""
    if text_alpha(text, size, False).shape[1] <= width:
        return text
    kept = len(text)
    while kept > 4:
        kept -= 2
        half = kept // 2
        shorter = f'{text[:half]}…{text[len(text) - half :]}'
        if text_alpha(shorter, size, False).shape[1] <= width:
            return shorter
    return ''


def stacked(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Rows below each other with a margin at the end, (H, SHEET_WIDTH, 3) uint8 BGR."""
    return np.concatenate([*rows, _strip(MARGIN - PANEL_GAP)])


def scaled(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image at the size of a panel, (height, width, 3) uint8 BGR."""
    shrinks = size[1] < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=method), np.uint8)


def _strip(height: int) -> NDArray[np.uint8]:
    return np.full((height, SHEET_WIDTH, 3), PAPER, np.uint8)


def _bgr(text: str) -> tuple[int, int, int]:
    """(B, G, R) of '#rrggbb'."""
    return int(text[5:7], 16), int(text[3:5], 16), int(text[1:3], 16)


PAPER, INK, FAINT = _bgr(DARK.paper), _bgr(DARK.ink), _bgr(DARK.faint)
