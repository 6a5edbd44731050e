"""The street as a picture shows it: a guessed horizon, depths, and smooth layers of light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['View', 'blotches', 'greyed', 'relit']

_HORIZONS = (0.25, 0.6)  # of the height: where the horizon of a road camera's picture may be
_STEP = 4  # pixels of the picture for one pixel of a smooth layer
_FARTHEST = 25.0  # depth of the sky


@dataclass(frozen=True)
class View:
    """A guess of where the street lies in a picture; nothing is known about the real one.

    Attributes:
        height, width: of the picture, in pixels.
        row: of the horizon, maybe outside the picture.
        column: of the vanishing point, maybe outside the picture.
    """

    height: int
    width: int
    row: float
    column: float

    @classmethod
    def random(
        cls, shape: tuple[int, ...], matrix: NDArray[np.float64], rng: np.random.Generator
    ) -> View:
        """Draw the view of a picture of `shape` (height, width) that `matrix` has moved."""
        height, width = shape
        point = (rng.uniform(0.35, 0.65) * width, rng.uniform(*_HORIZONS) * height, 1.0)
        column, row = (matrix @ point).tolist()
        # Some street stays in the picture, whatever a strong zoom did.
        return cls(height, width, min(max(row, -0.5 * height), 0.75 * height), column)

    @property
    def drop(self) -> float:
        """Rows from the horizon to the bottom of the picture."""
        return self.height - self.row

    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rows (h, 1) and columns (1, w), float32 pixels, of the pixels of a smooth layer."""
        count_y, count_x = max(self.height // _STEP, 2), max(self.width // _STEP, 2)
        # Middles of the pixels that `cv2.resize` makes of one of the layer, less the half pixel.
        rows = (np.arange(count_y, dtype=np.float32) + 0.5) * (self.height / count_y) - 0.5
        columns = (np.arange(count_x, dtype=np.float32) + 0.5) * (self.width / count_x) - 0.5
        return rows[:, None].astype(np.float32), columns[None].astype(np.float32)

    def below(self) -> NDArray[np.float32]:
        """How far each row of a smooth layer is below the horizon, (h, 1) float32.

        0 at the horizon, 1 at the bottom of the picture, negative in the sky.
        """
        return (self.grid()[0] - np.float32(self.row)) / np.float32(self.drop)

    def depth(self, walls: float) -> NDArray[np.float32]:
        """Distances for a smooth layer, (h, w) float32; 1 is about the street at the bottom.

        Of a level street between two walls, which stand for houses, trees and cars.

        Args:
            walls: height of the camera, as a share of the distance of the walls.
        """
        rows, columns = self.grid()
        street = np.maximum(rows - np.float32(self.row), 0)
        side = np.float32(walls) * (columns - np.float32(self.column))
        # A sum of squares, where a sharp maximum would draw edges into the air.
        near = np.sqrt(street**2 + side**2 + np.float32(self.drop / _FARTHEST) ** 2)
        return (np.float32(self.drop) / near).astype(np.float32)


def blotches(
    shape: tuple[int, ...], cells: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth chance, (H, W) float32 in 0..1: `cells` (rows, columns) of random values."""
    values = rng.random(cells, dtype=np.float32)
    smooth = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 1).astype(np.float32)


def relit(
    image: NDArray[np.uint8], stays: NDArray[np.float32], veil: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Take light away and add other light: image * stays + veil.

    Args:
        image: (H, W, 3) uint8 BGR.
        stays: (h, w) or (h, w, 3) float32, share of the light that stays, 0 to 1.
        veil: (h, w, 3) float32, grey levels that are added. Both are enlarged smoothly.

    Returns:
        A new image of the same kind.
    """
    if stays.ndim == 2:
        stays = np.repeat(stays[..., None], 3, axis=2)
    size = (image.shape[1], image.shape[0])
    share = cv2.resize(_levels(stays * 255), size)
    left = cv2.multiply(image, share, scale=1 / 255)
    return np.asarray(cv2.add(left, cv2.resize(_levels(veil), size)), np.uint8)


def greyed(image: NDArray[np.uint8], amount: float, gain: float = 1.0) -> NDArray[np.uint8]:
    """Take a share of the colour away, 0 to 1, and multiply what is left by `gain`."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(image, gain * (1 - amount), grey, gain * amount, 0)
    return np.asarray(mixed, np.uint8)


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
