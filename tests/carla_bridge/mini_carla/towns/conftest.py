"""Each town is built once for all tests of this folder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.geometry import Town
from carla_bridge.mini_carla.towns import load_town
from carla_bridge.mini_carla.towns.catalogue import TOWNS

if TYPE_CHECKING:
    from carla_bridge.mini_carla.towns.network import Network


@cache
def _town(name: str) -> Town:
    return load_town(name, seed=3)


@pytest.fixture(params=tuple(TOWNS))
def town_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def town(town_name: str) -> Town:
    return _town(town_name)


@pytest.fixture
def network(town_name: str) -> Network:
    return TOWNS[town_name]().network
