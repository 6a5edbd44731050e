"""Spawn points: enough of them, apart from each other, in their lanes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.towns.numbering import MAX_STATIC, Numbers

if TYPE_CHECKING:
    from carla_bridge.mini_carla.geometry import Town


def test_spawn_points_leave_room_for_a_car_each(town: Town) -> None:
    points = town.spawn_points
    assert len(points) > 50
    for i, a in enumerate(points):
        for b in points[:i]:
            if math.hypot(a.x - b.x, a.y - b.y) < 6.0:
                # Only neighbours in another lane are as near; they stand side by side.
                ahead = math.radians(a.yaw)
                forward = (b.x - a.x) * math.cos(ahead) + (b.y - a.y) * math.sin(ahead)
                assert abs(forward) < 0.5
                assert math.hypot(a.x - b.x, a.y - b.y) > 2.9


def test_spawn_points_hover_just_above_the_ground(town: Town) -> None:
    for point in town.spawn_points:
        assert point.z - town.height(point.x, point.y) == pytest.approx(0.3, abs=2e-3)


def test_angles_of_spawn_points_are_in_carlas_range(town: Town) -> None:
    assert all(-180 <= p.yaw <= 180 and abs(p.pitch) < 10 for p in town.spawn_points)


def test_numbers_end_below_those_of_vehicles() -> None:
    numbers = Numbers()
    assert [numbers.next() for _ in range(3)] == [1, 2, 3]
    for _ in range(MAX_STATIC - 3):
        numbers.next()
    with pytest.raises(ValueError, match='expected at most 49999'):
        numbers.next()
