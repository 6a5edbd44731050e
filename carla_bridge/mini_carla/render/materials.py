"""What surfaces are made of: grain, patches, worn paint, windows of houses, leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.camera import View
from carla_bridge.mini_carla.render.items import Items
from carla_bridge.mini_carla.render.labels import KINDS, kind_number
from carla_bridge.mini_carla.render.rays import PixelRays
from carla_bridge.mini_carla.render.texture import (
    MipTexture,
    SmoothTexture,
    cracked,
    spectral_noise,
)

__all__ = ['Materials', 'Underfoot']

# Contrast of the fine grain and of the large patches of a kind of ground.
_GRAIN: Final = {
    'terrain': (0.17, 0.13),
    'road': (0.085, 0.05),
    'shoulder': (0.10, 0.06),
    'sidewalk': (0.06, 0.04),
    'kerb': (0.05, 0.03),
    'lane_mark': (0.06, 0.04),
    'crosswalk': (0.06, 0.04),
    'stop_line': (0.06, 0.04),
    'arrow': (0.06, 0.04),
}
_TEXEL_M = 0.02
_PATCH_TEXEL_M = 0.16
_EYE_M = 2.5
_WARM: Final = np.array([112.0, 206.0, 245.0], np.float32)
_FAR_AWAY = 100  # periods added to coordinates, so that they are positive when cut to integers

_FACADE_TEXEL_M = 0.1
_BAY = 32  # texels from one window to the next, in both directions


@dataclass(frozen=True, eq=False)
class Underfoot:
    """Texture of the ground in every pixel, (R, W) float32 of standard deviation 1."""

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]


class Materials:
    """Textures of one town.

    Args:
        rng: decides the patterns.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        grain = cracked(rng, spectral_noise(rng, 1024, 0.45), 9, 3.0)
        self._fine = MipTexture(grain, _TEXEL_M)
        self._coarse = SmoothTexture(spectral_noise(rng, 512, 1.25), _PATCH_TEXEL_M)
        grains = np.array([_GRAIN.get(kind, (0.0, 0.0)) for kind in KINDS], np.float32)
        self._grain, self._patches = grains[:, 0], grains[:, 1]
        self._leaves = spectral_noise(rng, 256, 0.5)
        self._panes, self._lit = (MipTexture(tile, _FACADE_TEXEL_M) for tile in _facade(rng))

    def grain_of(self, items: Items) -> NDArray[np.float32]:
        """Return the contrast of the fine texture of each item, (N,)."""
        return self._grain[items.kind]

    def patches_of(self, items: Items) -> NDArray[np.float32]:
        """Return the contrast of the coarse texture of each item, (N,)."""
        return self._patches[items.kind]

    def under(
        self,
        view: View,
        depth: NDArray[np.float32],
        x: NDArray[np.float32],
        y: NDArray[np.float32],
    ) -> Underfoot:
        """Look the ground's textures up.

        Args:
            view: the camera.
            depth: (R, W) metres.
            x: world metres from the camera, (R, W).
            y: the same along y.
        """
        # A pixel sees depth / f to the side and, looking down flatly, more along the road.
        footprint = np.sqrt(depth * np.float32(1.0 / _EYE_M) + np.float32(1.0))
        footprint *= depth
        footprint *= np.float32(0.8 / view.spec.focal)
        places = []
        for period in (self._fine.period_m, self._coarse.period_m):
            shift = view.origin[:2] % period + _FAR_AWAY * self._fine.period_m
            places.append((x + np.float32(shift[0]), y + np.float32(shift[1])))
        fine = self._fine.at(self._fine.index(*places[0], footprint))
        return Underfoot(fine, self._coarse.at(*places[1]))

    def paint(
        self,
        colour: NDArray[np.uint8],
        ids: NDArray[np.uint16],
        items: Items,
        ground: Underfoot,
    ) -> None:
        """Put paint on the road, except where it is worn off.

        Args:
            colour: (R, W, 4) BGR of the ground below, changed in place, and the share of the
                pixel that is painted, 255 for all of it.
            ids: (R, W) topmost item of each pixel.
            items: all items.
            ground: its texture; wear follows the grain.
        """
        pixels = colour.reshape(-1, 4)
        index = np.flatnonzero(pixels[:, 3])
        item = ids.ravel()[index]
        wear = items.wear[item]
        noise = ground.fine.ravel()[index] + ground.coarse.ravel()[index]
        # Of the paint a share of about `wear` is gone, in the dents first; the rest is thinner.
        left = ((0.75 * noise + 2.1 - 4.2 * wear) * 1.6 + 0.5).clip(0.0, 1.0)
        left *= 1.0 - 0.45 * wear
        share = pixels[index, 3] * left * np.float32(1 / 255.0)
        share = np.where(items.painted[item], share, np.float32(0.0))[:, None]
        below = pixels[index, :3]
        pixels[index, :3] = below + (items.paint[item] - below.astype(np.float32)) * share

    def cover_walls(
        self,
        colour: NDArray[np.uint8],
        strength: NDArray[np.float32],
        ids: NDArray[np.uint16],
        items: Items,
        view: View,
        rays: PixelRays,
        depth: NDArray[np.float32],
        lamps: float,
    ) -> None:
        """Give houses windows and trees leaves.

        Args:
            colour: (R, W, 4) whose BGR are changed in place.
            strength: (R, W) brightness of the light, changed where a lamp burns in a room.
            ids: (R, W) item in the centre of each pixel.
            items: all items.
            view: the camera.
            rays: of its pixels.
            depth: (R, W) metres.
            lamps: 0 by day to 1 at night.
        """
        house = (items.kind == kind_number('building')) & (np.abs(items.normal[:, 2]) < 0.5)
        index = np.flatnonzero(np.take(house, ids))
        if len(index):
            item, far = ids.ravel()[index], depth.ravel()[index]
            places = rays.points(index, far) + view.origin.astype(np.float32)
            normal = items.normal[item]
            along = places[:, 1] * normal[:, 0] - places[:, 0] * normal[:, 1]
            along += items.instance[item] % 97 * np.float32(22.4) + 4096.0
            size = far * np.float32(1.0 / view.spec.focal)
            where = self._panes.index(along, places[:, 2].clip(0.0), size)
            pane = self._panes.at(where)
            pixels = colour.reshape(-1, 4)
            below = pixels[index, :3].astype(np.float32)
            glass = np.array([60.0, 54.0, 48.0], np.float32)
            if lamps > 0.05:
                shining = self._lit.at(where) * np.float32(lamps)
                glass = glass + (_WARM - glass) * shining[:, None]
                inside = strength.ravel()
                inside[index] = np.maximum(inside[index], shining)
            pixels[index, :3] = below + (glass - below) * (pane * np.float32(0.85))[:, None]
        index = np.flatnonzero(np.take(items.kind == kind_number('crown'), ids))
        if len(index):
            far = depth.ravel()[index]
            places = rays.points(index, far) + view.origin.astype(np.float32)
            texel = (places * np.float32(9.0)).astype(np.int32)
            noise = self._leaves[(texel[:, 0] + texel[:, 1]) & 255, texel[:, 2] & 255]
            gain = 1.0 + np.float32(0.24) * noise * (25.0 / far).clip(0.25, 1.0)
            pixels = colour.reshape(-1, 4)
            pixels[index, :3] = (pixels[index, :3] * gain[:, None]).clip(0, 255)


def _facade(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where a wall has windows and in which of them there is light, (512, 512) each."""
    pane = np.zeros((_BAY, _BAY), np.float32)
    pane[10:25, 8:24] = 1.0
    pane[10:25, 15:17] = 0.55  # the frame
    panes = np.tile(pane, (16, 16))
    lit = (rng.random((16, 16)) < 0.34).astype(np.float32)
    return panes, panes * np.kron(lit, np.ones((_BAY, _BAY), np.float32))
