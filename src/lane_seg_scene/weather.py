"""Light and colours of one scene, drawn from its random generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ['Colour', 'Weather', 'random_weather']

Colour = NDArray[np.float64]
"""Blue, green, red as float64 of shape (3,), 0 to 255."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Everything that light does to a picture.

    Attributes:
        name: 'sun', 'overcast', 'dusk' or 'wet'.
        sky_top, sky_bottom: sky gradient, already exposed.
        cloud: amount of clouds, 0 to 1.
        light: factor per channel from surface colour to picture.
        sun: unit vector to the sun in the frame of the start of the road (x forward, y left).
        shadow: brightness left in shadow, 0 to 1 (1: no shadows).
        haze: colour of the far distance.
        haze_m: distance in metres over which 63 % of the contrast is lost.
        wetness: 0 to 1.
        lamps: cars and street lamps are lit.
    """

    name: str
    sky_top: Colour
    sky_bottom: Colour
    cloud: float
    light: Colour
    sun: Colour
    shadow: float
    haze: Colour
    haze_m: float
    wetness: float
    lamps: bool

    def lit(self, colour: tuple[float, float, float] | Colour, shade: float = 1.0) -> Colour:
        """Colour of a surface in this light."""
        return np.minimum(np.asarray(colour, np.float64) * self.light * shade, 250.0)

    def hazed(self, colour: Colour, distance_m: float) -> tuple[float, float, float]:
        """Colour as seen from `distance_m` metres away."""
        left = math.exp(-max(distance_m, 0.0) / self.haze_m)
        b, g, r = (colour * left + self.haze * (1.0 - left)).tolist()
        return b, g, r


def random_weather(rng: np.random.Generator) -> Weather:
    """Draw the weather: half of all scenes sunny, the others overcast, dusk or wet."""
    name = str(rng.choice(['sun', 'overcast', 'dusk', 'wet'], p=[0.5, 0.25, 0.1, 0.15]))
    exposure = float(rng.uniform(0.85, 1.2))
    azimuth = float(rng.uniform(0, 2 * math.pi))
    warm = float(rng.uniform(0.0, 0.12))
    tint = np.array([1.0 - warm, 1.0 - warm * 0.3, 1.0 + warm * 0.5])
    if name == 'sun':
        elevation = math.radians(float(rng.uniform(25, 65)))
        top, bottom = np.array([205.0, 140, 80]), np.array([240.0, 222, 200])
        if rng.random() < 0.35:  # the pale, warm haze of simulators
            top, bottom = np.array([200.0, 190, 180]), np.array([205.0, 232, 238])
        cloud, light, shadow = float(rng.uniform(0.0, 0.6)), 1.1, float(rng.uniform(0.42, 0.6))
        haze_m, wetness = float(rng.uniform(350, 1500)), 0.0
    elif name == 'overcast':
        elevation = math.radians(60.0)
        top, bottom = np.array([190.0, 182, 172]), np.array([225.0, 222, 218])
        cloud, light, shadow = 1.0, 0.88, 0.85
        haze_m, wetness = float(rng.uniform(150, 700)), 0.0
    elif name == 'dusk':
        elevation = math.radians(float(rng.uniform(8, 14)))
        top, bottom = np.array([140.0, 95, 70]), np.array([120.0, 165, 235])
        cloud, light, shadow = float(rng.uniform(0.2, 0.8)), 0.55, 0.65
        haze_m, wetness = float(rng.uniform(300, 900)), 0.0
        tint = tint * np.array([0.95, 0.95, 1.1])
    else:
        elevation = math.radians(50.0)
        top, bottom = np.array([165.0, 158, 150]), np.array([205.0, 202, 198])
        cloud, light, shadow = 1.0, 0.75, 0.9
        haze_m, wetness = float(rng.uniform(120, 400)), float(rng.uniform(0.5, 1.0))
    sky_bottom = np.minimum(bottom * exposure, 250.0)
    return Weather(
        name=name,
        sky_top=np.minimum(top * exposure, 250.0),
        sky_bottom=sky_bottom,
        cloud=cloud,
        light=light * exposure * tint,
        sun=np.array(
            [
                math.cos(elevation) * math.cos(azimuth),
                math.cos(elevation) * math.sin(azimuth),
                math.sin(elevation),
            ]
        ),
        shadow=shadow,
        haze=sky_bottom * np.array([0.98, 0.97, 0.95]),
        haze_m=haze_m,
        wetness=wetness,
        lamps=name in ('dusk', 'wet'),
    )
