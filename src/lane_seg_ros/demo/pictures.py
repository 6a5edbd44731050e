"""What the demo draws and scores: the overlay video, one triptych, IoU against the true label.

Pure functions and small classes on arrays; nothing here knows of ROS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.bundle import ClassInfo
from lane_seg.video_writer import VideoWriter

__all__ = [
    'ClassIou',
    'LabelScore',
    'OverlayVideo',
    'Portrait',
    'draw_triptych',
    'video_size',
]

# Half of a 1280x720 picture's pixels or so: encoding must not take the cores from the node.
_VIDEO_WIDTH = 960
_PANEL_WIDTH = 640
_GAP = 6
_CAPTION_HEIGHT = 30
_PAPER_BGR = (250, 250, 250)
_INK_BGR = (70, 60, 55)
# What the scene's label says by number, a model says by name.
_LABEL_NAMES = {'background': 0, 'road': 1, 'lane_marking': 2}
_UNSEEN = 3


@dataclass(frozen=True)
class ClassIou:
    """Intersection over union of one class, 0..1; NaN where it is in neither."""

    name: str
    iou: float


class LabelScore:
    """Adds up how masks and true labels agree, over any number of pictures.

    Args:
        classes: of the model; those that are called neither road nor lane_marking count as
            background.
        unlabeled_id: mask value of pixels that the model did not see; they are left out.
    """

    def __init__(self, classes: Sequence[ClassInfo], *, unlabeled_id: int) -> None:
        # Each pixel becomes 4 * label + mask, so that one histogram is the whole table.
        self._mask_part = np.zeros(256, np.uint8)
        for info in classes:
            self._mask_part[info.id] = _LABEL_NAMES.get(info.name, 0)
        self._mask_part[unlabeled_id] = _UNSEEN
        self._label_part = np.full(256, 4 * _UNSEEN, np.uint8)
        self._label_part[:3] = (0, 4, 8)
        self._table = np.zeros((4, 4), np.int64)
        self.pictures = 0

    def add(self, mask: NDArray[np.uint8], label: NDArray[np.uint8]) -> None:
        """Add a picture: mask and label, both (H, W) uint8 of the same size."""
        joint = cv2.add(cv2.LUT(mask, self._mask_part), cv2.LUT(label, self._label_part))
        histogram = cv2.calcHist([joint], [0], None, [16], [0, 16])
        self._table += histogram.astype(np.int64).reshape(4, 4)
        self.pictures += 1

    def ious(self) -> tuple[ClassIou, ...]:
        """Of road and of lane marking."""
        seen = self._table[:_UNSEEN, :_UNSEEN]
        result = []
        for name in ('road', 'lane_marking'):
            number = _LABEL_NAMES[name]
            both = int(seen[number, number])
            either = int(seen[number].sum() + seen[:, number].sum()) - both
            result.append(ClassIou(name, both / either if either else float('nan')))
        return tuple(result)


def video_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the video of pictures of a size: both even, as codecs want them."""
    scale = min(1.0, _VIDEO_WIDTH / width)
    return max(2, round(height * scale) // 2 * 2), max(2, round(width * scale) // 2 * 2)


class OverlayVideo:
    """Puts pictures into a video where their stamps belong.

    A picture that is missing is filled with the one before it, so that the film runs as fast as
    the camera did.

    Args:
        writer: an open video.
        rate_hz: its frames per second.
        size_hw: (height, width) of its frames in pixels.
    """

    def __init__(self, writer: VideoWriter, *, rate_hz: float, size_hw: tuple[int, int]) -> None:
        self._writer = writer
        self._rate_hz = rate_hz
        self._size_wh = (size_hw[1], size_hw[0])
        self._first_ns: int | None = None
        self._last: NDArray[np.uint8] | None = None

    def add(self, picture: NDArray[np.uint8], *, stamp_ns: int) -> None:
        """Add a picture, (H, W, 3) uint8 BGR of any size, of a later stamp than the one before."""
        if self._first_ns is None:
            self._first_ns = stamp_ns
        place = round((stamp_ns - self._first_ns) * 1e-9 * self._rate_hz)
        while self._last is not None and self._writer.frames < place:
            self._writer.add(self._last)
        # At 1.3 times smaller, area averaging takes five times as long and looks the same.
        scaled = cv2.resize(picture, self._size_wh, interpolation=cv2.INTER_LINEAR)
        self._last = np.asarray(scaled, dtype=np.uint8)
        if self._writer.frames <= place:
            self._writer.add(self._last)


@dataclass(frozen=True)
class Portrait:
    """One frame in full.

    Attributes:
        camera: (H, W, 3) uint8 BGR.
        overlay: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8 class ids.
        pixels: how much there is to see in it.
    """

    camera: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    pixels: int


def draw_triptych(
    portrait: Portrait, classes: Sequence[ClassInfo], *, caption: str
) -> NDArray[np.uint8]:
    """Camera, overlay and coloured mask side by side, with a line of text below.

    Args:
        portrait: the frame.
        classes: of the mask, with their colours.
        caption: one line of ASCII.

    Returns:
        uint8 BGR; each panel is 640 pixels wide.
    """
    palette = np.zeros((256, 3), np.uint8)
    for info in classes:
        palette[info.id] = info.colour_bgr
    rows, columns = portrait.mask.shape
    height = max(1, round(rows * _PANEL_WIDTH / columns))
    panels = (portrait.camera, portrait.overlay, palette[portrait.mask])
    canvas = np.full(
        (height + 2 * _GAP + _CAPTION_HEIGHT, 3 * _PANEL_WIDTH + 4 * _GAP, 3), _PAPER_BGR, np.uint8
    )
    for number, picture in enumerate(panels):
        left = _GAP + number * (_PANEL_WIDTH + _GAP)
        canvas[_GAP : _GAP + height, left : left + _PANEL_WIDTH] = cv2.resize(
            picture, (_PANEL_WIDTH, height), interpolation=cv2.INTER_AREA
        )
    baseline = height + 2 * _GAP + 16
    _write(canvas, caption, left=_GAP + 2, baseline=baseline)
    right = canvas.shape[1] - _GAP
    for info in reversed([info for info in classes if any(info.colour_bgr)]):
        name = info.name.replace('_', ' ')
        right -= _text_width(name)
        _write(canvas, name, left=right, baseline=baseline)
        right -= 20
        cv2.rectangle(
            canvas, (right, baseline - 11), (right + 12, baseline + 1), info.colour_bgr, -1
        )
        right -= 22
    return canvas


_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.48


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0])


def _write(canvas: NDArray[np.uint8], text: str, *, left: int, baseline: int) -> None:
    place = (left, baseline)
    cv2.putText(canvas, text, place, _FONT, _FONT_SCALE, _INK_BGR, 1, cv2.LINE_AA)
