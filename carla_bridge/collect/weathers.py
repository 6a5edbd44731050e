"""A plan's weather as `carla.WeatherParameters`, and back as plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carla_bridge.collect.plan_parts import WEATHER_VALUES, Weather
from carla_bridge.connection import CarlaError

if TYPE_CHECKING:
    import carla

__all__ = ['values_of', 'weather_parameters']


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
