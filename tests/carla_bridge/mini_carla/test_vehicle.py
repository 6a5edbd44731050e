"""The bicycle model against what physics says about it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.vehicle import STILL, Motion, VehicleModel, settle, step
from carla_bridge.mini_carla.wire import VehicleControl

CAR = VehicleModel((2.4, 0.93, 0.74))
DELTA_S = 0.05


def flat(x: float, y: float) -> float:
    return 0.0


def drive(
    control: VehicleControl,
    seconds: float,
    motion: Motion = STILL,
    height: object = flat,
    place: Transform | None = None,
) -> tuple[Transform, Motion]:
    place = place or Transform()
    for _ in range(round(seconds / DELTA_S)):
        place, motion = step(place, motion, control, CAR, height, DELTA_S)  # type: ignore[arg-type]
    return place, motion


def test_a_car_left_alone_stands_still() -> None:
    place, motion = drive(VehicleControl(), 2.0)
    assert (place.x, place.y, motion.speed) == (0.0, 0.0, 0.0)


def test_full_throttle_reaches_100_kmh_in_a_plausible_distance() -> None:
    place, motion = drive(VehicleControl(throttle=1.0), 9.0)
    assert 22.0 < motion.speed < 36.0
    assert 100.0 < place.x < 220.0
    assert place.y == 0.0


def test_brakes_stop_a_car_and_never_turn_it_back() -> None:
    place, motion = drive(VehicleControl(brake=1.0), 6.0, Motion(speed=20.0))
    assert motion.speed == 0.0
    # v^2 / 2a at 8 m/s^2 and a little resistance.
    assert place.x == pytest.approx(20.0**2 / 2 / 8.1, rel=0.05)


def test_reverse_drives_backwards() -> None:
    place, motion = drive(VehicleControl(throttle=0.5, reverse=True), 2.0)
    assert motion.speed < 0
    assert place.x < -1


@given(st.floats(-1.0, 1.0).filter(lambda steer: abs(steer) > 0.05), st.floats(1.0, 4.0))
def test_a_slow_car_drives_the_circle_that_its_wheels_ask_for(steer: float, speed: float) -> None:
    angle = steer * math.radians(CAR.max_steer_deg)
    _, motion = step(
        Transform(), Motion(speed=speed), VehicleControl(steer=steer), CAR, flat, DELTA_S
    )
    radius = CAR.wheelbase_m / math.tan(angle)
    centre_radius = math.copysign(math.hypot(radius, CAR.wheelbase_m / 2), radius)
    turned = math.radians(motion.angular_velocity[2])
    assert turned == pytest.approx(motion.speed / centre_radius, rel=1e-6)
    # Positive steering is to the right, where y grows.
    assert math.copysign(1.0, motion.velocity[1]) == math.copysign(1.0, steer)


def test_a_closed_circle_ends_where_it_began() -> None:
    control = VehicleControl(steer=0.5)
    slip = math.atan(math.tan(math.radians(17.5)) / 2)
    rate = 5.0 * math.cos(slip) * math.tan(math.radians(17.5)) / CAR.wheelbase_m
    place, motion = Transform(), Motion(speed=5.0)
    steps = 400
    for _ in range(steps):
        motion = Motion(speed=5.0 + 0.12 * math.tau / rate / steps)
        place, motion = step(place, motion, control, CAR, flat, math.tau / rate / steps)
    assert math.hypot(place.x, place.y) < 0.05


@given(st.floats(-1.0, 1.0), st.floats(5.0, 40.0))
def test_grip_limits_the_turn_of_a_fast_car(steer: float, speed: float) -> None:
    _, motion = step(
        Transform(), Motion(speed=speed), VehicleControl(steer=steer), CAR, flat, DELTA_S
    )
    sideways = abs(motion.speed * math.radians(motion.angular_velocity[2]))
    assert sideways <= 7.6


def test_a_car_rolls_down_a_hill_unless_it_is_braked() -> None:
    def hill(x: float, y: float) -> float:
        return -0.1 * x

    _, rolling = drive(VehicleControl(), 2.0, height=hill)
    assert rolling.speed > 1.0
    place, held = drive(VehicleControl(hand_brake=True), 2.0, height=hill)
    assert (place.x, held.speed) == (0.0, 0.0)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-180.0, 180.0))
def test_a_car_lies_flat_on_a_slope(along: float, across: float, yaw: float) -> None:
    def slope(x: float, y: float) -> float:
        return 3.0 + along * x + across * y

    place = settle(Transform(5.0, -2.0, 99.0, 0.0, yaw, 0.0), CAR, slope)
    assert place.z == pytest.approx(slope(5.0, -2.0))
    matrix = place.matrix()
    # Its forward axis lies in the plane; its right one nearly does, since roll is taken alone.
    assert matrix[2, 0] == pytest.approx((along * matrix[0, 0] + across * matrix[1, 0]), abs=1e-9)
    assert matrix[2, 1] == pytest.approx((along * matrix[0, 1] + across * matrix[1, 1]), abs=0.02)


def test_a_long_tick_goes_as_far_as_many_short_ones() -> None:
    control = VehicleControl(throttle=0.6, steer=0.1)
    once, _ = step(Transform(), Motion(speed=8.0), control, CAR, flat, 1.0)
    place, motion = Transform(), Motion(speed=8.0)
    for _ in range(20):
        place, motion = step(place, motion, control, CAR, flat, 0.05)
    assert (once.x, once.y, once.yaw) == pytest.approx((place.x, place.y, place.yaw))
