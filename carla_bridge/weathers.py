"""A weather by name or by values: checked without the simulator, given to it, taken from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from carla_bridge.connection import CarlaError
from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if TYPE_CHECKING:
    import carla

__all__ = [
    'WEATHER_PRESETS',
    'WEATHER_VALUES',
    'Weather',
    'usable_name',
    'values_of',
    'weather_parameters',
]

# fmt: off
WEATHER_PRESETS: Final = (
    'Default', 'ClearNoon', 'CloudyNoon', 'WetNoon', 'WetCloudyNoon', 'MidRainyNoon',
    'HardRainNoon', 'SoftRainNoon', 'ClearSunset', 'CloudySunset', 'WetSunset', 'WetCloudySunset',
    'MidRainSunset', 'HardRainSunset', 'SoftRainSunset', 'ClearNight', 'CloudyNight', 'WetNight',
    'WetCloudyNight', 'SoftRainNight', 'MidRainyNight', 'HardRainNight', 'DustStorm',
)
"""Names of carla.WeatherParameters (0.9.16), known here so that a plan is checked without it."""

WEATHER_VALUES: Final = (
    'cloudiness', 'precipitation', 'precipitation_deposits', 'wind_intensity',
    'sun_azimuth_angle', 'sun_altitude_angle', 'fog_density', 'fog_distance', 'fog_falloff',
    'wetness', 'scattering_intensity', 'mie_scattering_scale', 'rayleigh_scattering_scale',
    'dust_storm',
)
"""Attributes of carla.WeatherParameters."""
# fmt: on

# Towns and weathers become parts of file names.
_NAME: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')


@dataclass(frozen=True)
class Weather:
    """A weather.

    Attributes:
        name: part of file names; that of a preset stands for the preset.
        base: the preset whose values are taken where `values` has none.
        values: {attribute of carla.WeatherParameters: value}.
    """

    name: str
    base: str = ''
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not usable_name(self.name):
            raise LaneSegError(
                f'weathers: expected letters, digits and _ . - as a name, found {self.name!r}; '
                'it becomes part of file names'
            )
        if not self.base:
            fallback = self.name if self.name in WEATHER_PRESETS else 'ClearNoon'
            object.__setattr__(self, 'base', fallback)
        if self.base not in WEATHER_PRESETS:
            raise LaneSegError(
                f'weathers: expected a preset of carla.WeatherParameters as base of '
                f'{self.name!r}, found {self.base!r}{nearest(self.base, WEATHER_PRESETS)}'
            )
        for key in self.values:
            if key not in WEATHER_VALUES:
                raise LaneSegError(
                    f'weathers: unknown value {key!r} of {self.name!r}'
                    f'{nearest(key, WEATHER_VALUES)}'
                )
        if self.name in WEATHER_PRESETS and (self.values or self.base != self.name):
            raise LaneSegError(
                f'weathers: expected a name of its own for a weather with values, found that of '
                f'the preset {self.name}; call it My{self.name}, for example'
            )

    def plain(self) -> str | dict[str, object]:
        """As it stands in a plan."""
        if self.name in WEATHER_PRESETS:
            return self.name
        return {'name': self.name, 'base': self.base, **self.values}


def weather_parameters(weather: Weather) -> carla.WeatherParameters:
    """Return a preset with the plan's values on top.

    Raises:
        CarlaError: the installed version of CARLA does not have the preset or a value.
    """
    import carla

    preset = getattr(carla.WeatherParameters, weather.base, None)
    if preset is None:
        raise CarlaError(
            f'expected a weather preset of the installed carla package, found {weather.base!r}, '
            'which this version lacks; choose another base'
        )
    # A copy: the presets are shared by everything in the process.
    parameters = carla.WeatherParameters()
    for name, value in {**values_of(preset), **weather.values}.items():
        if not hasattr(parameters, name):
            raise CarlaError(
                f'expected values that the installed carla package knows, found {name!r} of the '
                f'weather {weather.name}; leave it out'
            )
        setattr(parameters, name, value)
    return parameters


def values_of(parameters: carla.WeatherParameters) -> dict[str, float]:
    """Return {attribute: value} of a weather, as far as this version of CARLA has them."""
    return {
        name: float(getattr(parameters, name))
        for name in WEATHER_VALUES
        if hasattr(parameters, name)
    }


def usable_name(name: str) -> bool:
    """Whether a name can be part of a file name: letters, digits and _ . - only."""
    return _NAME.fullmatch(name) is not None
