"""Weather as the client knows it, and the light that follows."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.render.weather import Light, Weather

anything = st.floats(-1000.0, 1000.0)


@pytest.mark.carla
@pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the carla client')
def test_the_fields_and_defaults_are_those_of_the_clients_clear_noon() -> None:
    import carla

    noon = carla.WeatherParameters.ClearNoon
    for field in dataclasses.fields(Weather):
        assert getattr(noon, field.name) == pytest.approx(field.default), field.name


@given(st.builds(Weather, *[anything] * 14))
def test_any_weather_makes_light_that_can_be_drawn(weather: Weather) -> None:
    light = Light(weather)
    for colour in (light.zenith, light.horizon, light.haze, light.cloud_bright, light.cloud_dark):
        assert np.isfinite(colour).all()
        assert (colour >= 0).all()
    assert np.linalg.norm(light.to_sun) == pytest.approx(1.0)
    assert light.to_sun[2] > 0
    assert light.ambient > 0.03
    assert light.direct >= 0
    assert 0 <= light.lamps <= 1
    assert light.haze_per_m > 0
    assert light.haze_from_m >= 0


def test_light_falls_from_noon_over_dusk_to_night_and_lamps_go_on() -> None:
    noon, dusk, night = (Light(Weather(sun_altitude_angle=a)) for a in (60.0, -3.0, -60.0))
    assert noon.ambient + noon.direct > dusk.ambient + dusk.direct
    assert dusk.ambient + dusk.direct > night.ambient + night.direct
    assert noon.lamps == 0.0
    assert night.lamps == 1.0


def test_clouds_take_the_sun_and_leave_the_sky() -> None:
    clear, overcast = Light(Weather(cloudiness=0.0)), Light(Weather(cloudiness=100.0))
    assert overcast.direct < 0.05 * clear.direct
    assert overcast.ambient > clear.ambient


def test_more_fog_takes_more_light_per_metre() -> None:
    densities = [Light(Weather(fog_density=f)).haze_per_m for f in (0.0, 20.0, 60.0, 100.0)]
    assert densities == sorted(set(densities))
