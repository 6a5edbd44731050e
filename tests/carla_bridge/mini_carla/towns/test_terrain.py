"""The land: level with the roads that it meets, smooth between them, never above them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carla_bridge.mini_carla.towns import load_town
from carla_bridge.mini_carla.towns.catalogue import TOWNS
from carla_bridge.mini_carla.towns.network import evaluate
from carla_bridge.mini_carla.towns.terrain import HillyGround, RoadSamples

NETWORK = TOWNS['Town_hills']().network
GROUND = HillyGround(RoadSamples(NETWORK))


@given(index=st.integers(0, 3), share=st.floats(0.0, 1.0), t=st.floats(-3.9, 3.9))
def test_the_ground_of_a_road_has_the_height_of_its_profile(
    index: int, share: float, t: float
) -> None:
    road = NETWORK.roads[index]
    s = np.array([share * road.curve.length])
    x, y, z = road.points(s, t)[0].tolist()
    assert GROUND(x, -y) == pytest.approx(z, abs=2e-3)
    assert z == pytest.approx(float(evaluate(road.elevation, s)[0]))


@settings(max_examples=40)
@given(x=st.floats(-300.0, 400.0), y=st.floats(-450.0, 100.0), angle=st.floats(0.0, 6.3))
def test_the_land_has_no_steps(x: float, y: float, angle: float) -> None:
    along = np.linspace(0, 30.0, 301)
    z = GROUND.heights(x + along * np.cos(angle), y + along * np.sin(angle))
    # 1.2 m over 1 m would be a cliff; a step would show as more than a metre in 10 cm.
    assert abs(np.diff(z)).max() < 0.12


@given(x=st.floats(-400.0, 500.0), y=st.floats(-550.0, 200.0))
def test_cells_lie_at_or_below_the_ground(x: float, y: float) -> None:
    at = np.array([x]), np.array([y])
    assert GROUND.sunk(*at)[0] <= GROUND.heights(*at)[0] + 1e-9


def test_the_hills_are_hills_and_the_other_towns_are_flat() -> None:
    z = [point.z for point in load_town('Town_hills').spawn_points]
    assert max(z) - min(z) > 10
    assert load_town('Town_ring').height(50.0, 30.0) == 0.0


def test_clearance_is_measured_from_the_outermost_border() -> None:
    network = TOWNS['Town_ring']().network
    samples = RoadSamples(network)
    road = network.roads[0]
    outer = abs(road.edge_t(0.0, 1, ('driving', 'shoulder', 'sidewalk')))
    x, y, _ = road.points(np.array([20.0]), outer + 5.0)[0].tolist()
    assert samples.clearance(x, y) == pytest.approx(5.0, abs=0.05)
    on_it = road.points(np.array([20.0]), 1.0)[0].tolist()
    assert samples.clearance(on_it[0], on_it[1]) < 0
