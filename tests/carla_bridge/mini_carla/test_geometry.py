"""The contract between towns, renderer and server: transforms, and the towns by name."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.geometry import Town, Transform
from carla_bridge.mini_carla.towns import available_towns, load_town
from lane_seg.errors import LaneSegError

needs_carla = pytest.mark.skipif(
    importlib.util.find_spec('carla') is None, reason='needs the carla client'
)

ANGLES = st.floats(-180.0, 180.0)
LENGTHS = st.floats(-500.0, 500.0)


@pytest.mark.carla
@needs_carla
@given(x=LENGTHS, y=LENGTHS, z=LENGTHS, pitch=ANGLES, yaw=ANGLES, roll=ANGLES)
def test_a_transform_is_that_of_the_client(
    x: float, y: float, z: float, pitch: float, yaw: float, roll: float
) -> None:
    import carla

    theirs = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch, yaw, roll))
    ours = Transform(x, y, z, pitch, yaw, roll).matrix()
    np.testing.assert_allclose(ours, theirs.get_matrix(), atol=1e-4)


def test_the_right_hand_side_is_y_and_a_positive_yaw_turns_towards_it() -> None:
    ahead = Transform(yaw=90.0).matrix() @ (1.0, 0.0, 0.0, 1.0)
    np.testing.assert_allclose(ahead[:3], [0.0, 1.0, 0.0], atol=1e-12)


def test_a_positive_pitch_lifts_the_nose_and_a_positive_roll_drops_the_right_side() -> None:
    assert (Transform(pitch=10.0).matrix() @ (1.0, 0.0, 0.0, 1.0))[2] > 0
    assert (Transform(roll=10.0).matrix() @ (0.0, 1.0, 0.0, 1.0))[2] < 0


def test_no_town_bears_the_name_of_one_of_carlas_maps() -> None:
    names = available_towns()
    assert len(names) >= 4
    assert all(name.startswith('Town_') for name in names)


def test_an_unknown_town_is_refused_with_the_names_of_those_that_exist() -> None:
    with pytest.raises(LaneSegError, match="Town_ring.*'Town10HD'"):
        load_town('Town10HD')


def test_a_town_without_a_ground_of_its_own_is_flat() -> None:
    town = Town('Town_test', '', (), (), (), ())
    assert town.height(12.0, -7.0) == 0.0
