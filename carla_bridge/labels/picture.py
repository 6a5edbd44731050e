"""Draws labels over their image, for people."""

from __future__ import annotations

import colorsys
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.frame_labels import (
    AREAS,
    EGO_LANE,
    OTHER_DIRECTION,
    OUR_DIRECTION,
    UNLABELED,
    FrameLabels,
    SeenBorder,
)
from lane_seg.errors import LaneSegError

__all__ = ['draw_labels']

_AREA_BGR: Final = {
    EGO_LANE: (90, 170, 60),
    OUR_DIRECTION: (190, 130, 50),
    OTHER_DIRECTION: (60, 90, 200),
}
_AREA_OPACITY = 0.35
_UNLABELED_BGR = (255, 0, 255)
_HATCH_PX = 6
_GOLDEN_RATIO = 0.6180339887
_ROW_PX = 20
_SWATCH_PX = 28
_TEXT_SIZE = 0.45
_MOST_ROWS = 14


def draw_labels(
    image: NDArray[np.uint8], labels: FrameLabels, *, legend: bool = True
) -> NDArray[np.uint8]:
    """Draw the lines in a colour each, areas as a tint, and what is unlabeled hatched.

    A line keeps its colour along changes of its mark and from frame to frame.

    Args:
        image: (H, W, 3) uint8 BGR; not changed.
        labels: of the same size.
        legend: whether to add rows below that name the lines, those with most pixels first.

    Returns:
        (H + legend, W, 3) uint8 BGR.

    Raises:
        LaneSegError: image and labels are of different sizes.
    """
    if image.shape != (*labels.label.shape, 3):
        raise LaneSegError(
            f'expected an image of shape {(*labels.label.shape, 3)} for these labels, found '
            f'{image.shape}; take the image of the same frame'
        )
    picture = image.copy()
    if labels.area is not None:
        for area, colour in _AREA_BGR.items():
            tinted = labels.area == area
            picture[tinted] = _mixed(picture[tinted], colour)
    colours = np.zeros((256, 3), np.uint8)
    for number, border in enumerate(labels.borders, 1):
        colours[number] = _line_bgr(border.instance)
    lines = labels.lanes > 0
    picture[lines] = colours[labels.lanes[lines]]
    rows, columns = np.nonzero(labels.label == UNLABELED)
    striped = (rows + columns) % _HATCH_PX < _HATCH_PX // 2
    picture[rows[striped], columns[striped]] = _UNLABELED_BGR
    if not legend:
        return picture
    entries = [(f'line {b.instance}: {_described(b)}', _line_bgr(b.instance)) for b in
               labels.borders[:_MOST_ROWS]]  # fmt: skip
    if labels.area is not None:
        entries += [(AREAS[area].replace('_', ' '), bgr) for area, bgr in _AREA_BGR.items()]
    entries.append(('unlabeled', _UNLABELED_BGR))
    return np.vstack([picture, _legend(entries, image.shape[1])])


def _mixed(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    mixed = pixels * (1 - _AREA_OPACITY) + np.array(colour) * _AREA_OPACITY
    return mixed.astype(np.uint8)


def _line_bgr(instance: int) -> tuple[int, int, int]:
    """Return the colour of a line: neighbours in number are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb((instance * _GOLDEN_RATIO) % 1.0, 0.9, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _described(border: SeenBorder) -> str:
    side = '' if border.side == 'other' else f', {border.side} of us'
    return f'{border.colour} {border.kind}, road {border.road} lane {border.lane}{side}'


def _legend(entries: list[tuple[str, tuple[int, int, int]]], width: int) -> NDArray[np.uint8]:
    """Return two columns of swatches and words, (rows, width, 3) uint8."""
    rows = -(-len(entries) // 2)
    strip = np.full((rows * _ROW_PX, width, 3), 30, np.uint8)
    for index, (text, colour) in enumerate(entries):
        x, y = (index // rows) * (width // 2), (index % rows) * _ROW_PX
        cv2.rectangle(strip, (x + 4, y + 4), (x + _SWATCH_PX, y + _ROW_PX - 4), colour, -1)
        cv2.putText(
            strip,
            text,
            (x + _SWATCH_PX + 6, y + _ROW_PX - 6),
            cv2.FONT_HERSHEY_SIMPLEX,
            _TEXT_SIZE,
            (235, 235, 235),
            1,
            cv2.LINE_AA,
        )
    return strip
