"""The overlay video: pictures where their stamps belong."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.video_writer import VideoWriter

__all__ = ['OverlayVideo', 'video_size']

# Half of a 1280x720 picture's pixels or so: encoding must not take the cores from the node.
_VIDEO_WIDTH = 960
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.5
_INK_BGR, _SHADOW_BGR = (255, 255, 255), (40, 40, 40)


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
        self._first_frame = 0
        self._last: NDArray[np.uint8] | None = None
        self._caption = ''

    def cut(self, caption: str) -> None:
        """Begin a scene, whose stamps may lie anywhere, with a line of text (ASCII) below it."""
        self._first_ns, self._last = None, None
        self._first_frame = self._writer.frames
        self._caption = caption

    def add(self, picture: NDArray[np.uint8], *, stamp_ns: int) -> None:
        """Add a picture, (H, W, 3) uint8 BGR of any size, of a later stamp than the one before."""
        if self._first_ns is None:
            self._first_ns = stamp_ns
        place = self._first_frame + round((stamp_ns - self._first_ns) * 1e-9 * self._rate_hz)
        while self._last is not None and self._writer.frames < place:
            self._writer.add(self._last)
        # At 1.3 times smaller, area averaging takes five times as long and looks the same.
        scaled = cv2.resize(picture, self._size_wh, interpolation=cv2.INTER_LINEAR)
        self._last = np.array(scaled, dtype=np.uint8)
        for shift, colour in ((1, _SHADOW_BGR), (0, _INK_BGR)):
            corner = (10 + shift, self._size_wh[1] - 12 + shift)
            cv2.putText(
                self._last, self._caption, corner, _FONT, _FONT_SCALE, colour, 1, cv2.LINE_AA
            )
        if self._writer.frames <= place:
            self._writer.add(self._last)
