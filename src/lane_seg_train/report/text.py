"""Text on pictures, in a typeface that is good to read: OpenCV's own letters are not."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.report.theme import quiet_about_letters

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['draw_text', 'text_alpha']

Colour = tuple[int, int, int]


def draw_text(
    image: NDArray[np.uint8],
    text: str,
    place: tuple[int, int],
    *,
    colour: Colour,
    size: int = 14,
    bold: bool = False,
    right: bool = False,
) -> int:
    """Write one line into an image; what does not fit is cut off.

    Args:
        image: (H, W, 3) uint8 BGR; changed.
        text: any characters that DejaVu Sans has.
        place: row of the middle of the line, and column of its left end.
        colour: (B, G, R), 0..255.
        size: height of the letters in pixels.
        bold: heavier letters.
        right: the column is that of the right end.

    Returns:
        Width of the text in pixels.
    """
    alpha = text_alpha(text, size, bold)
    height, width = alpha.shape
    top = place[0] - height // 2
    left = place[1] - (width if right else 0)
    rows = slice(max(0, top), min(image.shape[0], top + height))
    columns = slice(max(0, left), min(image.shape[1], left + width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return width
    part = alpha[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left, None
    ].astype(np.float32)
    under = image[rows, columns]
    blended = under + (np.array(colour, np.float32) - under) * (part / 255)
    image[rows, columns] = np.round(blended).astype(np.uint8)
    return width


@lru_cache(maxsize=512)
def text_alpha(text: str, size: int, bold: bool) -> NDArray[np.uint8]:
    """A line of text as opacity.

    Returns:
        (height of the typeface, width of the text) uint8, 255 is ink; one value, kept, for equal
        arguments: a run writes the same words again and again.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 72  # one point is one pixel
    figure = Figure(dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    line = figure.text(
        0, 0, ' '.join(text.split()) or ' ', fontsize=size,
        fontweight='bold' if bold else 'normal', fontfamily='DejaVu Sans',
        color='black', parse_math=False, va='center',
    )  # fmt: skip
    with quiet_about_letters():
        extent = line.get_window_extent(canvas.get_renderer())
        width, height = int(np.ceil(extent.width)) + 2, round(1.6 * size)
        figure.set_size_inches(width / dpi, height / dpi)
        line.set_position((1 / width, 0.5))
        canvas.draw()
    # White paper: what is missing to 255 is ink.
    return np.ascontiguousarray(255 - np.asarray(canvas.buffer_rgba())[..., 0])
