"""Draw a mask over its image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import ImageError
from lane_seg.preprocess import check_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg.bundle import ClassInfo

__all__ = ['Painter', 'draw_mask']

# What is blended at a time stays in the cache of a core: a third faster than whole images.
_BAND_BYTES = 400_000
# Up to so many classes, filling and stamping their colours is faster than a look-up.
_FEW_CLASSES = 4


class Painter:
    """Blends class colours over images; keeps its buffers, so one painter serves one thread.

    Only the rows that hold something to draw are touched: in a camera picture the upper half is
    sky, and copying it is far cheaper than blending it.

    Args:
        classes: the classes and their colours; black classes are not drawn.
        alpha: opacity of the colours, 0 (invisible) to 1 (opaque).
    """

    def __init__(self, classes: Sequence[ClassInfo], *, alpha: float = 0.5) -> None:
        self.alpha = alpha
        self._palette = np.zeros((256, 1, 3), np.uint8)
        self._drawn = np.zeros((1, 256), np.uint8)
        for info in classes:
            self._palette[info.id] = info.colour_bgr
            self._drawn[0, info.id] = 255 if any(info.colour_bgr) else 0
        self._background_is_drawn = bool(self._drawn[0, 0])
        ids = np.flatnonzero(self._drawn)
        self._first, self._last = (int(ids[0]), int(ids[-1])) if ids.size else (1, 0)
        # The usual case, ids 1 to n: a comparison takes a quarter of the time of a look-up.
        self._ids_are_a_range = ids.size == self._last - self._first + 1
        self._overlay = np.empty((0, 0, 3), np.uint8)
        self._colour = self._overlay
        self._shown = np.empty((0, 0), np.uint8)
        self._few_ids = [int(number) for number in ids] if 0 < ids.size <= _FEW_CLASSES else []
        self._fills: list[NDArray[np.uint8]] = []

    def colour(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paint a mask in the colours of its classes.

        Args:
            mask: (H, W) uint8 class ids.

        Returns:
            (H, W, 3) uint8 BGR; ids that are none of a class are black.
        """
        return np.asarray(cv2.applyColorMap(mask, self._palette), dtype=np.uint8)

    def draw(self, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Blend the mask's colours over the image.

        Args:
            image: (H, W, 3) uint8 BGR; not changed.
            mask: (H, W) uint8 class ids.

        Returns:
            (H, W, 3) uint8 BGR, a buffer that the next call overwrites.

        Raises:
            ImageError: not such an image, or a mask of another size.
        """
        check_image(image)
        if mask.shape != image.shape[:2]:
            raise ImageError(
                f"expected a mask of the image's shape {image.shape[:2]}, found {mask.shape}; "
                'mask_from_output makes one',
                cause='size',
            )
        if self._overlay.shape != image.shape:
            self._overlay = np.empty(image.shape, np.uint8)
            rows = max(1, _BAND_BYTES // (3 * image.shape[1]))
            self._colour = np.empty((rows, *image.shape[1:]), np.uint8)
            self._shown = np.empty((rows, image.shape[1]), np.uint8)
            self._fills = [
                np.tile(self._palette[number], (*self._shown.shape, 1)) for number in self._few_ids
            ]
        overlay = self._overlay
        # cv2.reduce would be the obvious tool here, and takes tens of times as long.
        painted = np.flatnonzero(mask.any(axis=1) | self._background_is_drawn)
        first, end = (int(painted[0]), int(painted[-1]) + 1) if painted.size else (0, 0)
        overlay[:first] = image[:first]
        overlay[end:] = image[end:]
        for top in range(first, end, len(self._shown)):
            band = slice(top, min(top + len(self._shown), end))
            self._blend(image[band], mask[band], overlay[band])
        return overlay

    def _blend(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], overlay: NDArray[np.uint8]
    ) -> None:
        """Blend one band of rows into `overlay`."""
        colour, shown = self._colour[: len(mask)], self._shown[: len(mask)]
        if self._fills:
            np.copyto(colour, self._fills[0][: len(mask)])
            for number, fill in zip(self._few_ids[1:], self._fills[1:], strict=True):
                cv2.inRange(mask, number, number, shown)
                cv2.copyTo(fill[: len(mask)], shown, colour)
        else:
            cv2.applyColorMap(mask, self._palette, colour)
        if self._ids_are_a_range:
            cv2.inRange(mask, self._first, self._last, shown)
        else:
            cv2.LUT(mask, self._drawn, shown)
        cv2.addWeighted(image, 1 - self.alpha, colour, self.alpha, 0, dst=colour)
        np.copyto(overlay, image)
        cv2.copyTo(colour, shown, overlay)


def draw_mask(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    classes: Sequence[ClassInfo],
    *,
    alpha: float = 0.5,
) -> NDArray[np.uint8]:
    """Blend a mask over an image once; see `Painter.draw`. The result is a new array."""
    return Painter(classes, alpha=alpha).draw(image, mask)
