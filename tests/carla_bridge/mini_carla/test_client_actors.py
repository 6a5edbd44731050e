"""The real client: spawning, attaching, driving, batches, destroying."""

from __future__ import annotations

import math
import queue
from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.blueprints import VEHICLES

pytestmark = pytest.mark.carla

if TYPE_CHECKING:
    from types import ModuleType

    import carla


@pytest.fixture
def library(world: carla.World) -> carla.BlueprintLibrary:
    return world.get_blueprint_library()


@pytest.fixture
def start(world: carla.World) -> carla.Transform:
    return world.get_map().get_spawn_points()[0]


@pytest.fixture
def car(
    world: carla.World, library: carla.BlueprintLibrary, start: carla.Transform
) -> carla.Vehicle:
    spawned = world.spawn_actor(library.find('vehicle.tesla.model3'), start)
    world.tick()
    return spawned


def speed(vehicle: carla.Vehicle) -> float:
    return vehicle.get_velocity().length()


def test_the_library_filters_as_scripts_expect(library: carla.BlueprintLibrary) -> None:
    assert {blueprint.id for blueprint in library.filter('vehicle.*')} == {
        car.name for car in VEHICLES
    }
    car = library.find('vehicle.audi.tt')
    assert car.has_attribute('color')
    assert int(car.get_attribute('number_of_wheels')) == 4
    assert car.get_attribute('color').recommended_values
    assert library.find('sensor.camera.rgb').get_attribute('fov').as_float() == 90.0


def test_a_spawned_car_has_its_place_size_and_attributes(
    world: carla.World, library: carla.BlueprintLibrary, start: carla.Transform
) -> None:
    blueprint = library.find('vehicle.nissan.patrol')
    blueprint.set_attribute('role_name', 'hero')
    car = world.spawn_actor(blueprint, start)
    world.tick()
    assert car.get_location().distance(start.location) < 0.5
    assert car.get_transform().rotation.yaw % 360 == pytest.approx(
        start.rotation.yaw % 360, abs=1e-3
    )
    assert car.bounding_box.extent.x == pytest.approx(2.3)
    assert car.attributes['role_name'] == 'hero'
    assert car.semantic_tags == [14]
    assert world.get_actor(car.id).type_id == 'vehicle.nissan.patrol'


def test_a_place_that_is_taken_is_an_error_or_none(
    world: carla.World, car: carla.Vehicle, library: carla.BlueprintLibrary, start: carla.Transform
) -> None:
    blueprint = library.find('vehicle.audi.tt')
    message = 'Spawn failed because of collision at spawn position'
    with pytest.raises(RuntimeError, match=message):
        world.spawn_actor(blueprint, start)
    assert world.try_spawn_actor(blueprint, start) is None
    assert car.destroy()
    assert world.try_spawn_actor(blueprint, start) is not None


def test_a_place_inside_a_building_is_taken(
    carla_api: ModuleType, world: carla.World, library: carla.BlueprintLibrary
) -> None:
    box = world.get_level_bbs(carla_api.CityObjectLabel.Buildings)[0]
    inside = carla_api.Transform(carla_api.Location(box.location.x, box.location.y, 0.5))
    assert world.try_spawn_actor(library.find('vehicle.audi.tt'), inside) is None


def test_throttle_and_brake_move_and_stop_a_car(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, start: carla.Transform
) -> None:
    car.apply_control(carla_api.VehicleControl(throttle=0.6))
    speeds = []
    for _ in range(40):
        world.tick()
        speeds.append(speed(car))
    assert speeds == sorted(speeds)
    assert 2.0 < speeds[-1] < 10.0
    # As far as the sum of its speeds says, straight ahead.
    way = car.get_location() - start.location
    way.z = 0.0  # it has fallen onto its wheels
    assert way.length() == pytest.approx(sum(speeds) * 0.05, rel=0.01)
    assert way.dot(start.get_forward_vector()) == pytest.approx(way.length(), rel=1e-3)
    car.apply_control(carla_api.VehicleControl(brake=1.0))
    for _ in range(40):
        world.tick()
    assert speed(car) == 0.0


def test_steering_follows_the_bicycle_model(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle
) -> None:
    car.apply_control(carla_api.VehicleControl(throttle=0.4, steer=0.3))
    for _ in range(40):
        world.tick()
    wheels = car.get_physics_control().wheels
    base = (wheels[0].position.x - wheels[2].position.x) / 100
    angle = math.radians(0.3 * wheels[0].max_steer_angle)
    radius = math.hypot(base / math.tan(angle), base / 2)
    turn = math.radians(car.get_angular_velocity().z)
    assert turn == pytest.approx(speed(car) / radius, rel=1e-3)
    assert car.get_control().steer == pytest.approx(0.3)


def test_a_car_put_somewhere_is_there_after_the_tick(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle
) -> None:
    there = world.get_map().get_spawn_points()[7]
    car.set_transform(there)
    world.tick()
    assert car.get_location().distance(there.location) < 0.5
    car.set_simulate_physics(False)
    car.set_transform(carla_api.Transform(carla_api.Location(x=1.0, y=2.0, z=9.0)))
    world.tick()
    assert car.get_location() == carla_api.Location(1.0, 2.0, 9.0)


