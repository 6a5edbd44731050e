"""Weather as CARLA's clients set it, and the light that it makes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ['Light', 'Weather']


@dataclass(frozen=True)
class Weather:
    """CARLA's WeatherParameters, in their order on the wire; percentages run from 0 to 100.

    The defaults are CARLA's ClearNoon.

    Attributes:
        cloudiness: percent.
        precipitation: rain, percent.
        precipitation_deposits: puddles, percent.
        wind_intensity: percent; slants the rain and moves nothing else.
        sun_azimuth_angle: degrees; the renderer counts from the x axis towards y.
        sun_altitude_angle: degrees above the horizon, -90 to 90.
        fog_density: percent.
        fog_distance: metres in front of which there is no fog.
        fog_falloff: not shown: fog has the same density at all heights.
        wetness: percent.
        scattering_intensity: not shown.
        mie_scattering_scale: not shown.
        rayleigh_scattering_scale: not shown.
        dust_storm: percent.
    """

    cloudiness: float = 5.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth_angle: float = -1.0
    sun_altitude_angle: float = 45.0
    fog_density: float = 2.0
    fog_distance: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0


class Light:
    """What a weather does to a picture; colours are BGR, 255 is white.

    Args:
        weather: any values; those outside their range are clipped.

    Attributes:
        to_sun: (3,) float64, world direction to the sun or, at night, the moon.
        sun_up: whether the sun stands above the horizon.
        direct: strength of the sun, 0 to about 0.7.
        ambient: strength of the sky, 0.05 to about 0.55.
        tint: (3,) float32 factors of the light's colour.
        zenith, horizon: (3,) float32 colours of the sky.
        clouds: share of the sky that is covered, 0 to 1.
        cloud_bright, cloud_dark: (3,) float32 colours of clouds.
        haze: (3,) float32 colour of fog.
        haze_per_m: share of the light that fog takes per metre.
        haze_from_m: metres in front of which there is none.
        wet, puddles, rain: 0 to 1.
        wind: 0 to 1, slant of the rain.
        lamps: 0 by day to 1 at night, head lamps and street lamps.
    """

    def __init__(self, weather: Weather) -> None:
        altitude = float(np.clip(weather.sun_altitude_angle, -90.0, 90.0))
        cloudy = _share(weather.cloudiness)
        day = _smooth((altitude + 7.0) / 16.0)
        high = _smooth(altitude / 45.0)
        warm = _smooth((altitude + 9.0) / 9.0) * _smooth((26.0 - altitude) / 24.0)
        self.sun_up = altitude > 0.0
        rise, turn = math.radians(max(altitude, 4.0)), math.radians(weather.sun_azimuth_angle)
        if altitude < -8.0:
            rise = math.radians(50.0)
        self.to_sun = np.array(
            [math.cos(rise) * math.cos(turn), math.cos(rise) * math.sin(turn), math.sin(rise)]
        )
        clear = 1.0 - _smooth((cloudy - 0.2) / 0.7)
        self.direct = (0.38 + 0.32 * high) * day * clear * _smooth((altitude + 1.0) / 5.0)
        self.direct += 0.02 * (1.0 - day) * clear
        self.ambient = 0.075 + day * (0.30 + 0.12 * high + 0.16 * (1 - clear) * (0.5 + high / 2))
        # Cameras expose for what light there is.
        total = self.direct * float(self.to_sun[2]) + self.ambient
        exposure = (0.86 / max(total, 0.3)) ** 0.5
        self.direct, self.ambient = self.direct * exposure, self.ambient * exposure
        self.lamps = 1.0 - _smooth((altitude + 4.0) / 10.0)
        sunset = warm * (1.0 - 0.8 * cloudy)
        self.tint = _mix((1.0, 1.0, 1.0), (0.74, 0.90, 1.12), sunset)
        self.tint = _mix(self.tint, (1.18, 1.0, 0.86), (1 - day) * 0.6)
        dust = _share(weather.dust_storm)
        self.tint = _mix(self.tint, (0.72, 0.92, 1.05), dust * 0.8)
        zenith = _mix((224.0, 148.0, 82.0), (172.0, 168.0, 164.0), cloudy * 0.9)
        low = _mix((238.0, 218.0, 198.0), (196.0, 194.0, 190.0), cloudy)
        low = _mix(low, (104.0, 158.0, 244.0), sunset * 0.9)
        zenith = _mix(zenith, (150.0, 112.0, 104.0), sunset * 0.5)
        bright = 0.68 + 0.32 * high - 0.18 * _share(weather.precipitation)
        night_top, night_low = (26.0, 17.0, 12.0), (48.0, 36.0, 30.0)
        self.zenith = _mix(night_top, zenith * bright, day)
        self.horizon = _mix(night_low, low * (0.35 + 0.65 * bright), day)
        self.clouds = cloudy
        self.cloud_bright = _mix(
            (44.0, 38.0, 34.0), _mix((244, 243, 242), (150, 190, 250), sunset) * bright, day
        )
        self.cloud_dark = _mix((30.0, 25.0, 22.0), (150.0, 146.0, 142.0), day * bright)
        self.haze = _mix(self.horizon, (214.0, 212.0, 208.0), 0.55 * day)
        self.haze = _mix(self.haze, _mix((12.0, 22.0, 30.0), (96.0, 150.0, 190.0), day), dust)
        self.horizon = _mix(self.horizon, self.haze, dust)
        self.zenith = _mix(self.zenith, self.haze, 0.85 * dust)
        fog = _share(weather.fog_density)
        self.haze_per_m = 0.0006 + 0.055 * fog**1.7 + 0.004 * _share(weather.precipitation)
        self.haze_per_m += 0.02 * dust
        self.haze_from_m = max(0.0, weather.fog_distance)
        self.rain = _share(weather.precipitation)
        self.puddles = _share(weather.precipitation_deposits)
        self.wet = max(_share(weather.wetness), 0.75 * self.puddles, 0.9 * self.rain)
        self.wind = _share(weather.wind_intensity)


def _share(percent: float) -> float:
    """Turn a percentage into a number from 0 to 1."""
    return float(np.clip(percent / 100.0, 0.0, 1.0))


def _smooth(value: float) -> float:
    """Smooth step from 0 to 1 while the value goes from 0 to 1."""
    clipped = float(np.clip(value, 0.0, 1.0))
    return clipped * clipped * (3.0 - 2.0 * clipped)


def _mix(
    first: tuple[float, ...] | NDArray[np.float32],
    second: tuple[float, ...] | NDArray[np.float32],
    share: float,
) -> NDArray[np.float32]:
    """Blend two colours."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return a + (b - a) * np.float32(share)
