"""Sky, clouds, hills and skyline: one wide strip per seed, of which a frame shows a window."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.camera import PinholeCamera
from lane_seg_scene.road import CentreLine
from lane_seg_scene.textures import noise
from lane_seg_scene.weather import Weather

__all__ = ['Panorama']

_SPARE_RAD = 0.15  # more turning and nodding than the scene ever does


class Panorama:
    """Everything farther away than the road, in all directions that the camera can face.

    Args:
        rng: where the shapes come from.
        camera: size and field of view of the later frames.
        weather: colours.
        road: bounds the directions.
        pitch: mean pitch of the camera in radians.
        urban: towers instead of hills.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        camera: PinholeCamera,
        weather: Weather,
        road: CentreLine,
        *,
        pitch: float,
        urban: bool,
    ) -> None:
        self._margin = math.ceil(camera.focal * (road.max_heading + _SPARE_RAD))
        width = camera.width + 2 * self._margin
        # The strip may be much larger than the picture (narrow view): paint it coarsely then.
        rise = math.ceil(camera.height / 2 + camera.focal * math.tan(pitch + 0.02))
        self._rise = max(rise, 0) + 2
        shrink = max(1, math.ceil(width * self._rise / 4e6))
        size = (self._rise // shrink + 1, width // shrink + 1)
        strip = _paint(rng, size, camera.focal / shrink, weather, urban=urban)
        if shrink > 1:
            big = cv2.resize(strip, (width, self._rise), interpolation=cv2.INTER_LINEAR)
            strip = big.astype(np.uint8, copy=False)
        self._strip = strip[-self._rise :, :width]

    def draw(self, image: NDArray[np.uint8], camera: PinholeCamera, heading: float) -> None:
        """Fill `image` down to the horizon, and the rest with the colour of the far ground."""
        bottom = min(max(math.ceil(camera.horizon), 0), camera.height)
        left = round(self._margin - camera.focal * (heading + camera.yaw))
        left = min(max(left, 0), 2 * self._margin)
        base = self._rise - math.ceil(camera.horizon)
        image[:bottom] = self._strip[base : base + bottom, left : left + camera.width]
        image[bottom:] = self._strip[-1, left : left + camera.width]


def _paint(
    rng: np.random.Generator, size: tuple[int, int], focal: float, weather: Weather, *, urban: bool
) -> NDArray[np.uint8]:
    """Strip of sky (*size, 3), BGR uint8, whose last row is the horizon."""
    height, width = size
    up = (np.arange(height, 0, -1, dtype=np.float32) - 0.5) / focal  # tangent of the elevation
    mix = np.clip(up / 0.55, 0, 1)[:, None, None] ** 0.7
    sky = weather.sky_bottom * (1 - mix) + weather.sky_top * mix
    sky = np.repeat(sky.astype(np.float32), width, axis=1)

    # Clouds get flatter and smaller towards the horizon: look noise up in a plane overhead.
    field = np.zeros((512, 512), np.float32)
    for cells, share in ((6, 1.0), (14, 0.5), (40, 0.3), (120, 0.15)):
        field += share * noise(rng, (512, 512), (cells, cells))
    across = (np.arange(width, dtype=np.float32) - width / 2) / focal
    depth = 1.0 / (up + 0.12)
    x = np.multiply.outer(depth, across) * 130 + 256
    y = np.repeat((depth * 130)[:, None], width, axis=1)
    clouds = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    amount = np.clip((clouds - 1.1 + 1.6 * weather.cloud) * 0.55, 0, 1)
    amount *= np.clip(up / 0.06, 0, 1)[:, None] * 0.85
    bright = np.clip(weather.sky_bottom * 1.04 + 6, 0, 252).astype(np.float32)
    shade = (1.0 - 0.12 * np.clip(clouds, 0, 2))[..., None]
    sky += amount[..., None] * (bright * shade - sky)

    rows = np.arange(height)[:, None]
    base = np.array([95.0, 108, 98]) if not urban else np.array([125.0, 125, 122])
    ridges = int(rng.integers(1, 4))
    for layer in range(ridges):
        nearness = (layer + 1) / (ridges + 1)
        colour = weather.haze + (weather.lit(base) - weather.haze) * nearness * 0.8
        top = noise(rng, (1, width), (1, max(4, width // 500)))[0] * 0.02
        top += noise(rng, (1, width), (1, max(6, width // 60)))[0] * 0.004
        top += noise(rng, (1, width), (1, max(8, width // 6)))[0] * 0.0012
        top = np.maximum(top + float(rng.uniform(0.02, 0.05)) * (1.2 - nearness), 0.004)
        if urban:
            top = np.maximum(_towers(rng, width, focal) * (1.2 - nearness), 0.006)
        sky[rows >= height - top * focal] = colour
    strip: NDArray[np.uint8] = np.clip(sky, 0, 252).astype(np.uint8)
    return strip


def _towers(rng: np.random.Generator, width: int, focal: float) -> NDArray[np.float32]:
    """Heights (tangent of the elevation) of a skyline, float32 (width,)."""
    top = np.zeros(width, np.float32)
    for _ in range(max(8, int(width / focal * 40))):
        x = int(rng.integers(width))
        wide = max(2, int(focal * rng.uniform(0.01, 0.05)))
        top[x : x + wide] = np.maximum(top[x : x + wide], rng.gamma(2.0, 0.022))
    return top
