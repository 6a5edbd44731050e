"""What GNSS and IMU tell: exact values, without noise.

Axes and units are those of CARLA's documentation of `carla.GnssMeasurement` and
`carla.IMUMeasurement`; the geodetic formula is CARLA's, Mercator on a sphere about the reference
point of the map.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.vehicle import GRAVITY, Motion

__all__ = ['geolocation', 'imu_reading', 'reference_point']

_EARTH_RADIUS_M = 6378137.0
_GEO_REFERENCE = re.compile(r'\+(lat_0|lon_0)=([-+0-9.eE]+)')


def reference_point(opendrive: str) -> tuple[float, float]:
    """Return latitude and longitude of the origin, degrees; 0 where the text states none."""
    found = dict(_GEO_REFERENCE.findall(opendrive))
    return float(found.get('lat_0', 0.0)), float(found.get('lon_0', 0.0))


def geolocation(place: Transform, reference: tuple[float, float]) -> tuple[float, float, float]:
    """Return (latitude, longitude, altitude) in degrees, degrees, metres.

    Args:
        place: in the world, where y points south.
        reference: latitude and longitude of the origin, degrees.
    """
    latitude, longitude = reference
    scale = math.cos(math.radians(latitude)) * _EARTH_RADIUS_M
    east = scale * math.radians(longitude) + place.x
    north = scale * math.log(math.tan(math.radians(90.0 + latitude) / 2)) - place.y
    return (
        math.degrees(2 * math.atan(math.exp(north / scale))) - 90.0,
        math.degrees(east / scale),
        place.z,
    )


def imu_reading(place: Transform, motion: Motion) -> tuple[list[float], list[float], float]:
    """Return what an IMU feels.

    Args:
        place: of the IMU in the world.
        motion: of what it is attached to.

    Returns:
        Acceleration along its own axes, m/s^2, with what holds it against gravity; angular
        velocity about them, rad/s; compass in radians from north (-y), clockwise, 0 to 2 pi.
    """
    axes = place.matrix()[:3, :3]
    felt = np.add(motion.acceleration, (0.0, 0.0, GRAVITY))
    forward = axes[:, 0]
    compass = math.atan2(forward[0], -forward[1]) % math.tau
    return _along(axes, felt), _along(axes, np.radians(motion.angular_velocity)), compass


def _along(axes: np.ndarray, vector: Sequence[float] | np.ndarray) -> list[float]:
    return [float(value) for value in axes.T @ vector]
