"""How a car moves: a kinematic bicycle on the ground of the town.

Rajamani, Vehicle Dynamics and Control, section 2.2: both wheels of an axle are one, tyres do not
slip, the reference point lies in the middle between the axles. Tyre forces, suspension and gears
are absent; grip limits how fast the car can turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.mini_carla.wire import VehicleControl

__all__ = ['STILL', 'Motion', 'VehicleModel', 'settle', 'step']

GRAVITY = 9.81
_MAX_STEP_S = 0.05
_BRAKE = 8.0
_HAND_BRAKE = 6.0
_GRIP = 7.5
_ROLLING = 0.12
_REVERSE_SHARE = 0.5


@dataclass(frozen=True)
class VehicleModel:
    """What distinguishes one car from another.

    Attributes:
        extent: half of length, width and height, metres.
        mass_kg: mass.
        power_w: of the engine at the wheels.
        acceleration: the most that the tyres bring on the road, m/s^2.
        drag: air resistance divided by mass and squared speed, 1/m.
        max_steer_deg: angle of the front wheels at full lock.
    """

    extent: tuple[float, float, float]
    mass_kg: float = 1700.0
    power_w: float = 110e3
    acceleration: float = 4.5
    drag: float = 2.6e-4
    max_steer_deg: float = 35.0

    @property
    def wheelbase_m(self) -> float:
        """Distance of the axles: a fixed share of the length, as in most cars."""
        return 1.2 * self.extent[0]


@dataclass(frozen=True)
class Motion:
    """How a vehicle moves at the moment.

    Attributes:
        speed: along its own x axis, m/s; negative in reverse.
        velocity: in the world, m/s.
        angular_velocity: about the world's axes, degrees/s.
        acceleration: in the world, m/s^2.
    """

    speed: float = 0.0
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    angular_velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    acceleration: tuple[float, float, float] = (0.0, 0.0, 0.0)


STILL = Motion()
Ground = Callable[[float, float], float]


def settle(transform: Transform, model: VehicleModel, height: Ground) -> Transform:
    """Put a car on the ground, inclined as the ground under its wheels.

    Args:
        transform: where it is; x, y and yaw stay.
        model: gives the places of the wheels.
        height: of the ground in metres at (x, y).
    """
    yaw = math.radians(transform.yaw)
    half_base, half_track = model.wheelbase_m / 2, 0.8 * model.extent[1]
    forward = (math.cos(yaw) * half_base, math.sin(yaw) * half_base)
    right = (-math.sin(yaw) * half_track, math.cos(yaw) * half_track)
    x, y = transform.x, transform.y
    front = height(x + forward[0], y + forward[1])
    rear = height(x - forward[0], y - forward[1])
    right_side = height(x + right[0], y + right[1])
    left_side = height(x - right[0], y - right[1])
    return Transform(
        x,
        y,
        (front + rear + right_side + left_side) / 4,
        math.degrees(math.atan2(front - rear, 2 * half_base)),
        transform.yaw,
        math.degrees(math.atan2(left_side - right_side, 2 * half_track)),
    )


def step(
    transform: Transform,
    motion: Motion,
    control: VehicleControl,
    model: VehicleModel,
    height: Ground,
    delta_s: float,
) -> tuple[Transform, Motion]:
    """Move a car by one tick.

    Args:
        transform: where it is.
        motion: how it moves.
        control: what its driver does.
        model: the car.
        height: of the ground in metres at (x, y).
        delta_s: length of the tick, seconds; long ones are done in pieces.

    Returns:
        Where it is afterwards, and how it moves there.
    """
    pieces = max(1, math.ceil(delta_s / _MAX_STEP_S))
    piece_s = delta_s / pieces
    x, y, yaw, speed = transform.x, transform.y, math.radians(transform.yaw), motion.speed
    slope = math.radians(transform.pitch)
    turn = 0.0
    for _ in range(pieces):
        speed = _next_speed(speed, slope, control, model, piece_s)
        slip, turn = _turning(speed, control, model)
        # The heading of the middle of the piece: of second order, for the cost of the first.
        course = yaw + slip + turn * piece_s / 2
        x += speed * math.cos(course) * piece_s
        y += speed * math.sin(course) * piece_s
        yaw += turn * piece_s
    yaw = math.remainder(yaw, math.tau)
    moved = settle(Transform(x, y, 0.0, 0.0, math.degrees(yaw), 0.0), model, height)
    slip, _ = _turning(speed, control, model)
    climb = speed * math.sin(math.radians(moved.pitch))
    level = speed * math.cos(math.radians(moved.pitch))
    velocity = (level * math.cos(yaw + slip), level * math.sin(yaw + slip), climb)
    before = motion.velocity
    acceleration = (
        (velocity[0] - before[0]) / delta_s,
        (velocity[1] - before[1]) / delta_s,
        (velocity[2] - before[2]) / delta_s,
    )
    return moved, Motion(speed, velocity, (0.0, 0.0, math.degrees(turn)), acceleration)


def _next_speed(
    speed: float, slope: float, control: VehicleControl, model: VehicleModel, delta_s: float
) -> float:
    """Return the speed after `delta_s`, m/s."""
    pull = min(model.acceleration, model.power_w / model.mass_kg / max(abs(speed), 1.0))
    drive = min(max(control.throttle, 0.0), 1.0) * pull
    if control.reverse:
        drive *= -_REVERSE_SHARE
    free = drive - GRAVITY * math.sin(slope) - model.drag * speed * abs(speed)
    speed += free * delta_s
    resistance = _ROLLING + _BRAKE * min(max(control.brake, 0.0), 1.0)
    if control.hand_brake:
        resistance += _HAND_BRAKE
    # Whatever only resists can stop a car and hold it, and never sets it in motion.
    loss = resistance * delta_s
    return 0.0 if abs(speed) <= loss else speed - math.copysign(loss, speed)


def _turning(speed: float, control: VehicleControl, model: VehicleModel) -> tuple[float, float]:
    """Return the angle between course and heading, radians, and the yaw rate, radians/s."""
    steer = min(max(control.steer, -1.0), 1.0) * math.radians(model.max_steer_deg)
    if speed != 0.0:
        limit = math.atan(_GRIP * model.wheelbase_m / (speed * speed))
        steer = min(max(steer, -limit), limit)
    slip = math.atan(math.tan(steer) / 2)
    return slip, speed * math.cos(slip) * math.tan(steer) / model.wheelbase_m
