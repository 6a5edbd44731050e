"""The client of mini_carla_soak.py: ticks, waits for both images, writes what it took.

Run by that script as: python benchmarks/mini_carla_soak_client.py PORT TICKS TM_PORT
TM_PORT 0 drives the cars from here instead of by the Traffic Manager. One line on stdout for each
tick: milliseconds from the call of `tick()` to having both of its images.
"""

from __future__ import annotations

import math
import queue
import sys
import time
from dataclasses import dataclass

import carla

CARS = 8
IMAGE_SIZE = (320, 180)
IMAGE_S = 120.0
DELTA_S = 0.05
SPEED_MS = 8.0
AHEAD_M = 6.0
STEER_PER_RADIAN = 0.8


@dataclass
class Rig:
    """What was spawned; the sensors must be kept, or the client stops them."""

    cars: list[carla.Vehicle]
    cameras: list[carla.Sensor]
    images: list[queue.Queue[carla.Image]]


def spawn(world: carla.World) -> Rig:
    """Spread the cars over the spawn points; the first carries both cameras."""
    library, starts = world.get_blueprint_library(), world.get_map().get_spawn_points()
    models = [model for model in library.filter('vehicle.*') if 'firetruck' not in model.id]
    cars = [
        world.spawn_actor(models[number % len(models)], starts[number * len(starts) // CARS])
        for number in range(CARS)
    ]
    place = carla.Transform(carla.Location(x=1.5, z=1.6), carla.Rotation(pitch=-8.0))
    cameras, images = [], []
    for kind in ('rgb', 'semantic_segmentation'):
        blueprint = library.find(f'sensor.camera.{kind}')
        for name, size in zip(('image_size_x', 'image_size_y'), IMAGE_SIZE, strict=True):
            blueprint.set_attribute(name, str(size))
        cameras.append(world.spawn_actor(blueprint, place, attach_to=cars[0]))
        images.append(queue.Queue())
        cameras[-1].listen(images[-1].put)
    return Rig(cars, cameras, images)


def drive(world_map: carla.Map, car: carla.Vehicle) -> None:
    """Steer towards the middle of the lane ahead, at an even speed."""
    place = car.get_transform()
    ahead = world_map.get_waypoint(place.location).next(AHEAD_M)[0].transform.location
    bearing = math.atan2(ahead.y - place.location.y, ahead.x - place.location.x)
    off = math.remainder(bearing - math.radians(place.rotation.yaw), math.tau)
    faster = SPEED_MS - car.get_velocity().length()
    control = carla.VehicleControl(
        throttle=min(1.0, max(0.0, 0.3 * faster)),
        brake=min(1.0, max(0.0, -0.1 * faster)),
        steer=min(1.0, max(-1.0, STEER_PER_RADIAN * off)),
    )
    car.apply_control(control)


def tick(world: carla.World, images: list[queue.Queue[carla.Image]]) -> float:
    """Do one tick; milliseconds until its images were there."""
    began = time.perf_counter()
    frame = world.tick(IMAGE_S)
    for waiting in images:
        while waiting.get(timeout=IMAGE_S).frame != frame:
            pass
    return 1e3 * (time.perf_counter() - began)


def clean_up(world: carla.World, rig: Rig, manager: carla.TrafficManager | None) -> None:
    """Leave in the order that does not abort the client (docs/mini_carla.md)."""
    for camera in rig.cameras:
        camera.stop()
    if manager is not None:
        for car in rig.cars:
            car.set_autopilot(False, manager.get_port())
    world.tick(IMAGE_S)
    for actor in (*rig.cameras, *rig.cars):
        actor.destroy()
    world.tick(IMAGE_S)
    if manager is not None:
        manager.set_synchronous_mode(False)
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)


def main() -> int:
    """Connect, spawn, tick."""
    port, ticks, manager_port = (int(word) for word in sys.argv[1:])
    client = carla.Client('127.0.0.1', port)
    client.set_timeout(IMAGE_S)
    # What a client left that was killed is gone in a new episode.
    world = client.reload_world()
    world.wait_for_tick(IMAGE_S)
    settings = world.get_settings()
    settings.synchronous_mode = True
    settings.fixed_delta_seconds = DELTA_S
    world.apply_settings(settings)
    manager = None
    if manager_port:
        manager = client.get_trafficmanager(manager_port)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(7)
    rig = spawn(world)
    if manager is not None:
        for car in rig.cars:
            car.set_autopilot(True, manager_port)
    world.tick(IMAGE_S)
    world_map = world.get_map()
    for _ in range(ticks):
        if manager is None:
            for car in rig.cars:
                drive(world_map, car)
        sys.stdout.write(f'{tick(world, rig.images):.3f}\n')
        sys.stdout.flush()
    clean_up(world, rig, manager)
    return 0


if __name__ == '__main__':
    sys.exit(main())
