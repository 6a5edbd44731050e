"""CARLA's camera as ROS 2 topics, lane segmentation of it, and rviz.

ros2 launch lane_seg_ros carla_demo.launch.py                        # CARLA at 127.0.0.1:2000
ros2 launch lane_seg_ros carla_demo.launch.py mini_carla:=true       # our stand-in, not CARLA

Where nothing answers at host:port, mini_carla is started in its place and named in the log.
"""

from __future__ import annotations

import argparse
import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from carla_bridge.drivers import DRIVERS
from carla_bridge.publish.command import add_arguments
from lane_seg_ros.launching.actions import (
    base_namespace,
    command_of,
    environment_actions,
    launch_description,
    node_action,
    rviz_actions,
    say,
)
from lane_seg_ros.launching.arguments import (
    FLAG,
    Argument,
    LaunchArgumentError,
    node_arguments,
)
from lane_seg_ros.launching.node_setup import node_setup

if TYPE_CHECKING:
    from launch.action import Action
    from launch.launch_context import LaunchContext
    from launch.launch_description import LaunchDescription

HERE = Path(__file__).parent

ARGUMENTS = (
    Argument('host', '127.0.0.1', 'Address of the CARLA server.'),
    Argument('port', '2000', 'Port of the CARLA server, for calls; streams use the one above.'),
    Argument(
        'mini_carla',
        'auto',
        'Whether to start our stand-in for the server, which is not CARLA; auto does so where '
        'nothing answers at a host that is this machine.',
        choices=('auto', *FLAG),
    ),
    Argument('town', '', 'Town to load. Empty: the one that is loaded.'),
    Argument('weather', '', 'Weather, such as HardRainNoon. Empty: as it is.'),
    Argument('driver', 'follower', 'Who drives the car.', choices=DRIVERS),
    Argument('traffic', '0', 'Number of other vehicles.'),
    Argument('size', '', 'Width x height of the images, such as 640x360. Empty: 1280x720.'),
    Argument(
        'publish_options',
        '',
        'More options of carla-bridge publish, such as --seed 7 or, with driver:=none, '
        '--attach --passive.',
    ),
    *node_arguments(
        without=('cameras', 'image_transport'),
        image='/carla/ego_vehicle/rgb_front/image',
        params_file=str(HERE / 'params' / 'lane_seg.yaml'),
        # The bridge publishes /clock and stamps the images with it.
        use_sim_time='true',
        rviz='true',
    ),
)

_LOCAL = ('127.0.0.1', 'localhost', '::1')
_PROBE_S = 3.0
# The bridge destroys its vehicle and sets the world back before it ends.
_END_S = '15'


def generate_launch_description() -> LaunchDescription:
    return launch_description(ARGUMENTS, start)


def start(context: LaunchContext, values: dict[str, str]) -> list[Action]:
    options = publish_options(values)
    setup = node_setup(values, arguments=ARGUMENTS, base_namespace=base_namespace(context))
    node = node_action(setup, values['params_file'])
    view = HERE / 'rviz' / 'lane_seg.rviz'
    rviz = rviz_actions(values, setup, view, fixed_frame='ego_vehicle')
    stand_in = wants_mini_carla(values['mini_carla'], values['host'], int(values['port']))
    # The node may wait for its camera; the bridge has to find its server.
    return [
        *environment_actions(values),
        node,
        *rviz,
        *(mini_carla_then(options, values) if stand_in else bridge(options)),
    ]


def publish_options(values: dict[str, str]) -> list[str]:
    """The options of `carla-bridge publish`, checked by its own parser.

    Raises:
        LaunchArgumentError: it would not take them.
    """
    given = {name: values[name] for name in ('host', 'port', 'town', 'weather', 'size')}
    options = [part for name, text in given.items() if text for part in (f'--{name}', text)]
    options += ['--driver', values['driver'], '--traffic', values['traffic']]
    try:
        options += shlex.split(values['publish_options'])
    except ValueError as error:
        raise LaunchArgumentError(
            f'expected publish_options as in a shell, found {values["publish_options"]}: {error}'
        ) from error
    parser = _Parser(allow_abbrev=False, add_help=False)
    add_arguments(parser)
    parser.parse_args(options)
    return options


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise LaunchArgumentError(
            f'carla-bridge publish, to which this launch file hands its arguments, says: {message}'
        )


def wants_mini_carla(choice: str, host: str, port: int) -> bool:
    """Whether to start the stand-in.

    Raises:
        LaunchArgumentError: no server answers at a host that is not this machine.
    """
    if choice != 'auto':
        return choice == 'true'
    try:
        socket.create_connection((host, port), timeout=_PROBE_S).close()
    except (OSError, OverflowError) as error:
        if host in _LOCAL:
            return True
        raise LaunchArgumentError(
            f'expected a CARLA server at {host}:{port}, found none ({error}); start it there, or '
            'let this machine run our stand-in: host:=127.0.0.1 mini_carla:=true'
        ) from error
    return False


def bridge(options: list[str]) -> list[Action]:
    """`carla-bridge publish`; with its end everything ends."""
    return process_and_its_end('carla_bridge', ['publish', *options])


def mini_carla_then(options: list[str], values: dict[str, str]) -> list[Action]:
    """`carla-bridge serve`, and the bridge as soon as it takes clients."""
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessIO
    from launch.events.process import ProcessIO

    address = f'{values["host"]}:{values["port"]}'
    say(
        f'THIS IS NOT CARLA: mini_carla, our stand-in with drawn pictures, is started at {address}'
        + ('' if values['mini_carla'] == 'true' else ', for no CARLA server answers there')
    )
    serve = ['serve', '--host', values['host'], '--port', values['port']]
    server, *ends = process_and_its_end('mini_carla', serve)

    def when_ready(event: ProcessIO) -> list[Action]:
        ready = any(line.startswith(b'ready') for line in event.text.splitlines())
        return bridge(options) if ready else []

    watch = RegisterEventHandler(OnProcessIO(target_action=server, on_stdout=when_ready))
    return [watch, server, *ends]


def process_and_its_end(name: str, arguments: list[str]) -> list[Action]:
    """A command of `carla-bridge`, and a handler that ends the launch file after it."""
    from launch.actions import EmitEvent, ExecuteProcess, RegisterEventHandler
    from launch.event_handlers import OnProcessExit
    from launch.events import Shutdown

    process = ExecuteProcess(
        cmd=[*command_of('carla-bridge', 'carla_bridge.command'), *arguments],
        name=name,
        output='screen',
        sigterm_timeout=_END_S,
    )
    end = EmitEvent(event=Shutdown(reason=f'{name} has ended'))
    return [process, RegisterEventHandler(OnProcessExit(target_action=process, on_exit=[end]))]
