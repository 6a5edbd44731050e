"""CARLA's camera: intrinsics from its field of view, and the projection of world points.

CARLA's world frame is Unreal's: x forward, y RIGHT, z up, metres. The optical frame is that of
ROS (REP 103): x right, y down, z depth. Image coordinates (u, v) are continuous with (0, 0) at
the upper left corner of the image: the centre of the pixel in row r, column c is
(c + 0.5, r + 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ['OPTICAL_FROM_CARLA', 'PinholeCamera']

OPTICAL_FROM_CARLA: NDArray[np.float64] = np.array(
    [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]
)
"""(3, 3) from the axes of a CARLA sensor to those of its optical frame."""
OPTICAL_FROM_CARLA.setflags(write=False)


@dataclass(frozen=True)
class PinholeCamera:
    """Size in pixels and horizontal field of view in degrees of a camera without distortion."""

    width: int
    height: int
    fov_deg: float

    @property
    def focal(self) -> float:
        """Focal length in pixels, the same on both axes."""
        return self.width / (2.0 * math.tan(math.radians(self.fov_deg) / 2.0))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Intrinsic matrix K, (3, 3), as in sensor_msgs/CameraInfo."""
        f = self.focal
        return np.array([[f, 0.0, self.width / 2], [0.0, f, self.height / 2], [0.0, 0.0, 1.0]])

    def to_optical(
        self, points: NDArray[np.float64], world_from_sensor: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Turn world points into the optical frame.

        Args:
            points: (..., 3) metres.
            world_from_sensor: (4, 4), `carla.Transform.get_matrix()` of the camera.

        Returns:
            (..., 3) metres: x right, y down, z depth.
        """
        rotation = world_from_sensor[:3, :3] @ OPTICAL_FROM_CARLA.T
        return (points - world_from_sensor[:3, 3]) @ rotation

    def project(self, optical: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project points of the optical frame, of positive depth.

        Args:
            optical: (..., 3) metres.

        Returns:
            (..., 2) float64 (u, v) in pixels.
        """
        uv = optical[..., :2] * (self.focal / optical[..., 2:])
        return uv + np.array([self.width / 2, self.height / 2])
