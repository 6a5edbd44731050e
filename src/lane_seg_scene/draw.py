"""Drawing of solid things: polygons, textured walls and sprites on picture and label."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.camera import NEAR_M, PinholeCamera, clip_near

__all__ = ['Canvas']

_SHIFT = 4  # bits of sub-pixel precision of OpenCV's polygon drawing


class Canvas:
    """Picture and label under one camera; whatever is drawn hides the road in both.

    Args:
        camera: the camera.
        image: BGR uint8 (H, W, 3), drawn into.
        label: uint8 (H, W), set to 0 where something stands.
    """

    def __init__(
        self, camera: PinholeCamera, image: NDArray[np.uint8], label: NDArray[np.uint8]
    ) -> None:
        self.camera = camera
        self.image = image
        self.label = label

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32] | None:
        """Clip and project a polygon (N, 3) of camera points to sub-pixel integers (M, 2).

        Returns:
            None when the polygon lies outside the image.
        """
        clipped = clip_near(points)
        if not len(clipped):
            return None
        uv = self.camera.project(clipped)
        low, high = uv.min(axis=0), uv.max(axis=0)
        if low[0] > self.camera.width or low[1] > self.camera.height or high.min() < -1:
            return None
        # Far outside the image OpenCV's integers would overflow.
        return np.round(np.clip(uv, -30000, 30000) * (1 << _SHIFT)).astype(np.int32)

    def polygon(self, points: NDArray[np.float64], colour: Sequence[float]) -> None:
        """Draw a filled polygon (N, 3) of camera points that hides the road."""
        uv = self.pixels(points)
        if uv is not None:
            cv2.fillPoly(self.image, [uv], colour, cv2.LINE_AA, _SHIFT)
            cv2.fillPoly(self.label, [uv], (0,), cv2.LINE_8, _SHIFT)

    def quads(self, points: NDArray[np.float64], colours: NDArray[np.float64]) -> None:
        """Draw quadrangles (N, 4, 3) of camera points in `colours` (N, 3), in this order."""
        if not len(points):
            return
        if points[..., 2].min() < NEAR_M:
            for quad, colour in zip(points, colours.tolist(), strict=True):
                self.polygon(quad, colour)
            return
        uv = np.clip(self.camera.project(points), -30000, 30000) * (1 << _SHIFT)
        for quad, colour in zip(np.round(uv).astype(np.int32), colours.tolist(), strict=True):
            cv2.fillConvexPoly(self.image, quad, colour, cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(self.label, quad, (0,), cv2.LINE_8, _SHIFT)

    def shade(
        self, outline: NDArray[np.float64], level: float, gain: NDArray[np.uint8], first: int
    ) -> None:
        """Draw a filled polygon on the ground into a brightness map.

        Args:
            outline: world points (N, 2) on the ground.
            level: brightness, 0 to 255.
            gain: uint8 (R, W), rows of the image from `first` on.
            first: image row of the first row of `gain`.
        """
        uv = self.pixels(self.camera.to_camera(np.pad(outline, ((0, 0), (0, 1)))))
        if uv is not None:
            uv[:, 1] -= first << _SHIFT
            cv2.fillPoly(gain, [uv], (level,), cv2.LINE_AA, _SHIFT)

    def wall(
        self,
        corner: NDArray[np.float64],
        along: NDArray[np.float64],
        up: NDArray[np.float64],
        texture: NDArray[np.uint8],
    ) -> None:
        """Draw a textured parallelogram that hides the road.

        Args:
            corner: top left corner of the texture in camera coordinates (3,).
            along: from there to the top right corner (3,).
            up: from there to the bottom left corner (3,).
            texture: BGRA uint8 (h, w, 4), opaque: four channels are the fastest to warp.
        """
        if corner[2] + along[2] < NEAR_M:
            return
        if corner[2] < NEAR_M:  # a homography would mirror what lies behind the camera
            behind = (NEAR_M - corner[2]) / along[2]
            texture = texture[:, int(behind * texture.shape[1]) :]
            if not texture.shape[1]:
                return
            corner, along = corner + along * behind, along * (1.0 - behind)
        outline = np.array([corner, corner + along, corner + along + up, corner + up])
        uv = self.pixels(outline)
        if uv is None:
            return
        limit = np.array([self.camera.width, self.camera.height])
        x0, y0 = np.maximum(uv.min(axis=0) // (1 << _SHIFT), 0).tolist()
        x1, y1 = np.minimum(uv.max(axis=0) // (1 << _SHIFT) + 2, limit).tolist()
        if x1 <= x0 or y1 <= y0:
            return
        height, width = texture.shape[:2]
        window = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ self.camera.matrix
        matrix = window @ np.stack([along / width, up / height, corner], axis=1)
        warped = cv2.warpPerspective(texture, matrix, (x1 - x0, y1 - y0))
        mask = cv2.extractChannel(warped, 3)
        cv2.threshold(mask, 127, 255, cv2.THRESH_BINARY, dst=mask)
        bgr = cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR)
        cv2.copyTo(bgr, mask, self.image[y0:y1, x0:x1])
        here = self.label[y0:y1, x0:x1]
        cv2.bitwise_and(here, cv2.bitwise_not(mask), dst=here)

    def sprite(
        self,
        foot: NDArray[np.float64],
        height_m: float,
        picture: NDArray[np.uint8],
        mask: NDArray[np.uint8],
    ) -> None:
        """Draw an upright flat picture whose bottom centre stands at `foot`.

        Args:
            foot: camera point (3,) with positive depth.
            height_m: height of the picture in metres.
            picture: BGR uint8 (h, w, 3).
            mask: uint8 (h, w), 255 where the picture is opaque.
        """
        rows, columns = mask.shape
        u, v = self.camera.project(foot).tolist()
        scale = self.camera.focal * height_m / float(foot[2]) / rows  # image pixels per texel
        left, top = u - columns * scale / 2, v - rows * scale
        x0, x1 = max(int(left), 0), min(int(left + columns * scale), self.camera.width)
        y0, y1 = max(int(top), 0), min(int(v), self.camera.height)
        if x1 <= x0 or y1 <= y0:
            return
        matrix = np.array([[1.0, 0.0, x0 - left], [0.0, 1.0, y0 - top]]) / scale
        flags = cv2.WARP_INVERSE_MAP
        size = (x1 - x0, y1 - y0)
        part = cv2.warpAffine(picture, matrix, size, flags=flags | cv2.INTER_LINEAR)
        shape = cv2.warpAffine(mask, matrix, size, flags=flags | cv2.INTER_NEAREST)
        cv2.copyTo(part, shape, self.image[y0:y1, x0:x1])
        here = self.label[y0:y1, x0:x1]
        cv2.bitwise_and(here, cv2.bitwise_not(shape), dst=here)
