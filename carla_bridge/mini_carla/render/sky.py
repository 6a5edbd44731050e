"""Sky: gradient, clouds, sun or moon, stars."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.camera import NEAR_M, View
from carla_bridge.mini_carla.render.items import Items
from carla_bridge.mini_carla.render.labels import kind_number
from carla_bridge.mini_carla.render.texture import spectral_noise
from carla_bridge.mini_carla.render.weather import Light

__all__ = ['SKY', 'Sky']

SKY: Final = Items.plain(
    kind=np.array([kind_number('sky')], np.uint8),
    instance=np.zeros(1, np.uint16),
    colour=np.array([(200, 190, 180)], np.uint8),
    normal=np.zeros((1, 3), np.float32),
    plane=np.zeros((1, 3), np.float32),
)
"""The item that must be added to a buffer first, with number `SKY_ITEM`; its plane is 0."""

_COARSE = 4  # the sky is soft: it is computed for every fourth pixel
_CLOUD_SIZE = 256
_STARS = 500


class Sky:
    """Sky of one town.

    Args:
        rng: decides the clouds and the stars.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._clouds = spectral_noise(rng, _CLOUD_SIZE, 1.6)
        stars = rng.standard_normal((_STARS, 3))
        stars[:, 2] = np.abs(stars[:, 2]) + 0.05
        self._stars = stars / np.linalg.norm(stars, axis=1, keepdims=True)
        self._magnitude = rng.uniform(40, 190, _STARS)

    def draw(self, view: View, light: Light, rows: int) -> NDArray[np.uint8]:
        """Return the sky in the upper `rows` rows of the image, (rows, W, 3) uint8 BGR."""
        spec = view.spec
        height, width = math.ceil(rows / _COARSE) + 1, math.ceil(spec.width / _COARSE) + 1
        # Centres of blocks of pixels, so that resizing puts them back where they belong.
        across = ((np.arange(width) + 0.5) * _COARSE - spec.width / 2) / spec.focal
        down = ((np.arange(height) + 0.5) * _COARSE - spec.height / 2) / spec.focal
        rays = np.empty((height, width, 3), np.float32)
        turned = view.rotation.astype(np.float32)
        rays[:] = across[None, :, None] * turned[0] + down[:, None, None] * turned[1] + turned[2]
        rays /= np.sqrt((rays * rays).sum(axis=2, keepdims=True))
        up = rays[..., 2]
        steep = np.sqrt(up.clip(0.0, 1.0))[..., None]
        colour = light.horizon + (light.zenith - light.horizon) * steep
        toward = (rays @ light.to_sun.astype(np.float32)).clip(0.0, 1.0)
        if light.sun_up:
            glow = toward**6 * 0.22 + toward**90 * 0.6
            glow = (glow * (1.0 - 0.9 * light.clouds))[..., None]
            colour += (np.float32(255.0) * light.tint - colour).clip(0.0) * glow
        if light.clouds > 0.02:
            colour = self._clouded(colour, rays, toward, light)
        # Fog is thickest towards the horizon.
        veil = (1.0 - np.exp(-light.haze_per_m * 60.0 / (up.clip(0.0) + 0.04)))[..., None]
        colour += (light.haze - colour) * veil
        small = colour.clip(0, 255).astype(np.uint8)
        full = (width * _COARSE, height * _COARSE)
        sky = cv2.resize(small, full, interpolation=cv2.INTER_LINEAR)[:rows, : spec.width]
        sky = np.ascontiguousarray(sky)
        self._draw_bodies(sky, view, light)
        return np.asarray(sky, np.uint8)

    def _clouded(
        self,
        colour: NDArray[np.float32],
        rays: NDArray[np.float32],
        toward: NDArray[np.float32],
        light: Light,
    ) -> NDArray[np.float32]:
        """Put clouds on a plane above the sky's colours (H, W, 3); returns the same shape."""
        distance = 26.0 / (rays[..., 2].clip(0.0) + 0.09)
        shifted = np.stack([rays[..., 0] * distance, rays[..., 1] * distance], axis=-1)
        index = shifted.astype(np.int32) & (_CLOUD_SIZE - 1)
        noise = self._clouds[index[..., 1], index[..., 0]]
        noise = cv2.blur(noise, (3, 3))
        threshold = np.float32(1.5 - 3.6 * light.clouds)
        cover = ((noise - threshold) * 0.9).clip(0.0, 1.0)
        thick = ((noise - threshold) * 0.35).clip(0.0, 1.0)[..., None]
        body = light.cloud_bright + (light.cloud_dark - light.cloud_bright) * thick
        if light.sun_up:
            body = body + (toward**8 * 30.0)[..., None] * light.tint
        share = (cover * np.float32(min(1.0, 0.45 + light.clouds)))[..., None]
        return np.asarray(colour + (body - colour) * share, np.float32)

    def _draw_bodies(self, sky: NDArray[np.uint8], view: View, light: Light) -> None:
        """Draw the disc of the sun or the moon and, at night, stars."""
        clear = 1.0 - light.clouds
        if light.lamps > 0.5 and clear > 0.3:
            points = self._stars @ view.rotation.T
            ahead = points[:, 2] > NEAR_M
            uv = np.floor(view.project(points[ahead])).astype(int)
            inside = ((uv >= 0) & (uv < (sky.shape[1], sky.shape[0]))).all(axis=1)
            column, row = uv[inside].T
            bright = (self._magnitude[ahead][inside] * clear * light.lamps).astype(np.uint8)
            sky[row, column] = np.maximum(sky[row, column], bright[:, None])
        disc = view.rotation @ light.to_sun
        veiled = light.clouds > 0.75 or light.haze_per_m > 0.012
        if disc[2] <= NEAR_M or veiled:
            return
        u, v = view.project(disc).tolist()
        radius = view.spec.focal * math.radians(0.9)
        if max(abs(u), abs(v)) > 20000:
            return
        colour = (255.0 * light.tint).clip(0, 255) if light.sun_up else np.array([200, 205, 206])
        centre = (round((u - 0.5) * 16), round((v - 0.5) * 16))
        cv2.circle(sky, centre, round(radius * 16), colour.tolist(), -1, cv2.LINE_AA, 4)