def test_a_target_velocity_is_taken_over(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle
) -> None:
    forward = car.get_transform().get_forward_vector()
    car.set_target_velocity(carla_api.Vector3D(8 * forward.x, 8 * forward.y, 0.0))
    world.tick()
    assert speed(car) == pytest.approx(8.0, abs=0.1)
    car.enable_constant_velocity(carla_api.Vector3D(x=5.0))
    for _ in range(20):
        world.tick()
    assert speed(car) == pytest.approx(5.0, abs=0.1)


def test_lights_and_physics_are_told_back(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle
) -> None:
    assert car.get_light_state() == carla_api.VehicleLightState.NONE
    lights = carla_api.VehicleLightState.LowBeam
    car.set_light_state(carla_api.VehicleLightState(lights))
    world.tick()
    assert car.get_light_state() == lights
    assert world.get_vehicles_light_states() == {car.id: lights}
    physics = car.get_physics_control()
    physics.mass = 999.0
    car.apply_physics_control(physics)
    world.tick()
    assert car.get_physics_control() == physics


def test_what_is_attached_moves_with_its_parent_and_stays_when_it_is_gone(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, library: carla.BlueprintLibrary
) -> None:
    place = carla_api.Transform(carla_api.Location(x=1.0, z=2.0), carla_api.Rotation(yaw=90.0))
    camera = world.spawn_actor(library.find('sensor.camera.rgb'), place, attach_to=car)
    car.apply_control(carla_api.VehicleControl(throttle=0.5, steer=0.2))
    for _ in range(30):
        world.tick()
    expected = car.get_transform().transform(carla_api.Location(x=1.0, z=2.0))
    assert camera.get_location().distance(expected) < 1e-3
    turned = camera.get_transform().rotation.yaw - car.get_transform().rotation.yaw
    assert turned % 360 == pytest.approx(90.0, abs=1e-2)
    assert camera.parent.id == car.id
    car.destroy()
    world.tick()
    assert camera.get_location().distance(expected) < 1e-3


def test_a_batch_spawns_attaches_and_commands_what_it_spawns(
    carla_api: ModuleType, client: carla.Client, world: carla.World
) -> None:
    command = carla_api.command
    library = world.get_blueprint_library()
    starts = world.get_map().get_spawn_points()
    batch = [
        command.SpawnActor(library.find('vehicle.audi.tt'), starts[i])
        .then(command.ApplyVehicleControl(command.FutureActor, carla_api.VehicleControl(1.0)))
        .then(
            command.SpawnActor(
                library.find('sensor.camera.rgb'),
                carla_api.Transform(carla_api.Location(z=2.0)),
                command.FutureActor,
            )
        )
        for i in (0, 3, 0)
    ]
    results = client.apply_batch_sync(batch, False)
    assert [result.has_error() for result in results] == [False, False, True]
    assert 'collision' in results[2].error
    for _ in range(10):
        world.tick()
    cars = [world.get_actor(result.actor_id) for result in results[:2]]
    assert all(speed(car) > 0.5 for car in cars)
    cameras = world.get_actors().filter('sensor.camera.rgb')
    assert sorted(camera.parent.id for camera in cameras) == sorted(car.id for car in cars)
    gone = client.apply_batch_sync([command.DestroyActor(car) for car in [*cars, cars[0]]])
    assert [result.has_error() for result in gone] == [False, False, True]


def test_a_batch_may_end_with_a_tick(
    carla_api: ModuleType, client: carla.Client, world: carla.World, car: carla.Vehicle
) -> None:
    before = world.get_snapshot().frame
    there = world.get_map().get_spawn_points()[9]
    client.apply_batch_sync([carla_api.command.ApplyTransform(car, there)], True)
    assert world.get_snapshot().frame == before + 1
    assert car.get_location().distance(there.location) < 0.5


def test_destroying_is_told_once(world: carla.World, car: carla.Vehicle) -> None:
    number = car.id
    assert car.destroy()
    world.tick()
    assert not car.is_alive
    assert number not in [actor.id for actor in world.get_actors()]


def test_a_car_that_hits_another_is_stopped_and_its_sensor_tells(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, library: carla.BlueprintLibrary
) -> None:
    place = car.get_transform()
    place.location += place.get_forward_vector() * 12.0
    other = world.spawn_actor(library.find('vehicle.audi.tt'), place)
    events: queue.Queue[carla.CollisionEvent] = queue.Queue()
    sensor = world.spawn_actor(
        library.find('sensor.other.collision'), carla_api.Transform(), attach_to=car
    )
    sensor.listen(events.put)
    car.apply_control(carla_api.VehicleControl(throttle=1.0))
    for _ in range(80):
        world.tick()
    event = events.get(timeout=20)
    assert (event.actor.id, event.other_actor.id) == (car.id, other.id)
    assert event.normal_impulse.length() > 1000
    gap = car.get_location().distance(other.get_location())
    assert 4.4 < gap < 5.0


def test_the_lane_invasion_sensor_of_the_client_works_on_our_roads(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, library: carla.BlueprintLibrary
) -> None:
    events: queue.Queue[carla.LaneInvasionEvent] = queue.Queue()
    sensor = world.spawn_actor(
        library.find('sensor.other.lane_invasion'), carla_api.Transform(), attach_to=car
    )
    sensor.listen(events.put)
    car.apply_control(carla_api.VehicleControl(throttle=0.5, steer=-0.05))
    for _ in range(120):
        world.tick()
    assert events.get(timeout=20).crossed_lane_markings


def test_what_mini_carla_lacks_is_said(car: carla.Vehicle) -> None:
    with pytest.raises(RuntimeError, match='get_telemetry_data'):
        car.get_telemetry_data()
