"""Poses, velocities and stamps: from CARLA's left-handed world to the frames of ROS.

CARLA: x forward, y RIGHT, z up. ROS (REP 103): x forward, y LEFT, z up, right-handed. A pose of
one is the same pose of the other seen in a mirror: with S = diag(1, -1, 1), a rotation R becomes
S R S. Frames of cameras are optical besides: x right, y down, z depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    Quaternion,
    Transform,
    TransformStamped,
    Twist,
    Vector3,
)
from numpy.typing import NDArray
from std_msgs.msg import Header

from carla_bridge.pinhole import OPTICAL_FROM_CARLA

__all__ = ['RosPose', 'stamp_parts', 'twist_of']

_MIRROR = np.diag([1.0, -1.0, 1.0])


@dataclass(frozen=True)
class RosPose:
    """Where a frame of ROS is, seen from its parent.

    Attributes:
        position: (x, y, z) metres.
        rotation: quaternion (x, y, z, w) of length 1.
    """

    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]

    @classmethod
    def of(cls, matrix: NDArray[np.float64], *, optical: bool = False) -> RosPose:
        """Turn a pose of CARLA around.

        Args:
            matrix: (4, 4) parent from child, `carla.Transform.get_matrix()`.
            optical: whether the child is a camera, whose frame in ROS is the optical one.
        """
        child_axes = OPTICAL_FROM_CARLA.T if optical else _MIRROR
        x, y, z = (float(value) for value in _MIRROR @ matrix[:3, 3])
        return cls((x, y, z), _quaternion(_MIRROR @ matrix[:3, :3] @ child_axes))

    def transform_msg(self, header: Header, child: str) -> TransformStamped:
        """Write it for tf; the parent is the header's frame."""
        x, y, z = self.position
        return TransformStamped(
            header=header,
            child_frame_id=child,
            transform=Transform(
                translation=Vector3(x=x, y=y, z=z), rotation=self._quaternion_msg()
            ),
        )

    def pose_msg(self) -> Pose:
        """Write it for odometry."""
        x, y, z = self.position
        return Pose(position=Point(x=x, y=y, z=z), orientation=self._quaternion_msg())

    def _quaternion_msg(self) -> Quaternion:
        x, y, z, w = self.rotation
        return Quaternion(x=x, y=y, z=z, w=w)


def twist_of(
    matrix: NDArray[np.float64],
    velocity: tuple[float, float, float],
    angular_velocity: tuple[float, float, float],
) -> Twist:
    """Write velocities in the vehicle's own frame, as nav_msgs/Odometry wants them.

    Args:
        matrix: (4, 4) world from vehicle, `carla.Transform.get_matrix()`.
        velocity: m/s, in CARLA's world.
        angular_velocity: degrees a second, in CARLA's world.
    """
    to_vehicle = _MIRROR @ matrix[:3, :3].T
    linear = to_vehicle @ np.array(velocity)
    # A rotation changes its sense in a mirror, whatever its axis.
    angular = -(to_vehicle @ np.radians(np.array(angular_velocity)))
    return Twist(
        linear=Vector3(**dict(zip('xyz', map(float, linear), strict=True))),
        angular=Vector3(**dict(zip('xyz', map(float, angular), strict=True))),
    )


def stamp_parts(seconds: float) -> tuple[int, int]:
    """Split simulation time into (seconds, nanoseconds), rounded to the next nanosecond."""
    whole = math.floor(seconds)
    nanoseconds = round((seconds - whole) * 1e9)
    return (whole + 1, 0) if nanoseconds == 1_000_000_000 else (whole, nanoseconds)


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Quaternion (x, y, z, w) of a (3, 3) rotation.

    The largest of the four is found first and the others by division through it, so that none of
    them loses its digits ("Quaternion from Rotation Matrix", Journal of Guidance and Control 1(3),
    1978, p. 223).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    trace = xx + yy + zz
    largest = max(trace, xx, yy, zz)
    if largest == trace:
        parts = (zy - yz, xz - zx, yx - xy, 1.0 + trace)
    elif largest == xx:
        parts = (1.0 + xx - yy - zz, xy + yx, xz + zx, zy - yz)
    elif largest == yy:
        parts = (xy + yx, 1.0 - xx + yy - zz, yz + zy, xz - zx)
    else:
        parts = (xz + zx, yz + zy, 1.0 - xx - yy + zz, yx - xy)
    length = math.sqrt(sum(part * part for part in parts))
    x, y, z, w = (part / length for part in parts)
    return x, y, z, w
