"""CARLA's calls that mini_carla does not have, so that a script is told what is missing.

A name that a server does not know becomes "rpc::rpc_error during call in function ..." in the
client, whatever text the server sends along. The text gets through in the shape that the call
answers in, which is why the shape of each call stands here. Calls that the client sends without
waiting show in the server's log only.
"""

from __future__ import annotations

import logging

from carla_bridge.mini_carla.rpc import Call, CallError

__all__ = ['ABSENT']

LOG = logging.getLogger(__name__)

# What is missing -> calls that answer with a value, calls that answer with nothing.
_MISSING = {
    'recorder': (
        'start_recorder show_recorder_file_info show_recorder_collisions '
        'show_recorder_actors_blocked replay_file',
        'stop_recorder stop_replayer set_replayer_time_factor set_replayer_ignore_hero '
        'set_replayer_ignore_spectator',
    ),
    'pedestrians': (
        'get_bones_transform',
        'apply_control_to_walker set_walker_state set_bones_transform blend_pose '
        'get_pose_from_animation set_actor_dead',
    ),
    'traffic lights': (
        'get_group_traffic_lights get_light_boxes',
        'set_traffic_light_state set_traffic_light_green_time set_traffic_light_yellow_time '
        'set_traffic_light_red_time freeze_traffic_light reset_traffic_light_group',
    ),
    'forces': (
        '',
        'add_actor_impulse add_actor_impulse_at_location add_actor_force '
        'add_actor_force_at_location add_actor_angular_impulse add_actor_torque '
        'set_actor_target_angular_velocity set_actor_collisions',
    ),
    'Ackermann control': (
        'get_ackermann_controller_settings',
        'apply_ackermann_control_to_vehicle apply_ackermann_controller_settings',
    ),
    'wheels and doors that move': (
        'get_wheel_steer_angle get_wheel_pitch_angle',
        'set_wheel_steer_direction set_wheel_pitch_angle open_vehicle_door close_vehicle_door',
    ),
    'other vehicle physics': (
        'get_telemetry_data',
        'enable_carsim use_carsim_road enable_chrono_physics restore_physx_physics',
    ),
    'ray casts': ('cast_ray project_point', ''),
    'textures': (
        'get_names_of_all_objects',
        'apply_color_texture_to_objects apply_float_color_texture_to_objects',
    ),
    'g-buffers': ('get_gbuffer_token', 'enable_gbuffers'),
    'ROS 2 interface of its own': (
        'is_sensor_enabled_for_ros',
        'enable_sensor_for_ros disable_sensor_for_ros',
    ),
}


def _refusal(name: str, missing: str, response: str) -> Call:
    def refuse(*parameters: object) -> None:
        LOG.warning('a client called %s: mini_carla has no %s', name, missing)
        raise CallError(f'{name}: mini_carla has no {missing}; CARLA itself does')

    return Call(refuse, response)


ABSENT = {
    name: _refusal(name, missing, response)
    for missing, by_response in _MISSING.items()
    for response, names in zip(('value', 'void'), by_response, strict=True)
    for name in names.split()
}
"""{name of the call: what refuses it}."""
