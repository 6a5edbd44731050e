"""Flicker: how many pixels change their class from one frame to the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['STILL_LEVELS', 'FlipRate']

# Grey levels by which a blurred pixel may change and still count as still: above the noise of a
# camera and of video compression, below the contrast of paint on a road.
STILL_LEVELS = 4
_BLUR = (5, 5)


class FlipRate:
    """Share of pixels whose predicted class changes between consecutive frames of a clip.

    The plain rate counts all pixels, and grows with the motion of the camera as well. The still
    rate counts only pixels whose picture did not change, so that every flip is the model's own:
    all pixels for a camera that stands still in front of a still world, sky and smooth road for
    one that drives. Neither says that a class is right: a model that says "background" always
    never flips.

    Attributes:
        frame_pairs: pairs of consecutive frames.
    """

    def __init__(self) -> None:
        self.frame_pairs = 0
        self._pixels = self._flips = 0
        self._still_pixels = self._still_flips = 0
        self._previous: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None

    def add(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """Take the next frame. After one of another size, counting starts with that frame.

        Args:
            image: (H, W, 3) uint8 BGR.
            mask: (H, W) uint8 class ids.
        """
        grey = cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), _BLUR)
        current = np.asarray(grey, np.uint8), mask.copy()
        previous, self._previous = self._previous, current
        if previous is None or previous[1].shape != mask.shape:
            return
        flipped = previous[1] != mask
        still = np.asarray(cv2.absdiff(previous[0], current[0])) <= STILL_LEVELS
        self.frame_pairs += 1
        self._pixels += flipped.size
        self._flips += int(np.count_nonzero(flipped))
        self._still_pixels += int(np.count_nonzero(still))
        self._still_flips += int(np.count_nonzero(flipped & still))

    def cut(self) -> None:
        """Do not compare the next frame with the last one: something between them is missing."""
        self._previous = None

    @property
    def rate(self) -> float:
        """Share of all pixels that flip from one frame to the next, 0..1; NaN without a pair."""
        return self._flips / self._pixels if self._pixels else math.nan

    @property
    def still_rate(self) -> float:
        """The same among pixels whose picture did not change; NaN without any."""
        return self._still_flips / self._still_pixels if self._still_pixels else math.nan

    @property
    def still_share(self) -> float:
        """Share of pixels whose picture did not change, 0..1: what `still_rate` rests on."""
        return self._still_pixels / self._pixels if self._pixels else math.nan
