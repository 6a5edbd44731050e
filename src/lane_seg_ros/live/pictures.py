"""Pictures of single frames: panels side by side, with captions and a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.bundle import ClassInfo
from lane_seg.overlay import draw_mask
from lane_seg_ros.live.album import Album, Snapshot
from lane_seg_ros.live.score import LABEL_IDS, UNLABELED, ious_of

__all__ = ['ERRORS', 'comparisons_of', 'draw_comparison', 'draw_strip', 'draw_triptych']

_Colour = tuple[int, int, int]

# Told apart with any kind of colour vision (M. Okabe and K. Ito, 2008); B, G, R.
ERRORS: dict[str, _Colour] = {
    'found': (115, 158, 0),
    'invented': (0, 159, 230),
    'missed': (233, 180, 86),
    'other class': (167, 121, 204),
    'not labelled': (110, 110, 110),
}
_PANEL_WIDTH = 640
_GAP = 6
_CAPTION_HEIGHT = 30
_PAPER_BGR = (250, 250, 250)
_INK_BGR = (70, 60, 55)
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.48
_DIMMED = 0.45


def draw_triptych(
    snapshot: Snapshot, classes: Sequence[ClassInfo], *, caption: str
) -> NDArray[np.uint8]:
    """Camera, overlay and coloured mask side by side, with a line of text below.

    Args:
        snapshot: the frame.
        classes: of the mask, with their colours.
        caption: one line of ASCII.

    Returns:
        uint8 BGR; each panel is 640 pixels wide.
    """
    overlay = draw_mask(_fitting(snapshot), snapshot.mask, classes)
    panels = (snapshot.camera, overlay, _palette(classes)[snapshot.mask])
    return draw_strip(panels, caption=caption, legend=_legend(classes))


def draw_comparison(
    snapshot: Snapshot, classes: Sequence[ClassInfo], *, caption: str
) -> NDArray[np.uint8]:
    """Camera, mask, label and errors side by side, with a line of text below.

    Args:
        snapshot: a frame with a label.
        classes: of the mask, with their colours.
        caption: one line of ASCII.

    Returns:
        uint8 BGR; each panel is 640 pixels wide.
    """
    assert snapshot.label is not None, 'only a frame with a label can be compared'
    palette = _palette(classes)
    label_palette = np.zeros((256, 3), np.uint8)
    label_palette[UNLABELED] = ERRORS['not labelled']
    for info in classes:
        if info.name in LABEL_IDS:
            label_palette[LABEL_IDS[info.name]] = info.colour_bgr
    panels = (
        *(snapshot.camera, palette[snapshot.mask], label_palette[snapshot.label]),
        _errors(snapshot, classes),
    )
    legend = {**_legend(classes), **ERRORS}
    return draw_strip(panels, caption=caption, legend=legend)


def comparisons_of(album: Album, classes: Sequence[ClassInfo]) -> dict[str, NDArray[np.uint8]]:
    """Draw the best, the median and the worst frame of an album: {heading: picture}.

    Args:
        album: with labels; without any there is nothing to compare.
        classes: of the mask, with their colours.
    """
    found = {}
    for name, snapshot in album.picks().items():
        assert snapshot.table is not None
        ious = ', '.join(
            f'{key.replace("_", " ")} {iou:.3f}' if math.isfinite(iou) else f'no {key}'
            for key, iou in ious_of(snapshot.table).items()
        )
        scene = f'    {snapshot.caption}' if snapshot.caption else ''
        caption = f'camera, mask, label, errors    IoU {ious}{scene}'
        picture = draw_comparison(snapshot, classes, caption=caption)
        found[f'{name} of {album.size} frames, by mean IoU'] = picture
    return found


def draw_strip(
    panels: Sequence[NDArray[np.uint8]], *, caption: str, legend: dict[str, _Colour]
) -> NDArray[np.uint8]:
    """Pictures side by side, each 640 pixels wide.

    Args:
        panels: (H, W, 3) uint8 BGR each; the first one gives the height.
        caption: one line of ASCII.
        legend: {text: (B, G, R)}, at the right below.
    """
    rows, columns = panels[0].shape[:2]
    height = max(1, round(rows * _PANEL_WIDTH / columns))
    canvas = np.full(
        (height + 2 * _GAP + _CAPTION_HEIGHT, len(panels) * (_PANEL_WIDTH + _GAP) + _GAP, 3),
        _PAPER_BGR,
        np.uint8,
    )
    for number, picture in enumerate(panels):
        left = _GAP + number * (_PANEL_WIDTH + _GAP)
        canvas[_GAP : _GAP + height, left : left + _PANEL_WIDTH] = cv2.resize(
            picture, (_PANEL_WIDTH, height), interpolation=cv2.INTER_AREA
        )
    baseline = height + 2 * _GAP + 16
    _write(canvas, caption, left=_GAP + 2, baseline=baseline)
    right = canvas.shape[1] - _GAP
    for name, colour in reversed(legend.items()):
        right -= _text_width(name)
        _write(canvas, name, left=right, baseline=baseline)
        right -= 20
        cv2.rectangle(canvas, (right, baseline - 11), (right + 12, baseline + 1), colour, -1)
        right -= 22
    return canvas


def _errors(snapshot: Snapshot, classes: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    """The camera picture, dimmed, with what is right and wrong in colours."""
    assert snapshot.label is not None
    as_label = np.zeros(256, np.uint8)
    for info in classes:
        as_label[info.id] = LABEL_IDS.get(info.name, 0)
    mask, label = as_label[snapshot.mask], snapshot.label
    nothing = LABEL_IDS['background']
    picture = (_fitting(snapshot) * _DIMMED).astype(np.uint8)
    picture[(mask == label) & (label != nothing)] = ERRORS['found']
    picture[(mask != nothing) & (label == nothing)] = ERRORS['invented']
    picture[(mask == nothing) & (label != nothing)] = ERRORS['missed']
    picture[(mask != nothing) & (label != nothing) & (mask != label)] = ERRORS['other class']
    picture[label == UNLABELED] = ERRORS['not labelled']
    return picture


def _fitting(snapshot: Snapshot) -> NDArray[np.uint8]:
    """The camera picture in the size of the mask."""
    height, width = snapshot.mask.shape
    if snapshot.camera.shape[:2] == (height, width):
        return snapshot.camera
    scaled = cv2.resize(snapshot.camera, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _palette(classes: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    palette = np.zeros((256, 3), np.uint8)
    for info in classes:
        palette[info.id] = info.colour_bgr
    return palette


def _legend(classes: Sequence[ClassInfo]) -> dict[str, _Colour]:
    return {
        info.name.replace('_', ' '): info.colour_bgr for info in classes if any(info.colour_bgr)
    }


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0])


def _write(canvas: NDArray[np.uint8], text: str, *, left: int, baseline: int) -> None:
    place = (left, baseline)
    cv2.putText(canvas, text, place, _FONT, _FONT_SCALE, _INK_BGR, 1, cv2.LINE_AA)
