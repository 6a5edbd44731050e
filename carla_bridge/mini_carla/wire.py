"""The values and frames of the protocol as bytes and msgpack arrays.

A struct is an array of its fields in the order of their declaration, floats may have 64 bits,
`optional<T>` is [False] or [True, value]. Frames are little-endian and packed without gaps.
The layouts were read from the debug information in the carla wheels, 0.9.13 to 0.9.16, which
agree in all that stands here.
"""

from __future__ import annotations

import math
import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from carla_bridge.mini_carla.geometry import Transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    'EpisodeSettings',
    'VehicleControl',
    'actor_record',
    'bounding_box',
    'camera_body_header',
    'episode_header',
    'frame_header',
    'observer_stream',
    'transform_from_matrix',
    'transform_from_wire',
    'transform_to_wire',
    'token',
]

# Streams of sensors have the number of their actor.
_FIRST_OBSERVER_STREAM = 1 << 30

_TCP = 1
# The client puts in the address that it calls us by.
_NO_ADDRESS = 0
_ACTIVE = 1
_GREEN = 2
_TYPE_DEPENDENT_BYTES = 54


@dataclass(frozen=True)
class EpisodeSettings:
    """How time passes; the fields of `carla.WorldSettings`, in seconds and metres.

    The defaults are those of CARLA. Only the first three have an effect here.
    """

    synchronous_mode: bool = False
    no_rendering_mode: bool = False
    fixed_delta_seconds: float | None = None
    substepping: bool = True
    max_substep_delta_time: float = 0.01
    max_substeps: int = 10
    max_culling_distance: float = 0.0
    deterministic_ragdolls: bool = False
    tile_stream_distance: float = 3000.0
    actor_active_distance: float = 2000.0
    spectator_as_ego: bool = True

    @classmethod
    def from_wire(cls, fields: Sequence[object]) -> EpisodeSettings:
        """Read what a client sent; older ones send fewer fields."""
        values = list(fields)
        step = values[2]
        # Zero is the client's other way of saying None.
        values[2] = (step[1] or None) if isinstance(step, list) and len(step) == 2 else None
        return cls(*values)  # type: ignore[arg-type]

    def to_wire(self) -> list[object]:
        """Return the array that the client expects."""
        fields: list[object] = list(astuple(self))
        step = self.fixed_delta_seconds
        fields[2] = [False] if step is None else [True, step]
        return fields


@dataclass(frozen=True)
class VehicleControl:
    """What the driver does: throttle and brake 0 to 1, steer -1 (left) to 1 (right)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


def transform_from_wire(value: list[list[float]]) -> Transform:
    """Read [[x, y, z], [pitch, yaw, roll]], in metres and degrees."""
    match value:
        case [[x, y, z], [pitch, yaw, roll]]:
            numbers = [float(number) for number in (x, y, z, pitch, yaw, roll)]
            if all(math.isfinite(number) for number in numbers):
                return Transform(*numbers)
    raise ValueError(f'expected [[x, y, z], [pitch, yaw, roll]], found {value!s:.80}')


def transform_to_wire(transform: Transform) -> list[list[float]]:
    """Return [[x, y, z], [pitch, yaw, roll]]."""
    return [
        [transform.x, transform.y, transform.z],
        [transform.pitch, transform.yaw, transform.roll],
    ]


def transform_from_matrix(matrix: NDArray[np.float64]) -> Transform:
    """Return the Transform whose `matrix()` is this (4, 4) rigid motion."""
    x, y, z = (float(value) for value in matrix[:3, 3])
    pitch = math.asin(float(np.clip(matrix[2, 0], -1.0, 1.0)))
    yaw = math.atan2(matrix[1, 0], matrix[0, 0])
    roll = math.atan2(-matrix[2, 1], matrix[2, 2])
    return Transform(x, y, z, math.degrees(pitch), math.degrees(yaw), math.degrees(roll))


def bounding_box(extent: Sequence[float], actor_id: int) -> list[object]:
    """Return the box of an actor that stands on its own origin, half sizes in metres."""
    return [[0.0, 0.0, extent[2]], list(extent), [0.0, 0.0, 0.0], actor_id]


def observer_stream(episode_id: int) -> int:
    """Return the number of the stream that tells the state of an episode.

    Each has its own. The client keeps its streams by number and does not replace one that is
    still there; when an episode ends while one of its threads is busy with the old one, a new
    stream of the same number is freed while it is being connected: segmentation fault.
    """
    return _FIRST_OBSERVER_STREAM + episode_id


def token(stream_id: int, port: int) -> bytes:
    """Return the 24 bytes by which a client finds a stream."""
    return struct.pack('<IHBB16x', stream_id, port, _TCP, _NO_ADDRESS)


def frame_header(frame_type: int, frame: int, elapsed_s: float, transform: Transform) -> bytes:
    """Return the 48 bytes in front of every frame.

    Args:
        frame_type: index in the client's registry of sensors, see `profiles`.
        frame: number of the tick.
        elapsed_s: simulated seconds since the episode began.
        transform: of the sensor, in the world.
    """
    return struct.pack('<QQd6f', frame_type, frame, elapsed_s, *astuple(transform))


def episode_header(
    episode_id: int, platform_s: float, delta_s: float, *, map_changed: bool
) -> bytes:
    """Return the 36 bytes in front of the records of the actors.

    Args:
        episode_id: changes with every loaded world; the client waits for that.
        platform_s: wall clock, seconds.
        delta_s: simulated seconds since the tick before.
        map_changed: set once after a world was loaded; the client then asks for the map again.
    """
    return struct.pack('<Qdf3iI', episode_id, platform_s, delta_s, 0, 0, 0, map_changed)


def actor_record(
    actor_id: int,
    transform: Transform,
    motion: Sequence[float],
    control: VehicleControl | None = None,
    speed_limit_kmh: float = 0.0,
) -> bytes:
    """Return the 119 bytes of one actor.

    Args:
        actor_id: of the actor.
        transform: in the world.
        motion: nine numbers: velocity (m/s), angular velocity (degrees/s), acceleration (m/s^2).
        control: of a vehicle; None for any other actor.
        speed_limit_kmh: of the road that a vehicle is on.
    """
    head = struct.pack('<IB15f', actor_id, _ACTIVE, *astuple(transform), *motion)
    if control is None:
        return head + bytes(_TYPE_DEPENDENT_BYTES)
    # No traffic light concerns the vehicle, for which the client reports green; no failure.
    tail = struct.pack('<3f3?ifB?IB', *astuple(control), speed_limit_kmh, _GREEN, False, 0, 0)
    return head + tail.ljust(_TYPE_DEPENDENT_BYTES, b'\0')


def camera_body_header(width: int, height: int, fov_deg: float) -> bytes:
    """Return the 12 bytes between the header of a camera's frame and its BGRA rows."""
    return struct.pack('<IIf', width, height, fov_deg)
