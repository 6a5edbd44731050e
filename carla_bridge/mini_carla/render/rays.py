"""Depth of every pixel and the place in the world that it shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.camera import FAR_M, NEAR_M, View

__all__ = ['PixelRays']


class PixelRays:
    """Rays through the centres of the pixels of some rows.

    Args:
        view: the camera.
        first: index of the first row.
        last: index of the row after the last one; by default the end of the image.

    Attributes:
        across: (1, W) float32, x over depth of each column.
        down: (R, 1) float32, y over depth of each row.
    """

    def __init__(self, view: View, first: int = 0, last: int | None = None) -> None:
        spec = view.spec
        self._rotation = view.rotation.astype(np.float32)
        across = (np.arange(spec.width) + 0.5 - spec.width / 2) / spec.focal
        rows = np.arange(first, spec.height if last is None else last)
        down = (rows + 0.5 - spec.height / 2) / spec.focal
        self.across = across.astype(np.float32)[None]
        self.down = down.astype(np.float32)[:, None]

    def depth(self, ids: NDArray[np.uint16], plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the depth of every pixel in metres, (R, W) float32, at most `FAR_M`.

        Args:
            ids: (R, W) items in the pixels' centres.
            plane: (N, 3) of all items, see `View.inverse_depth`; 0 is the sky.
        """
        a, b, c = (np.take(np.ascontiguousarray(column), ids) for column in plane.T)
        a *= self.across
        b *= self.down
        a += b
        a += c
        np.clip(a, 0.5 / FAR_M, 1.0 / NEAR_M, out=a)
        np.reciprocal(a, out=a)
        return np.asarray(np.minimum(a, np.float32(FAR_M), out=a), np.float32)

    def along(self, axis: int, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far each pixel's point lies from the camera along a world axis.

        Args:
            axis: 0, 1 or 2 for x, y or z.
            depth: (R, W) metres.

        Returns:
            (R, W) float32 metres.
        """
        right, below, ahead = self._rotation[:, axis]
        direction = self.across * right + self.down * below
        direction += ahead
        direction *= depth
        return direction

    def points(self, pixels: NDArray[np.intp], depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the points that some pixels show, in world metres from the camera.

        Args:
            pixels: (P,) indices of pixels, row by row from the first row of these rays.
            depth: (P,) metres.

        Returns:
            (P, 3) float32.
        """
        row, column = np.divmod(pixels, self.across.shape[1])
        ray = np.ones((len(pixels), 3), np.float32)
        ray[:, 0], ray[:, 1] = self.across[0, column], self.down[row, 0]
        turned: NDArray[np.float32] = ray @ self._rotation
        turned *= depth[:, None]
        return turned
