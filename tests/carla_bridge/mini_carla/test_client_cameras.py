"""The real client: what its cameras see, and when."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.carla_bridge.mini_carla.eye import HEIGHT, WIDTH, Eye, bgra

pytestmark = pytest.mark.carla

if TYPE_CHECKING:
    from types import ModuleType

    import carla

KINDS = ('rgb', 'semantic_segmentation', 'instance_segmentation', 'depth')
ROADS, CAR, ROAD_LINES = 1, 14, 24


@pytest.fixture
def car(world: carla.World) -> carla.Vehicle:
    blueprint = world.get_blueprint_library().find('vehicle.tesla.model3')
    spawned = world.spawn_actor(blueprint, world.get_map().get_spawn_points()[0])
    world.tick()
    return spawned


@pytest.fixture
def front(carla_api: ModuleType) -> carla.Transform:
    """Where a camera looks over the bonnet."""
    return carla_api.Transform(carla_api.Location(x=1.5, z=1.6), carla_api.Rotation(pitch=-8.0))


def test_every_camera_sends_the_image_of_every_tick(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, front: carla.Transform
) -> None:
    eyes = [Eye(world, kind, front, car) for kind in KINDS]
    car.apply_control(carla_api.VehicleControl(throttle=0.5))
    for _ in range(25):
        frame = world.tick()
        images = [eye.image() for eye in eyes]
        assert [image.frame for image in images] == [frame] * len(eyes)
        assert {(image.height, image.width, image.fov) for image in images} == {
            (HEIGHT, WIDTH, 90.0)
        }
        place = world.get_snapshot().find(eyes[0].actor.id).get_transform()
        assert images[0].transform.location.distance(place.location) < 1e-3


def test_labels_show_the_road_its_paint_and_the_car_in_front(
    world: carla.World, car: carla.Vehicle, front: carla.Transform
) -> None:
    place = car.get_transform()
    place.location += place.get_forward_vector() * 15.0
    other = world.spawn_actor(world.get_blueprint_library().find('vehicle.audi.tt'), place)
    eyes = {kind: Eye(world, kind, front, car) for kind in KINDS}
    world.tick()
    images = {kind: bgra(eye.image()) for kind, eye in eyes.items()}
    tags = images['semantic_segmentation'][..., 2]
    assert {ROADS, CAR, ROAD_LINES} <= set(np.unique(tags).tolist())
    # The car in front stands in the middle; the one with the camera does not see itself.
    rows, columns = np.nonzero(tags == CAR)
    assert abs(columns.mean() - WIDTH / 2) < 8
    assert len(rows) < 0.1 * tags.size
    instances = images['instance_segmentation']
    assert (instances[..., 2] == tags).all()
    assert len(np.unique(instances[tags == CAR][:, :2], axis=0)) == 1
    # The back of the car in front is as far away as it stands, less the camera's place and its
    # own half length.
    blue, green, red = (images['depth'][..., i].astype(np.float64) for i in range(3))
    metres = (red + 256 * green + 65536 * blue) / (2**24 - 1) * 1000
    expected = car.get_location().distance(other.get_location()) - 1.5 - 2.09
    assert np.median(metres[tags == CAR]) == pytest.approx(expected, abs=0.6)


def test_a_camera_with_a_period_skips_ticks(
    world: carla.World, car: carla.Vehicle, front: carla.Transform
) -> None:
    slow = Eye(world, 'rgb', front, car, sensor_tick=0.2)
    every = Eye(world, 'depth', front, car)
    for _ in range(20):
        world.tick()
        every.image()
    stamps = [slow.image().timestamp for _ in range(5)]
    assert np.diff(stamps) == pytest.approx([0.2] * 4)
    assert slow.images.empty()


def test_without_rendering_there_are_no_images_but_the_world_goes_on(
    carla_api: ModuleType, world: carla.World, car: carla.Vehicle, front: carla.Transform
) -> None:
    eye = Eye(world, 'rgb', front, car)
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    for _ in range(5):
        world.tick()
    settings.no_rendering_mode = False
    first = world.apply_settings(settings)  # in synchronous mode the client ticks here, too
    last = world.tick()
    frames = [eye.image().frame]
    while frames[-1] != last:
        frames.append(eye.image().frame)
    assert frames[0] >= first
    assert eye.images.empty()


def test_a_camera_that_is_stopped_or_destroyed_sends_no_more(
    world: carla.World, car: carla.Vehicle, front: carla.Transform
) -> None:
    stopped, destroyed, kept = (Eye(world, 'depth', front, car) for _ in range(3))
    world.tick()
    for eye in (stopped, destroyed, kept):
        eye.image()
    stopped.actor.stop()
    destroyed.actor.destroy()
    for _ in range(5):
        frame = world.tick()
        assert kept.image().frame == frame
    assert destroyed.images.empty()
    stopped.actor.listen(stopped.images.put)
    frame = world.tick()
    while stopped.image().frame != frame:
        pass


@pytest.mark.parametrize('attributes', [{'fov': 0.0}, {'image_size_x': 0}, {'sensor_tick': -1.0}])
def test_a_camera_that_cannot_be_is_refused(
    world: carla.World, front: carla.Transform, attributes: dict[str, object]
) -> None:
    with pytest.raises(RuntimeError, match='expected an image of 1 to'):
        Eye(world, 'rgb', front, None, **attributes)


def test_two_episodes_of_one_seed_are_equal_bit_by_bit(
    carla_api: ModuleType, client: carla.Client
) -> None:
    def episode() -> str:
        world = client.reload_world()
        settings = world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = 0.05
        world.apply_settings(settings)
        world.set_weather(carla_api.WeatherParameters.HardRainNoon)
        library = world.get_blueprint_library()
        starts = world.get_map().get_spawn_points()
        car = world.spawn_actor(library.find('vehicle.tesla.model3'), starts[0])
        place = carla_api.Transform(carla_api.Location(x=1.5, z=1.6))
        eyes = [Eye(world, kind, place, car) for kind in ('rgb', 'semantic_segmentation')]
        car.apply_control(carla_api.VehicleControl(throttle=0.7, steer=0.02))
        seen = hashlib.sha256()
        for _ in range(12):
            world.tick()
            for eye in eyes:
                seen.update(bgra(eye.image()).tobytes())
        return seen.hexdigest()

    assert episode() == episode()
