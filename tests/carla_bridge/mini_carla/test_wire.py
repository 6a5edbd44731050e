"""Layouts that the real client's debug information states, and angles that it computes."""

from __future__ import annotations

import math
import struct
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.wire import (
    EpisodeSettings,
    VehicleControl,
    actor_record,
    camera_body_header,
    episode_header,
    frame_header,
    token,
    transform_from_matrix,
    transform_from_wire,
    transform_to_wire,
)

metres = st.floats(-1e4, 1e4)
transforms = st.builds(
    Transform,
    *(metres,) * 3,
    pitch=st.floats(-89.0, 89.0),
    yaw=st.floats(-179.9, 179.9),
    roll=st.floats(-179.9, 179.9),
)


def test_every_record_has_the_size_of_the_clients_struct() -> None:
    assert len(frame_header(17, 1, 0.0, Transform())) == 48
    assert len(episode_header(1, 0.0, 0.05, map_changed=True)) == 36
    assert len(actor_record(7, Transform(), (0.0,) * 9)) == 119
    assert len(actor_record(7, Transform(), (0.0,) * 9, VehicleControl(), 50.0)) == 119
    assert len(token(3, 2001)) == 24
    assert len(camera_body_header(640, 360, 90.0)) == 12


def test_the_control_of_a_vehicle_stands_where_the_client_reads_it() -> None:
    control = VehicleControl(0.5, -0.25, 1.0, True, False, True, 3)
    record = actor_record(7, Transform(1, 2, 3, 4, 5, 6), range(9), control, 50.0)
    assert struct.unpack_from('<IB', record) == (7, 1)
    assert struct.unpack_from('<15f', record, 5) == (*range(1, 7), *range(9))
    assert struct.unpack_from('<3f3?if', record, 65) == (*astuple(control), 50.0)


@given(transforms)
def test_a_transform_survives_its_matrix(transform: Transform) -> None:
    again = transform_from_matrix(transform.matrix())
    assert np.allclose(again.matrix(), transform.matrix(), atol=1e-9)
    assert again.pitch == pytest.approx(transform.pitch, abs=1e-5)


@given(transforms)
def test_a_transform_survives_the_wire(transform: Transform) -> None:
    assert transform_from_wire(transform_to_wire(transform)) == transform


@pytest.mark.parametrize(
    'value', [[[0, 0, 0], [0, 0]], [[math.nan, 0, 0], [0, 0, 0]], 'x', [[0, math.inf, 0], [0] * 3]]
)
def test_a_transform_that_is_none_is_refused(value: list[list[float]]) -> None:
    with pytest.raises(ValueError, match='expected'):
        transform_from_wire(value)


@given(st.booleans(), st.one_of(st.none(), st.floats(1e-3, 1.0)))
def test_settings_survive_the_wire(synchronous: bool, step: float | None) -> None:
    settings = EpisodeSettings(synchronous_mode=synchronous, fixed_delta_seconds=step)
    assert EpisodeSettings.from_wire(settings.to_wire()) == settings


def test_a_step_of_zero_means_none_and_old_clients_send_fewer_fields() -> None:
    fields = EpisodeSettings().to_wire()
    fields[2] = [True, 0.0]
    assert EpisodeSettings.from_wire(fields).fixed_delta_seconds is None
    old = replace(EpisodeSettings(), synchronous_mode=True).to_wire()[:10]
    assert EpisodeSettings.from_wire(old).synchronous_mode
