"""Vehicles among each other and among what stands in their way."""

from __future__ import annotations

import pytest

pytest.importorskip('msgpack')

from carla_bridge.mini_carla.actors import Vehicle
from carla_bridge.mini_carla.geometry import Box, Town, Transform
from carla_bridge.mini_carla.traffic import Traffic
from carla_bridge.mini_carla.vehicle import Motion, VehicleModel
from carla_bridge.mini_carla.wire import VehicleControl

MODEL = VehicleModel((2.4, 0.93, 0.74))


def town(*boxes: Box) -> Town:
    return Town('Town_test', '', (), boxes, (), ())


def vehicle(number: int, x: float, speed: float = 0.0, throttle: float = 0.0) -> Vehicle:
    return Vehicle(
        number,
        [1, 'vehicle.tesla.model3', []],
        Transform(x=x),
        extent=MODEL.extent,
        model=MODEL,
        motion=Motion(speed=speed),
        control=VehicleControl(throttle=throttle),
    )


def test_a_car_stops_in_front_of_a_wall_and_can_back_away() -> None:
    wall = Box('wall', Transform(x=20.0, z=1.0), (0.2, 5.0, 1.0), (0, 0, 0), 1)
    traffic, car = Traffic(town(wall)), vehicle(1, 0.0, speed=15.0, throttle=0.5)
    collisions = [hit for _ in range(60) for hit in traffic.move([car], 0.05)]
    assert collisions[0].other is wall
    assert collisions[0].impulse[0] < -10_000
    # Its nose is where the wall begins, up to the way of one tick.
    assert 19.8 - 2.4 - 0.8 < car.transform.x <= 19.8 - 2.4
    stopped = car.transform.x
    car.control = VehicleControl(throttle=0.5, reverse=True)
    assert not [hit for _ in range(40) for hit in traffic.move([car], 0.05)]
    assert car.transform.x < stopped - 1.0


def test_a_car_does_not_drive_through_another() -> None:
    traffic = Traffic(town())
    cars = [vehicle(1, 0.0, speed=10.0), vehicle(2, 12.0)]
    hits = [hit for _ in range(40) for hit in traffic.move(cars, 0.05)]
    assert (hits[0].vehicle, hits[0].other) == (cars[0], cars[1])
    assert cars[1].transform.x - cars[0].transform.x >= 4.8


def test_cars_that_a_client_put_into_each_other_can_leave() -> None:
    traffic = Traffic(town())
    cars = [vehicle(1, 0.0, throttle=1.0), vehicle(2, -1.0)]
    for _ in range(80):
        traffic.move(cars, 0.05)
    assert cars[0].transform.x > 5.0


def test_a_vehicle_without_physics_stays_where_it_is_put() -> None:
    traffic, car = Traffic(town()), vehicle(1, 3.0, speed=10.0, throttle=1.0)
    car.physics = False
    car.transform = Transform(1.0, 2.0, 7.0, 5.0, 40.0, 3.0)
    traffic.move([car], 0.05)
    assert car.transform == Transform(1.0, 2.0, 7.0, 5.0, 40.0, 3.0)
    assert car.motion == Motion()
