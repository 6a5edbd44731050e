"""What the launch files start; `launch` is imported by the functions, for it is not on PyPI."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg_ros.launching.arguments import (
    Argument,
    LaunchArgumentError,
    checked_values,
    unknown_arguments,
)
from lane_seg_ros.launching.environment import image_path_environment
from lane_seg_ros.launching.node_setup import NodeSetup
from lane_seg_ros.launching.params_file import check_params_file

if TYPE_CHECKING:
    from launch.action import Action
    from launch.launch_context import LaunchContext
    from launch.launch_description import LaunchDescription

__all__ = [
    'SHOWN_NODE',
    'SHOWN_OUTPUTS',
    'base_namespace',
    'command_of',
    'environment_actions',
    'launch_description',
    'node_action',
    'rviz_actions',
    'say',
]

_NODE = ('lane_seg_node', 'lane_seg_ros.lane_seg_node')
# Topics as the .rviz files have them: those of a node that nobody has renamed.
SHOWN_NODE = '/lane_seg_node'
SHOWN_OUTPUTS = ('mask', 'mask_color', 'overlay', 'camera_info', 'bundle/depth') + (
    *('bundle/mask', 'bundle/camera_info', 'bundle/depth_camera_info'),
)


def launch_description(
    arguments: Iterable[Argument],
    start: Callable[[LaunchContext, dict[str, str]], list[Action]],
) -> LaunchDescription:
    """A launch file: its arguments, and what it starts once they are checked.

    Args:
        arguments: to declare.
        start: takes the context and the checked text of each argument; returns what to start.
            It raises LaneSegError where they are wrong: nothing has been started by then.
    """
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch.launch_description import LaunchDescription
    from launch.substitutions import LaunchConfiguration

    arguments = tuple(arguments)

    def check_and_start(context: LaunchContext) -> list[Action]:
        given = {a.name: LaunchConfiguration(a.name).perform(context) for a in arguments}
        values = checked_values(arguments, given)
        actions = start(context, values)
        for complaint in unknown_arguments(arguments, context.launch_configurations):
            say(complaint)
        return actions

    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(a.name, default_value=a.default, description=a.help)
                for a in arguments
            ),
            OpaqueFunction(function=check_and_start),
        ]
    )


def say(text: str) -> None:
    """Log a warning in the name of the launch file."""
    from launch.logging import get_logger

    get_logger('lane_seg_ros').warning(text)


def base_namespace(context: LaunchContext) -> str:
    """The namespace of the group in which the launch file is included; '' if none."""
    return str(context.launch_configurations.get('ros_namespace', ''))


def command_of(executable: str, module: str) -> list[str]:
    """How to start a program of ours.

    Args:
        executable: its name where colcon has installed it (lib/lane_seg_ros).
        module: the same for `python3 -m`, in a checkout or after pip.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        installed = Path(get_package_prefix('lane_seg_ros'), 'lib', 'lane_seg_ros', executable)
    except (PackageNotFoundError, LookupError):  # pip; no ROS installation is sourced
        installed = None
    if installed is not None and installed.is_file():
        return [str(installed)]
    return [sys.executable, '-m', module]


def environment_actions(values: Mapping[str, str]) -> list[Action]:
    """Set what large images need for all processes that follow; nothing with profile:=false."""
    from launch.actions import SetEnvironmentVariable

    settings = image_path_environment(os.environ) if values['profile'] == 'true' else {}
    return [SetEnvironmentVariable(name, value) for name, value in settings.items()]


def node_action(setup: NodeSetup, params_file: str) -> Action:
    """Start the node.

    Args:
        setup: from the arguments.
        params_file: path of the YAML file; '' for none.

    Raises:
        LaunchArgumentError: the file cannot be read, or has nothing for this node.
    """
    from launch_ros.actions import Node
    from launch_ros.parameter_descriptions import ParameterValue

    files = []
    if params_file:
        path = Path(params_file).expanduser().absolute()
        for complaint in check_params_file(path, setup.full_name):
            say(complaint)
        files.append(str(path))
    # With their types: launch would read a model named 123, or a camera named on, as YAML.
    types = {bool: bool, str: str, list: list[str]}
    typed = {
        name: ParameterValue(value, value_type=types[type(value)])
        for name, value in setup.parameters.items()
    }
    program, *arguments = command_of(*_NODE)
    return Node(
        executable=program,
        arguments=arguments,
        exec_name=setup.name,
        name=setup.name,
        namespace=setup.namespace,
        parameters=[*files, *([typed] if typed else [])],
        remappings=list(setup.remappings),
        ros_arguments=['--log-level', f'{setup.logger}:={setup.log_level}'],
        output='screen',
        respawn=setup.respawn_delay_s is not None,
        respawn_delay=setup.respawn_delay_s,
    )


def rviz_actions(
    values: Mapping[str, str], setup: NodeSetup, config: Path, *, fixed_frame: str = ''
) -> list[Action]:
    """Start rviz2 with a view of ours, or say why not; nothing without rviz:=true.

    Args:
        values: of the arguments.
        setup: of the node whose topics are shown; of several cameras the first.
        config: the .rviz file.
        fixed_frame: of tf; '' leaves that to the file.

    Raises:
        LaunchArgumentError: the file is not there.
    """
    from launch_ros.actions import Node

    if values['rviz'] != 'true':
        return []
    program = shutil.which('rviz2')
    if program is None:
        say(
            'rviz2 is not installed (Debian package ros-<distro>-rviz2), or its setup file is not '
            'sourced: everything else starts without it'
        )
        return []
    if not config.is_file():
        raise LaunchArgumentError(
            f'expected the view of rviz at {config}, found none; install the package again'
        )
    shown = {'/image': setup.image_topic} | {
        f'{SHOWN_NODE}/{topic}': f'{setup.outputs}/{topic}' for topic in SHOWN_OUTPUTS
    }
    return [
        Node(
            executable=program,
            arguments=['-d', str(config), *(('-f', fixed_frame) if fixed_frame else ())],
            exec_name='rviz2',
            # No name: rviz2's helper nodes would be called by it as well.
            parameters=[{'use_sim_time': setup.parameters.get('use_sim_time') is True}],
            remappings=[(old, new) for old, new in shown.items() if old != new],
            output='log',
        )
    ]
