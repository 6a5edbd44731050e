"""The numbers of one image and its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.datasets import LaneData, Pair

__all__ = ['ImageStats', 'stats_of']


@dataclass(frozen=True)
class ImageStats:
    """Numbers of one pair, at its own size.

    Attributes:
        name: of the pair.
        size: (height, width) in pixels.
        targets: number of pixels of each target id, (256,) int64.
        channel_sums: sum over the pixels of blue, green and red, (3,) float64, grey levels.
        channel_squares: the same of the squares.
        brightness: number of pixels of each grey level, (256,) int64.
    """

    name: str
    size: tuple[int, int]
    targets: NDArray[np.int64]
    channel_sums: NDArray[np.float64]
    channel_squares: NDArray[np.float64]
    brightness: NDArray[np.int64]

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.size[0] * self.size[1]

    @property
    def mean_brightness(self) -> float:
        """Mean grey level, 0..255."""
        return float(self.brightness @ np.arange(256) / self.pixels)


def stats_of(sets: Sequence[LaneData], item: tuple[int, Pair]) -> ImageStats | str:
    """Read one pair and count.

    Args:
        sets: data sets.
        item: index of its data set, and the pair.

    Returns:
        The numbers, or what is wrong with the pair.
    """
    try:
        image, target = sets[item[0]].read(item[1])
    except LaneSegError as error:
        return str(error)
    levels = np.stack(
        [np.bincount(channel.ravel(), minlength=256) for channel in cv2.split(image)]
    )
    values = np.arange(256, dtype=np.float64)
    return ImageStats(
        name=item[1].name,
        size=(image.shape[0], image.shape[1]),
        targets=np.bincount(target.ravel(), minlength=256),
        channel_sums=levels @ values,
        channel_squares=levels @ values**2,
        brightness=np.bincount(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).ravel(), minlength=256),
    )
