"""Lane mask, depth and both calibrations under one stamp, as RTAB-Map takes them.

ros2 launch lane_seg_ros mapping.launch.py image:=/camera/rgb/image depth:=/camera/depth/image

docs/launch.md shows how to start RTAB-Map on the topics that go out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg_ros.launching.actions import (
    base_namespace,
    environment_actions,
    launch_description,
    node_action,
    rviz_actions,
)
from lane_seg_ros.launching.arguments import Argument, node_arguments
from lane_seg_ros.launching.node_setup import beside, node_setup, topic_remapping

if TYPE_CHECKING:
    from launch.action import Action
    from launch.launch_context import LaunchContext
    from launch.launch_description import LaunchDescription

HERE = Path(__file__).parent

ARGUMENTS = (
    # A map is made of one camera.
    *node_arguments(without=('cameras',), params_file=str(HERE / 'params' / 'lane_seg.yaml')),
    Argument(
        'depth', 'depth', 'Topic of the depth images, 16UC1 or 32FC1, seen from the camera itself.'
    ),
    Argument(
        'depth_camera_info',
        '',
        'Topic of their calibration. Empty: camera_info beside the depth topic.',
    ),
)


def generate_launch_description() -> LaunchDescription:
    return launch_description(ARGUMENTS, start)


def start(context: LaunchContext, values: dict[str, str]) -> list[Action]:
    depth = values['depth']
    # Beside a plain `depth` lies the camera_info of the camera.
    its_own = 'depth_camera_info' if depth == 'depth' else beside(depth)
    info = values['depth_camera_info'] or its_own
    setup = node_setup(
        values,
        arguments=ARGUMENTS,
        base_namespace=base_namespace(context),
        remappings=(
            *topic_remapping('depth', depth, default='depth'),
            *topic_remapping('depth_camera_info', info, default='depth_camera_info'),
        ),
        publish_bundle=True,
    )
    return [
        *environment_actions(values),
        node_action(setup, values['params_file']),
        *rviz_actions(values, setup, HERE / 'rviz' / 'mapping.rviz'),
    ]
