"""Colours of a picture: light, texture, wear, water and fog, for every pixel at once.

The buffer says which item each sample shows; everything else follows from the item's colour, its
plane (which gives the depth and so the place in the world) and the weather.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.boxes import BoxSet
from carla_bridge.mini_carla.render.camera import OVERSAMPLING, View
from carla_bridge.mini_carla.render.items import SKY_ITEM, ItemBuffer, Items
from carla_bridge.mini_carla.render.labels import KINDS
from carla_bridge.mini_carla.render.lightmap import LightMap
from carla_bridge.mini_carla.render.materials import Materials
from carla_bridge.mini_carla.render.rays import PixelRays
from carla_bridge.mini_carla.render.sky import Sky
from carla_bridge.mini_carla.render.weather import Light

__all__ = ['Shader']

# How far water covers and darkens a kind of ground, 0 to 1.
_SOAKS: Final = {
    'road': 1.0,
    'shoulder': 0.9,
    'lane_mark': 0.9,
    'crosswalk': 0.9,
    'stop_line': 0.9,
    'arrow': 0.9,
    'sidewalk': 0.6,
    'kerb': 0.5,
    'terrain': 0.25,
}
_GROUND: Final = frozenset(_SOAKS)
_SIDE_LIGHT = 0.72  # a wall sees half of the sky and some of the ground
_BAND = 1 << 16  # pixels that are shaded at a time
_PUDDLED = 0.15  # drier ground than this has no puddles
_GLOW = 1.15  # brightness of lamps, whatever the light


@dataclass(frozen=True, eq=False)
class _Band:
    """Some rows of a picture: few enough for the processor's cache.

    Attributes:
        rays: of the pixels.
        ids: (R, W) item in the centre of each pixel.
        topmost: (R, W) last drawn item that has a part in it.
        colour: (R, W, 4) uint8, colours of the items, and the share of paint; the paint itself
            is put on here.
        result: (R, W, 3) uint8 BGR, written to.
    """

    rays: PixelRays
    ids: NDArray[np.uint16]
    topmost: NDArray[np.uint16]
    colour: NDArray[np.uint8]
    result: NDArray[np.uint8]


class Shader:
    """Makes pictures of one town.

    Args:
        seed: decides textures and clouds.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng((seed, 0))
        self._materials = Materials(rng)
        self._sky = Sky(rng)
        self._soaks = np.array([_SOAKS.get(kind, 0.0) for kind in KINDS], np.float32)
        self._ground = np.array([kind in _GROUND for kind in KINDS], np.bool_)

    def picture(
        self, view: View, buffer: ItemBuffer, light: Light, sets: tuple[BoxSet, ...]
    ) -> NDArray[np.uint8]:
        """Return the picture without rain and noise, (H, W, 3) uint8 BGR.

        Args:
            view: the camera.
            buffer: everything drawn.
            light: of the weather.
            sets: the boxes, for their shadows.
        """
        samples = buffer.samples
        size = (view.spec.width, view.spec.height)
        sampled = np.take(_packed(buffer.items), samples).view(np.uint8)
        # The filter is centred on every second sample, where the label is read.
        assert OVERSAMPLING == 2
        smooth = cv2.pyrDown(sampled.reshape(*samples.shape, 4), dstsize=size)
        ids, topmost = buffer.pixels(), buffer.topmost()
        open_sky = ids == SKY_ITEM
        covered = (~open_sky).any(axis=1)
        first = int(covered.argmax()) if covered.any() else size[1]
        result = np.empty((size[1], size[0], 3), np.uint8)
        lit = LightMap(view, light, sets)
        height = max(2, _BAND // size[0] // 2 * 2)
        for start in range(first, size[1], height):
            band = slice(start, min(start + height, size[1]))
            colour = np.asarray(smooth[band], np.uint8)
            rays = PixelRays(view, band.start, band.stop)
            part = _Band(rays, ids[band], topmost[band], colour, result[band])
            self._solid(view, buffer.items, light, lit, part)
        rows = int(open_sky.any(axis=1).nonzero()[0].max(initial=-1)) + 1
        if rows:
            sky = self._sky.draw(view, light, rows)
            result[:first] = sky[:first]
            if rows > first:
                cv2.copyTo(sky[first:], open_sky[first:rows].view(np.uint8), result[first:rows])
        return result

    def _solid(self, view: View, items: Items, light: Light, lit: LightMap, band: _Band) -> None:
        """Fill some rows as if none of them showed sky."""
        rays, ids, colour = band.rays, band.ids, band.colour
        depth = rays.depth(ids, items.plane)
        x, y = rays.along(0, depth), rays.along(1, depth)
        floor = self._materials.under(view, depth, x, y)
        self._materials.paint(colour, band.topmost, items, floor)

        on_ground = self._ground[items.kind]
        bright = _strength(items, light)
        strength = np.take(np.where(on_ground, bright * np.float32(1 / 255.0), 0.0), ids)
        strength *= lit.look(lit.shade, x, y)
        strength += np.take(np.where(on_ground, np.float32(0.0), bright), ids)
        if lit.pools is not None:
            strength += lit.look(lit.pools, x, y) * np.float32(light.lamps * 0.8 / 255.0)
            strength += _head_lamps(rays, depth) * np.float32(light.lamps)
        self._materials.cover_walls(colour, strength, ids, items, view, rays, depth, light.lamps)
        texture = np.take(self._materials.grain_of(items), ids)
        texture *= floor.fine
        texture += np.take(self._materials.patches_of(items), ids) * floor.coarse
        texture += np.float32(1.0)
        strength *= texture

        mirror = None
        if light.wet > 0.02:
            mirror = self._soak(strength, ids, items, light, rays, floor.coarse)
        clear = depth * np.float32(-light.haze_per_m)
        clear += np.float32(light.haze_from_m * light.haze_per_m)
        np.minimum(clear, 0.0, out=clear)
        np.exp(clear, out=clear)
        strength *= clear
        veil = np.float32(1.0) - clear
        for channel in range(3):
            plane = cv2.extractChannel(colour, channel)
            plane = cv2.multiply(
                plane, strength, scale=float(light.tint[channel]), dtype=cv2.CV_32F
            )
            plane = cv2.scaleAdd(veil, float(light.haze[channel]), plane)
            if mirror is not None:
                plane = cv2.scaleAdd(mirror * clear, float(light.horizon[channel]), plane)
            np.clip(plane, 0, 255, out=plane)
            cv2.insertChannel(plane.astype(np.uint8), band.result, channel)

    def _soak(
        self,
        strength: NDArray[np.float32],
        ids: NDArray[np.uint16],
        items: Items,
        light: Light,
        rays: PixelRays,
        coarse: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Darken wet ground, changing `strength`; return how much of the sky it mirrors."""
        wet = np.take(self._soaks[items.kind] * np.float32(light.wet), ids)
        distance = np.sqrt(rays.across**2 + rays.down**2 + np.float32(1.0))
        falling = -rays.along(2, np.ones_like(wet)) / distance
        # Schlick's approximation of Fresnel's equations; rough asphalt scatters most of it.
        grazing = np.maximum(np.float32(1.0) - falling, np.float32(0.0))
        fresnel = grazing * grazing
        fresnel *= fresnel
        fresnel *= grazing
        mirror = fresnel * np.float32(0.45) + np.float32(0.03)
        strength *= np.float32(1.0) - np.float32(0.4) * wet
        if light.puddles > 0.02:
            level = np.float32(1.9 - 1.5 * light.puddles)
            water = ((coarse - level) * np.float32(3.0)).clip(0.0, 1.0)
            water *= wet > _PUDDLED
            mirror += water * (fresnel * np.float32(0.5) + np.float32(0.12))
            strength *= np.float32(1.0) - np.float32(0.35) * water
        mirror *= wet
        return mirror


def _packed(items: Items) -> NDArray[np.uint32]:
    """Return each item's colour as four bytes: B, G, R and 255 where there is paint."""
    table = np.empty((len(items), 4), np.uint8)
    table[:, :3] = items.colour
    table[:, 3] = items.painted * 255
    return np.ascontiguousarray(table).view(np.uint32).ravel()


def _strength(items: Items, light: Light) -> NDArray[np.float32]:
    """Return how brightly each item is lit, (N,) float32."""
    facing = (items.normal @ light.to_sun.astype(np.float32)).clip(0.0)
    openness = _SIDE_LIGHT + (1.0 - _SIDE_LIGHT) * items.normal[:, 2].clip(0.0)
    strength = light.ambient * openness + light.direct * facing
    shining = items.emission * np.float32(0.35 + 0.65 * light.lamps)
    return np.asarray(strength + (_GLOW - strength) * shining, np.float32)


def _head_lamps(rays: PixelRays, depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the light of the head lamps below the camera, (R, W) float32."""
    wide = np.exp(-((rays.across / 0.55) ** 2))
    low = (rays.down * 14.0 + 0.9).clip(0.06, 1.0) * np.exp(-((rays.down / 0.75) ** 2))
    beam = np.asarray(wide * low, np.float32)
    beam *= np.float32(1.1)
    beam /= np.float32(1.0) + (depth * np.float32(1 / 24.0)) ** 2
    return beam
