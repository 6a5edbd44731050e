"""Noise that covers the ground: asphalt grain, grass, patches of wear and puddles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ['MipTexture', 'SmoothTexture', 'cracked', 'spectral_noise']

_LEVELS = 7


def spectral_noise(rng: np.random.Generator, size: int, slope: float) -> NDArray[np.float32]:
    """Return tileable noise.

    Args:
        rng: decides the pattern.
        size: edge of the square tile in texels.
        slope: how fast the spectrum falls: 0 is white noise, 2 soft clouds.

    Returns:
        (size, size) float32 of mean 0 and standard deviation 1.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum * frequency**-slope, s=(size, size))
    return np.asarray(noise / noise.std(), np.float32)


def cracked(
    rng: np.random.Generator, tile: NDArray[np.float32], count: int, depth: float
) -> NDArray[np.float32]:
    """Return a copy of a tile (n, n) with `count` cracks that lower it by up to `depth`."""
    size = len(tile)
    result = tile.copy()
    for _ in range(count):
        steps = int(rng.integers(size // 6, size // 2))
        bend = rng.normal(0.0, 0.35, steps) + np.cumsum(rng.normal(0.0, 0.04, steps))
        angle = float(rng.uniform(0, 2 * np.pi)) + bend
        x = (float(rng.uniform(0, size)) + np.cumsum(np.cos(angle))).astype(int) % size
        y = (float(rng.uniform(0, size)) + np.cumsum(np.sin(angle))).astype(int) % size
        result[y, x] -= depth * np.linspace(1.0, 0.4, steps, dtype=np.float32)
    return result


class MipTexture:
    """A square tile with its halved copies, so that far ground does not flicker.

    Args:
        tile: (n, n) float32, n a power of two; it repeats in both directions.
        texel_m: edge of a texel in metres.
    """

    def __init__(self, tile: NDArray[np.float32], texel_m: float) -> None:
        self._size = len(tile)
        self._texel_m = texel_m
        levels = [tile]
        for _ in range(_LEVELS - 1):
            half = len(levels[-1]) // 2
            levels.append(levels[-1].reshape(half, 2, half, 2).mean(axis=(1, 3)))
        self._flat = np.concatenate([level.ravel() for level in levels]).astype(np.float32)
        sizes = np.array([level.size for level in levels])
        self._offset = (np.cumsum(sizes) - sizes).astype(np.int32)
        self._bits = self._size.bit_length() - 1

    @property
    def period_m(self) -> float:
        """Edge of the tile in metres."""
        return self._size * self._texel_m

    def index(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        footprint_m: NDArray[np.float32],
    ) -> NDArray[np.int32]:
        """Return where the texture of each pixel is stored.

        Args:
            x: metres, not negative; any shape.
            y: metres, not negative; same shape.
            footprint_m: edge of what a pixel sees, metres, positive; same shape.

        Returns:
            Indices of the same shape, for `at` of this and of every texture of the same size.
        """
        scale = np.float32(1.0 / self._texel_m)
        # The exponent of a float is the floor of its binary logarithm.
        level = np.maximum(footprint_m * scale, np.float32(1.0)).view(np.int32)
        level >>= 23
        level -= 127
        np.minimum(level, _LEVELS - 1, out=level)
        column = (x * scale).astype(np.int32)
        row = (y * scale).astype(np.int32)
        for axis in (column, row):
            axis &= self._size - 1
            axis >>= level
        row <<= self._bits - level
        row += column
        row += np.take(self._offset, level)
        return row

    def at(self, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the values of the texture at what `index` returned, same shape."""
        return np.asarray(np.take(self._flat, index), np.float32)


class SmoothTexture:
    """A tile that is interpolated, for patterns that are coarser than a pixel.

    Args:
        tile: (n, n) float32; it repeats in both directions.
        texel_m: edge of a texel in metres.
    """

    def __init__(self, tile: NDArray[np.float32], texel_m: float) -> None:
        self._tile = tile
        self._texel_m = texel_m

    @property
    def period_m(self) -> float:
        """Edge of the tile in metres."""
        return len(self._tile) * self._texel_m

    def at(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the interpolated values at some metres; arrays of the same shape (H, W)."""
        # Every second pixel is plenty for what is coarse, and four times as fast.
        scale = np.float32(1.0 / self._texel_m)
        columns, rows = x[::2, ::2] * scale, y[::2, ::2] * scale
        found = cv2.remap(self._tile, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        full = cv2.resize(found, x.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(full, np.float32)
