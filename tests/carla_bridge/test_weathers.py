"""A plan's weathers become those of the real client, and back."""

from __future__ import annotations

import pytest

carla = pytest.importorskip('carla', reason='needs the carla client')

from carla_bridge.weathers import (  # noqa: E402
    WEATHER_PRESETS,
    WEATHER_VALUES,
    Weather,
    values_of,
    weather_parameters,
)

pytestmark = pytest.mark.carla


@pytest.mark.parametrize('name', WEATHER_PRESETS)
def test_a_preset_is_the_preset(name: str) -> None:
    assert weather_parameters(Weather(name)) == getattr(carla.WeatherParameters, name)


def test_values_stand_on_top_of_a_base_which_stays_as_it_was() -> None:
    before = values_of(carla.WeatherParameters.WetNoon)
    made = weather_parameters(Weather('foggy', 'WetNoon', {'fog_density': 40.0}))
    assert values_of(made) == {**before, 'fog_density': 40.0}
    assert values_of(carla.WeatherParameters.WetNoon) == before


def test_each_value_is_one_of_the_client() -> None:
    assert set(values_of(carla.WeatherParameters())) == set(WEATHER_VALUES)
