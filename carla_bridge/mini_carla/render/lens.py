"""What lies between the scene and the picture: streaks of rain and the noise of the sensor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.weather import Light

__all__ = ['Lens']

_MARGIN = 64  # the noise is this much larger than the picture and moves about
_PICTURES = 6
_KEPT = 8  # sizes of image and strengths of which patterns are kept


class Lens:
    """Rain and noise; frames with the same number look the same.

    Args:
        seed: decides the patterns.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._noise: dict[tuple[int, int, int], NDArray[np.int8]] = {}
        self._streaks: dict[tuple[int, int, int], NDArray[np.uint8]] = {}

    def apply(self, picture: NDArray[np.uint8], light: Light, frame: int) -> None:
        """Add rain and noise to a picture (H, W, 3) BGR, in place.

        Args:
            picture: without them.
            light: of the weather.
            frame: number of the frame within the episode.
        """
        height, width = picture.shape[:2]
        rng = np.random.default_rng((self._seed, 2, frame))
        if light.rain > 0.02:
            streaks = self._streaks_of(height, width, light)[int(rng.integers(_PICTURES))]
            streaks = np.roll(streaks, int(rng.integers(width)), axis=1)
            bright = float(light.haze.mean()) * 0.34 / 255.0 + 0.04
            grey = cv2.cvtColor(streaks, cv2.COLOR_GRAY2BGR)
            cv2.scaleAdd(grey, bright, picture, dst=picture)
        # A long exposure of little light is noisy.
        noise = self._noise_of(height, width, round(2 * (1.6 + 2.4 * light.lamps)))
        top, left = (int(value) for value in rng.integers(0, _MARGIN, 2))
        part = noise[top : top + height, left : left + width]
        cv2.add(picture, part, dst=picture, dtype=cv2.CV_8U)

    def _noise_of(self, height: int, width: int, strength: int) -> NDArray[np.int8]:
        """Return noise of a standard deviation of half of `strength`, larger by a margin."""
        key = (height, width, strength)
        if key not in self._noise:
            if len(self._noise) >= _KEPT:
                self._noise.clear()
            rng = np.random.default_rng((self._seed, 1))
            shape = (height + _MARGIN, width + _MARGIN, 3)
            noise = rng.standard_normal(shape, np.float32) * (strength / 2)
            self._noise[key] = np.rint(noise).clip(-127, 127).astype(np.int8)
        return self._noise[key]

    def _streaks_of(self, height: int, width: int, light: Light) -> NDArray[np.uint8]:
        """Return a few pictures of falling rain, (_PICTURES, H, W) uint8."""
        strength = (round(light.rain * 20), round(light.wind * 20))
        key = (height, width, strength[0] * 100 + strength[1])
        if key not in self._streaks:
            if len(self._streaks) >= _KEPT:
                self._streaks.clear()
            rng = np.random.default_rng((self._seed, 3))
            pictures = np.zeros((_PICTURES, height, width), np.uint8)
            for canvas in pictures:
                self._draw_streaks(rng, canvas, strength[0] / 20, strength[1] / 20)
            self._streaks[key] = pictures
        return self._streaks[key]

    def _draw_streaks(
        self, rng: np.random.Generator, canvas: NDArray[np.uint8], rain: float, wind: float
    ) -> None:
        height, width = canvas.shape
        count = int(rain * 1.1 * np.sqrt(height * width))
        x, y = rng.uniform(0, width, count), rng.uniform(-0.1 * height, height, count)
        near = rng.beta(1.2, 4.0, count)
        length = (0.02 + 0.11 * near) * height
        slant = (0.06 + 0.3 * wind) * length
        level = 60 + 150 * rng.uniform(0.3, 1.0, count)
        ends = np.rint(np.stack([x, y, x + slant, y + length], axis=1) * 8).astype(int)
        for (x0, y0, x1, y1), bright, close in zip(
            ends.tolist(), level.tolist(), near.tolist(), strict=True
        ):
            thick = 2 if close > 0.55 and height > 240 else 1
            cv2.line(canvas, (x0, y0), (x1, y1), bright, thick, cv2.LINE_AA, 3)
