"""Shadows and pools of lamp light on the ground, as a map seen from above.

A map of the ground around the camera needs no care for what hides what: a pixel of ground looks
up its own place. Shadows fall on the height of the foot of what throws them, which is right on
level ground and close to it on slopes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.boxes import BoxSet
from carla_bridge.mini_carla.render.camera import View
from carla_bridge.mini_carla.render.labels import kind_number
from carla_bridge.mini_carla.render.weather import Light

__all__ = ['LightMap']

_SIZE = 1024
_TEXEL_M = 0.12
_AHEAD_M = 42.0  # the map's middle lies ahead of the camera
_LONGEST = 7.0  # shadow length by height at most: the sun is never drawn lower
_LAMP_HEIGHT_M = 3.5
_SHIFT = 4
_UNDER = 105  # below a vehicle little of the sky is seen
_RING = np.stack(
    [f(np.linspace(0, 2 * math.pi, 16, endpoint=False)) for f in (np.cos, np.sin)], axis=1
)


class LightMap:
    """Light on the ground near a camera.

    Args:
        view: the camera.
        light: of the weather.
        sets: everything that throws shadows.

    Attributes:
        shade: (1024, 1024) uint8, 255 in the open, less in shadows.
        pools: the same size, light of lamps of others, 0 for none; None by day.
    """

    def __init__(self, view: View, light: Light, sets: tuple[BoxSet, ...]) -> None:
        ahead = view.rotation[2, :2]
        length = max(float(np.hypot(*ahead)), 1e-6)
        self._origin = view.origin[:2]
        self._low = view.origin[:2] + ahead / length * _AHEAD_M - _SIZE * _TEXEL_M / 2
        self.shade: NDArray[np.uint8] = np.full((_SIZE, _SIZE), 255, np.uint8)
        self.pools: NDArray[np.uint8] | None = None
        if light.lamps > 0.05:
            self.pools = np.zeros((_SIZE, _SIZE), np.uint8)
        total = light.direct * float(light.to_sun[2]) + light.ambient
        level = int(255 * light.ambient / max(total, 1e-6))
        reach = _SIZE * _TEXEL_M * 0.9
        for boxes in sets:
            offset = boxes.centre[:, :2] - self._low - _SIZE * _TEXEL_M / 2
            near = np.abs(offset).max(axis=1, initial=0.0) < reach
            if light.direct > 0.05:
                self._throw(boxes, np.flatnonzero(near), light, level)
            vehicles = near & (boxes.kind == kind_number('vehicle'))
            self._darken_under(boxes, np.flatnonzero(vehicles))
            if self.pools is not None:
                self._beam(boxes, np.flatnonzero(vehicles))
                posts = near & (boxes.kind == kind_number('pole'))
                posts &= boxes.extent[:, 2] * 2 > _LAMP_HEIGHT_M
                self._pool(boxes, np.flatnonzero(posts))
        cv2.blur(self.shade, (3, 3), dst=self.shade)
        if self.pools is not None:
            cv2.blur(self.pools, (15, 15), dst=self.pools)

    def _fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Turn world points (N, 2) into OpenCV's fixed-point coordinates of the map."""
        texels = (points - self._low) / _TEXEL_M - 0.5
        return np.rint(texels * (1 << _SHIFT)).astype(np.int32)

    def _throw(self, boxes: BoxSet, which: NDArray[np.intp], light: Light, level: int) -> None:
        """Draw the shadows that boxes throw in the sun."""
        sun = light.to_sun
        steep = max(float(np.hypot(sun[0], sun[1])) / max(float(sun[2]), 1e-3), 1e-6)
        lean = -sun[:2] / float(np.hypot(*sun[:2])) * min(steep, _LONGEST)
        floor = boxes.corners[..., 2].min(axis=1)
        for index in which.tolist():
            if boxes.crown[index]:
                wide, _, high = boxes.extent[index].tolist()
                # A crown hangs in the air: the ground below it is about two radii down.
                up = high + 1.6
                middle = boxes.centre[index, :2] + lean * up
                along = lean / max(float(np.hypot(*lean)), 1e-6)
                side = np.array([-along[1], along[0]])
                long = math.hypot(wide, high * min(steep, _LONGEST))
                ragged = 1.0 + 0.16 * np.sin(np.arange(16) * 2.7 + index)
                ring = _RING * ragged[:, None]
                outline = middle + ring[:, :1] * long * along + ring[:, 1:] * wide * side
                cv2.fillPoly(self.shade, [self._fixed(outline)], level, cv2.LINE_AA, _SHIFT)
                continue
            corners = boxes.corners[index]
            thrown = corners[:, :2] + lean * (corners[:, 2:] - floor[index])
            hull = cv2.convexHull(self._fixed(thrown))
            cv2.fillConvexPoly(self.shade, hull, level, cv2.LINE_AA, _SHIFT)

    def _darken_under(self, boxes: BoxSet, which: NDArray[np.intp]) -> None:
        """Draw the dark patch below each vehicle."""
        for index in which.tolist():
            hull = cv2.convexHull(self._fixed(boxes.corners[index, :4, :2]))
            cv2.fillConvexPoly(self.shade, hull, _UNDER, cv2.LINE_AA, _SHIFT)

    def _beam(self, boxes: BoxSet, which: NDArray[np.intp]) -> None:
        """Draw the light of each vehicle's head lamps."""
        assert self.pools is not None
        for index in which.tolist():
            ahead, side = boxes.axes[index, 0, :2], boxes.axes[index, 1, :2]
            nose = boxes.centre[index, :2] + ahead * boxes.extent[index, 0]
            for far, wide, level in ((22.0, 5.0, 40), (15.0, 3.4, 84), (8.0, 2.0, 140)):
                end = nose + ahead * far
                beam = np.stack(
                    [nose - side * 0.5, end - side * wide, end + side * wide, nose + side * 0.5]
                )
                cv2.fillConvexPoly(self.pools, self._fixed(beam), level, cv2.LINE_AA, _SHIFT)

    def _pool(self, boxes: BoxSet, which: NDArray[np.intp]) -> None:
        """Draw the light below each street lamp."""
        assert self.pools is not None
        for index in which.tolist():
            height = float(boxes.extent[index, 2]) * 2
            for size, level in ((1.4, 40), (1.05, 84), (0.75, 136), (0.45, 190)):
                ring = boxes.centre[index, :2] + _RING * height * size
                cv2.fillConvexPoly(self.pools, self._fixed(ring), level, cv2.LINE_AA, _SHIFT)

    def look(
        self, plane: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Look one of the maps up.

        Args:
            plane: `shade` or `pools`.
            x: metres along the world's x axis from the camera; (H, W).
            y: the same along y.

        Returns:
            (H, W) uint8; outside the map 255 for `shade` and 0 for `pools`.
        """
        scale, shift = np.float32(1.0 / _TEXEL_M), (self._origin - self._low) / _TEXEL_M - 0.5
        found = cv2.remap(
            plane,
            x * scale + np.float32(shift[0]),
            y * scale + np.float32(shift[1]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=255 if plane is self.shade else 0,
        )
        return np.asarray(found, np.uint8)
