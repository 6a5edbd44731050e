"""GNSS and IMU: values against a second way to compute them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.inertial import geolocation, imu_reading, reference_point
from carla_bridge.mini_carla.towns import load_town
from carla_bridge.mini_carla.vehicle import GRAVITY, STILL, Motion

if TYPE_CHECKING:
    from collections.abc import Callable

METRES = st.floats(-3000.0, 3000.0)


@given(METRES, METRES, st.floats(-60.0, 60.0), st.floats(-170.0, 170.0))
def test_a_metre_is_a_metre_on_the_sphere(x: float, y: float, lat: float, lon: float) -> None:
    found_lat, found_lon, altitude = geolocation(Transform(x, y, 7.0), (lat, lon))
    per_degree = math.radians(6378137.0)
    assert altitude == 7.0
    # y points south; Mercator stretches by less than a thousandth over three kilometres.
    assert (found_lat - lat) * per_degree == pytest.approx(-y, rel=2e-3, abs=1e-3)
    east = (found_lon - lon) * per_degree * math.cos(math.radians(lat))
    assert east == pytest.approx(x, rel=1e-6, abs=1e-3)


def test_the_origin_is_where_the_map_says() -> None:
    assert reference_point('+proj=tmerc +lat_0=49.5 +lon_0=-8.25e0 +k=1') == (49.5, -8.25)
    assert reference_point('<OpenDRIVE/>') == (0.0, 0.0)


def test_the_clients_of_0_9_13_and_0_9_15_say_the_same() -> None:
    # What `carla.Map(...).transform_to_geolocation(carla.Location(150.0, -80.0, 2.0))` returned in
    # both. Client 0.9.16 differs: it turns the sign of the latitude and scales by 1 / 0.9996.
    reference = reference_point(load_town('Town_ring').opendrive)
    assert geolocation(Transform(150.0, -80.0, 2.0), reference) == pytest.approx(
        (0.0007186522272633056, 0.001347472926179282, 2.0), rel=1e-12
    )


@pytest.mark.parametrize(('yaw', 'compass'), [(-90.0, 0.0), (0.0, 0.5), (90.0, 1.0), (180.0, 1.5)])
def test_the_compass_counts_clockwise_from_north(yaw: float, compass: float) -> None:
    _, _, found = imu_reading(Transform(yaw=yaw), STILL)
    assert found == pytest.approx(compass * math.pi, abs=1e-9)


@given(st.floats(-180.0, 180.0), st.floats(-40.0, 40.0), st.floats(-40.0, 40.0))
def test_what_stands_still_feels_its_weight_only(yaw: float, pitch: float, roll: float) -> None:
    felt, turning, _ = imu_reading(Transform(0.0, 0.0, 0.0, pitch, yaw, roll), STILL)
    assert np.linalg.norm(felt) == pytest.approx(GRAVITY)
    assert felt[0] == pytest.approx(GRAVITY * math.sin(math.radians(pitch)), abs=1e-9)
    assert turning == [0.0, 0.0, 0.0]


def test_a_car_that_brakes_northwards_feels_it_along_its_own_axis() -> None:
    motion = Motion(5.0, (0.0, -5.0, 0.0), (0.0, 0.0, 90.0), (0.0, 3.0, 0.0))
    felt, turning, compass = imu_reading(Transform(yaw=-90.0), motion)
    assert felt == pytest.approx([-3.0, 0.0, GRAVITY], abs=1e-9)
    assert turning == pytest.approx([0.0, 0.0, math.pi / 2])
    assert compass == pytest.approx(0.0, abs=1e-9)


READ = """
import carla, queue, sys
client = carla.Client('127.0.0.1', int(sys.argv[1]))
client.set_timeout(30.0)
world = client.get_world()
world.wait_for_tick(20.0)
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
library, start = world.get_blueprint_library(), world.get_map().get_spawn_points()[0]
car = world.spawn_actor(library.find('vehicle.tesla.model3'), start)
heard, sensors = {}, []
for name in ('gnss', 'imu'):
    blueprint = library.find('sensor.other.' + name)
    if name == 'imu':
        blueprint.set_attribute('sensor_tick', '0.1')
    sensors.append(world.spawn_actor(blueprint, carla.Transform(), attach_to=car))
    heard[name] = queue.Queue()
    sensors[-1].listen(heard[name].put)
frames = [world.tick() for _ in range(20)]
gnss = [heard['gnss'].get(timeout=20) for _ in frames]
imu = [heard['imu'].get(timeout=20) for _ in frames[::2]]
assert [reading.frame for reading in gnss] == frames
assert [reading.frame for reading in imu] == frames[::2]
place = car.get_location()
east, north = (111319.49 * value for value in (gnss[-1].longitude, gnss[-1].latitude))
print(abs(east - place.x) < 0.05, abs(north + place.y) < 0.05, imu[-1].accelerometer.z > 9.7)
try:
    world.spawn_actor(library.find('sensor.lidar.ray_cast'), carla.Transform())
except RuntimeError as error:
    print(error)
try:
    client.start_recorder('drive.log')
except RuntimeError as error:
    print(error)
"""


@pytest.mark.carla
def test_the_real_client_reads_both_and_is_told_what_is_missing(
    start_server: Callable[..., object], run_script: Callable[..., object]
) -> None:
    pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")
    done = run_script(READ, start_server().port)  # type: ignore[attr-defined]
    assert done.stdout.splitlines() == [  # type: ignore[attr-defined]
        'True True True',
        'sensor.lidar.ray_cast: mini_carla has no lidar',
        'start_recorder: mini_carla has no recorder; CARLA itself does',
    ], done.stderr  # type: ignore[attr-defined]
