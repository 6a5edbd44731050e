"""Lane segmentation of one camera or several: the node, and rviz if asked for.

ros2 launch lane_seg_ros lane_seg.launch.py image:=/camera/image_raw
ros2 launch lane_seg_ros lane_seg.launch.py --show-args
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
from lane_seg_ros.launching.arguments import node_arguments
from lane_seg_ros.launching.node_setup import node_setup

if TYPE_CHECKING:
    from launch.action import Action
    from launch.launch_context import LaunchContext
    from launch.launch_description import LaunchDescription

HERE = Path(__file__).parent

ARGUMENTS = node_arguments(params_file=str(HERE / 'params' / 'lane_seg.yaml'))


def generate_launch_description() -> LaunchDescription:
    return launch_description(ARGUMENTS, start)


def start(context: LaunchContext, values: dict[str, str]) -> list[Action]:
    setup = node_setup(values, arguments=ARGUMENTS, base_namespace=base_namespace(context))
    return [
        *environment_actions(values),
        node_action(setup, values['params_file']),
        *rviz_actions(values, setup, HERE / 'rviz' / 'lane_seg.rviz'),
    ]
