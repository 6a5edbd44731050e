"""What differs between the versions of the wire protocol, 0.9.13 to 0.9.16.

A stream frame names its type by an index into the registry that was compiled into the client, so
a client that meets the frames of another version reads them as another sensor's: carla 0.9.16
against 0.9.15 ends in a segmentation fault inside `get_world()`. Neither side says its version in
a way that the other could refuse: the client asks for the server's and prints a warning at most.
Programs of ours therefore compare versions before `get_world()` (`carla_bridge.connection`).

Read from the debug information in the PyPI wheels of these four versions; docs/mini_carla.md says
how to read it again for another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from lane_seg.errors import LaneSegError

__all__ = ['DEFAULT_VERSION', 'PROFILES', 'Profile', 'profile_of']

# Indices of `carla::rpc::Command` since 0.9.14.
_COMMANDS = (
    'spawn_actor',
    'destroy_actor',
    'apply_control_to_vehicle',
    'apply_ackermann_control_to_vehicle',
    'apply_control_to_walker',
    'apply_physics_control',
    'set_actor_transform',
    'set_walker_state',
    'set_actor_target_velocity',
    'set_actor_target_angular_velocity',
    'add_actor_impulse',
    'add_actor_force',
    'add_actor_angular_impulse',
    'add_actor_torque',
    'set_actor_simulate_physics',
    'set_actor_enable_gravity',
    'set_actor_autopilot',
    'show_vehicle_debug_telemetry',
    'set_vehicle_light_state',
    'set_actor_location',
    'console_command',
    'set_traffic_light_state',
)
_NOT_IN_0_9_13 = (
    'apply_ackermann_control_to_vehicle',
    'set_actor_location',
    'console_command',
    'set_traffic_light_state',
)


@dataclass(frozen=True)
class Profile:
    """One version of the protocol.

    Attributes:
        version: as the client's `get_client_version()` states it.
        frame_types: {blueprint id: index of its frames in the client's registry of sensors}.
        observer_type: the index of the world observer's frames.
        first_attribute_type: number of the attribute type Bool; Int, Float, String and RGBColor
            follow it.
        commands: names of the batch commands, by their index on the wire.
        vehicle_tag: the semantic tag of a car.
    """

    version: str
    frame_types: dict[str, int]
    observer_type: int
    first_attribute_type: int
    commands: tuple[str, ...]
    vehicle_tag: int


def _profile(
    version: str, first_camera: int, lane_invasion: int, observer: int, first_attribute: int = 0
) -> Profile:
    old = version == '0.9.13'
    return Profile(
        version=version,
        frame_types={
            'sensor.other.collision': 0,
            'sensor.camera.depth': 1,
            'sensor.other.gnss': lane_invasion - 2,
            'sensor.other.imu': lane_invasion - 1,
            'sensor.other.lane_invasion': lane_invasion,
            'sensor.camera.rgb': first_camera,
            'sensor.camera.semantic_segmentation': first_camera + 1,
            'sensor.camera.instance_segmentation': first_camera + 2,
        },
        observer_type=observer,
        first_attribute_type=first_attribute,
        commands=tuple(name for name in _COMMANDS if not (old and name in _NOT_IN_0_9_13)),
        vehicle_tag=10 if old else 14,
    )


DEFAULT_VERSION = '0.9.16'
PROFILES = {
    profile.version: profile
    for profile in (
        _profile('0.9.13', first_camera=12, lane_invasion=5, observer=15),
        _profile('0.9.14', first_camera=13, lane_invasion=6, observer=16),
        _profile('0.9.15', first_camera=13, lane_invasion=6, observer=16),
        _profile('0.9.16', first_camera=13, lane_invasion=6, observer=17, first_attribute=1),
    )
}


def profile_of(version: str) -> Profile:
    """Return the profile of a version.

    Raises:
        LaneSegError: the version is not one that we know.
    """
    if version not in PROFILES:
        raise LaneSegError(
            f'expected a version of the CARLA protocol out of {", ".join(PROFILES)}, found '
            f'{version!r}; choose the one of your carla package (`pip show carla`)'
        )
    return PROFILES[version]
