"""The calls of a client that concern single actors, by their names on the wire."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from carla_bridge.mini_carla.actors import Vehicle
from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.rpc import CallError, value_call, void_call
from carla_bridge.mini_carla.vehicle import VehicleModel
from carla_bridge.mini_carla.wire import VehicleControl, bounding_box, transform_from_wire
from carla_bridge.mini_carla.world import World

__all__ = ['ActorCalls']


class ActorCalls:
    """Answers for spawning, moving, driving and destroying."""

    def __init__(self, world: World, stream_port: int) -> None:
        """Prepare to answer.

        Args:
            world: that the calls are about.
            stream_port: for the tokens of sensors.
        """
        self._world = world
        self._stream_port = stream_port

    @value_call
    def get_actors_by_id(self, actor_ids: Sequence[int]) -> list[object]:
        """Those that exist."""
        found = (self._world.actors.find(actor_id) for actor_id in actor_ids)
        return [actor.to_wire(self._stream_port) for actor in found if actor is not None]

    @value_call
    def spawn_actor(self, description: list[object], place: list[list[float]]) -> list[object]:
        """A new actor."""
        actor = self._world.spawn(description, transform_from_wire(place))
        return actor.to_wire(self._stream_port)

    @value_call
    def spawn_actor_with_parent(
        self,
        description: list[object],
        place: list[list[float]],
        parent: int,
        attachment: int = 0,
        socket_name: str = '',
    ) -> list[object]:
        """A new actor, rigidly attached."""
        actor = self._world.spawn(description, transform_from_wire(place), parent)
        return actor.to_wire(self._stream_port)

    @value_call
    def destroy_actor(self, actor_id: int) -> bool:
        """Whether there was such an actor."""
        return self._world.destroy(actor_id)

    @value_call
    def get_actor_bounding_box(self, actor_id: int) -> list[object]:
        """In the frame of the actor."""
        return bounding_box(self._world.actors.get(actor_id).extent, actor_id)

    @void_call
    def set_actor_location(self, actor_id: int, location: Sequence[float]) -> None:
        """Move without turning."""
        actor = self._world.actors.get(actor_id)
        x, y, z = location
        actor.transform = replace(actor.transform, x=x, y=y, z=z)

    @void_call
    def set_actor_transform(self, actor_id: int, place: list[list[float]]) -> None:
        """Move, in the frame of the parent if there is one."""
        self._world.actors.get(actor_id).transform = transform_from_wire(place)

    @void_call
    def set_actor_simulate_physics(self, actor_id: int, enabled: bool) -> None:
        """Let a vehicle move by itself, or only when it is put somewhere."""
        actor = self._world.actors.get(actor_id)
        if isinstance(actor, Vehicle):
            actor.physics = enabled

    @void_call
    def set_actor_target_velocity(self, actor_id: int, velocity: Sequence[float]) -> None:
        """Give a vehicle a speed: the part of the velocity along its own x axis."""
        vehicle = self._world.actors.vehicle(actor_id)
        speed = _along(vehicle.transform, velocity)
        vehicle.motion = replace(vehicle.motion, speed=speed)

    @void_call
    def enable_actor_constant_velocity(self, actor_id: int, velocity: Sequence[float]) -> None:
        """Let a vehicle keep the x part of a velocity given in its own frame."""
        self._world.actors.vehicle(actor_id).constant_speed = float(velocity[0])

    @void_call
    def disable_actor_constant_velocity(self, actor_id: int) -> None:
        """Leave the speed to the driver again."""
        self._world.actors.vehicle(actor_id).constant_speed = None

    @void_call
    def set_actor_autopilot(self, actor_id: int, enabled: bool) -> None:
        """Without effect: the client's own traffic manager drives."""
        self._world.actors.vehicle(actor_id)

    @void_call
    def set_actor_enable_gravity(self, actor_id: int, enabled: bool) -> None:
        """Without effect: vehicles stay on the ground, and nothing else falls."""
        self._world.actors.get(actor_id)

    @void_call
    def show_vehicle_debug_telemetry(self, actor_id: int, enabled: bool) -> None:
        """Without effect: there is no screen."""
        self._world.actors.get(actor_id)

    @void_call
    def apply_control_to_vehicle(self, actor_id: int, control: Sequence[object]) -> None:
        """What the driver does from now on."""
        values = [value if isinstance(value, int) else _finite(value) for value in control]
        self._world.actors.vehicle(actor_id).control = VehicleControl(*values)  # type: ignore[arg-type]

    @void_call
    def set_vehicle_light_state(self, actor_id: int, state: int | list[int]) -> None:
        """Told back only: the pictures show no lamps of vehicles."""
        # The call sends a struct of one field, the command of a batch the bare number.
        lights = state if isinstance(state, int) else state[0]
        self._world.actors.vehicle(actor_id).lights = lights

    @value_call
    def get_vehicle_light_state(self, actor_id: int) -> list[int]:
        """As it was set."""
        return [self._world.actors.vehicle(actor_id).lights]

    @value_call
    def get_vehicle_light_states(self) -> list[list[int]]:
        """[id, state] of every vehicle."""
        return [[vehicle.id, vehicle.lights] for vehicle in self._world.actors.vehicles()]

    @value_call
    def get_physics_control(self, actor_id: int) -> list[object]:
        """As it was set, or what corresponds to the model."""
        vehicle = self._world.actors.vehicle(actor_id)
        return vehicle.physics_control or _physics_control(vehicle.model)

    @void_call
    def apply_physics_control(self, actor_id: int, control: list[object]) -> None:
        """Told back only: cars drive as their blueprint says."""
        self._world.actors.vehicle(actor_id).physics_control = control


def _finite(value: object) -> float:
    number = float(str(value))
    if not math.isfinite(number):
        raise CallError(f'expected finite numbers in a vehicle control, found {number}')
    return number


def _along(place: Transform, velocity: Sequence[float]) -> float:
    forward = place.matrix()[:3, 0]
    return float(sum(f * v for f, v in zip(forward, velocity, strict=True)))


def _physics_control(model: VehicleModel) -> list[object]:
    """Return a `VehiclePhysicsControl`: what the model states, the rest as of a common car."""
    length, width, _ = model.extent
    wheels = [
        # Friction, damping, lock, radius (cm), brake and hand brake torque, stiffnesses and
        # place (cm).
        [3.5, 0.25, lock, 32.0, 1500.0, hand_brake, 2.0, 17.0, 1000.0, [x, y, 32.0]]
        for x, lock, hand_brake in (
            (60.0 * length, model.max_steer_deg, 0.0),
            (-60.0 * length, 0.0, 3000.0),
        )
        for y in (-80.0 * width, 80.0 * width)
    ]
    torque = [[0.0, 400.0], [5000.0, 400.0]]
    steering = [[0.0, 1.0], [120.0, 1.0]]
    gears = [[2.0, 0.5, 0.65]]
    return [
        *(torque, 5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0, gears),
        *(model.mass_kg, 0.3, [0.0, 0.0, 0.3], steering, wheels, False),
    ]
