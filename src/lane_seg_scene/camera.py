"""Pinhole camera over a flat ground: projection, near clipping, intrinsic matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ['NEAR_M', 'PinholeCamera', 'clip_near']

NEAR_M = 0.3
"""Depth in metres in front of which nothing is drawn."""


@dataclass(frozen=True, kw_only=True)
class PinholeCamera:
    """Camera without roll and distortion, at (x, y, z) of a right-handed world.

    The world has x forward, y left, z up, in metres; angles are in radians, positive yaw turns
    left, positive pitch looks up. Camera coordinates are the optical frame of ROS: x right,
    y down, z depth. Pixel centres have integer coordinates. Without roll every image row sees
    the ground at one single distance, which is what makes the ground cheap to draw.
    """

    height: int
    width: int
    fov_deg: float
    x: float = 0.0
    y: float = 0.0
    z: float = 1.5
    yaw: float = 0.0
    pitch: float = 0.0

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return self.width / (2.0 * math.tan(math.radians(self.fov_deg) / 2.0))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Intrinsic matrix K of shape (3, 3) as in sensor_msgs/CameraInfo."""
        f = self.focal
        return np.array([[f, 0.0, self.width / 2], [0.0, f, self.height / 2], [0.0, 0.0, 1.0]])

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Matrix of shape (3, 3) from world axes to camera axes."""
        cy, sy = math.cos(self.yaw), math.sin(self.yaw)
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        return np.array([[sy, -cy, 0.0], [sp * cy, sp * sy, -cp], [cp * cy, cp * sy, sp]])

    @property
    def horizon(self) -> float:
        """Row (fractional) at which the ground vanishes; it may lie outside the image."""
        return self.height / 2 + self.focal * math.tan(self.pitch)

    def to_camera(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn world points (..., 3) into camera coordinates (..., 3)."""
        moved = points - np.array([self.x, self.y, self.z])
        turned: NDArray[np.float64] = moved @ self.rotation.T
        return turned

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project camera points (..., 3) with positive depth to pixels (..., 2) as (u, v)."""
        scale = self.focal / points[..., 2:]
        middle = np.array([self.width / 2, self.height / 2])
        uv: NDArray[np.float64] = points[..., :2] * scale + middle
        return uv

    def ground_distance(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance along the ground, in metres, seen by each (fractional) row below the horizon.

        Args:
            rows: any shape, larger than `horizon`.

        Returns:
            Forward distance from the foot of the camera; same shape.
        """
        y = (rows - self.height / 2) / self.focal
        down = math.cos(self.pitch) * y - math.sin(self.pitch)
        forward = math.cos(self.pitch) + math.sin(self.pitch) * y
        return self.z * forward / down

    def ground_scale(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Metres to the side per pixel on the ground in each (fractional) row; same shape."""
        y = (rows - self.height / 2) / self.focal
        down = math.cos(self.pitch) * y - math.sin(self.pitch)
        return self.z / (down * self.focal)


def clip_near(polygon: NDArray[np.float64], near: float = NEAR_M) -> NDArray[np.float64]:
    """Cut a polygon (N, 3) in camera coordinates at depth `near` (Sutherland-Hodgman).

    Returns:
        The part with depth >= near, of shape (M, 3); M is 0 when nothing is left.
    """
    depth = polygon[:, 2]
    if depth.min() >= near:
        return polygon
    kept: list[NDArray[np.float64]] = []
    for index in range(len(polygon)):
        a, b = polygon[index - 1], polygon[index]
        if (a[2] >= near) != (b[2] >= near):
            cut = a + (near - a[2]) / (b[2] - a[2]) * (b - a)
            cut[2] = near
            kept.append(cut)
        if b[2] >= near:
            kept.append(b)
    return np.array(kept) if len(kept) >= 3 else np.empty((0, 3))
