"""`carla-bridge publish`: the command line; ROS and carla are imported by `run` only."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from carla_bridge.connection import CarlaError, add_server_arguments
from carla_bridge.drivers import DRIVERS, STUCK_S
from carla_bridge.rig import Rig, default_rig, rig_from_file
from carla_bridge.weathers import WEATHER_PRESETS
from lane_seg.argument_types import number_between
from lane_seg_ros.camera_player import parse_size
from lane_seg_ros.ros_installation import require_ros

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    "Publish CARLA's cameras as ROS 2 topics with the names and types of ros-bridge:\n"
    '/carla/<vehicle>/<camera>/image and camera_info, /clock, tf, odometry.'
)
EPILOG = """\
examples:
  carla-bridge publish --driver follower                 a car with two cameras drives around
  carla-bridge publish --size 640x360 --semantic tags    smaller images; tags instead of colours
  carla-bridge publish --sensors objects.json            sensors of a file, ros-bridge's or ours
  carla-bridge publish --attach --passive                cameras and ticks of another program
  carla-bridge publish --town Town04 --weather HardRainNoon --traffic 20 --seed 7

The line on stdout that begins with `ready` says that images flow. Ctrl-C and SIGTERM end it with
exit code 0: what was spawned is destroyed, what was set is set back.
docs/carla_publish.md lists topics, encodings and frames.
"""

_DEFAULT_ROLE = 'ego_vehicle'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `carla-bridge publish`."""
    add_server_arguments(parser)
    cameras = parser.add_argument_group('cameras')
    source = cameras.add_mutually_exclusive_group()
    source.add_argument(
        '--sensors',
        type=Path,
        metavar='FILE',
        help="spawn the vehicle and cameras of a file, our YAML or ros-bridge's objects.json "
        '(default: a car with rgb_front and semantic_segmentation_front)',
    )
    source.add_argument(
        '--attach', action='store_true', help='publish the cameras that are already there'
    )
    cameras.add_argument(
        '--role',
        metavar='NAME',
        help='role_name of the vehicle: what to call ours (default: that of the file, or '
        f'{_DEFAULT_ROLE}); with --attach, whose cameras to publish (default: all)',
    )
    cameras.add_argument(
        '--size',
        type=parse_size,
        metavar='WxH',
        help='of the default cameras (default: 1280x720)',
    )
    cameras.add_argument(
        '--fov',
        type=number_between(1, 170),
        metavar='DEG',
        help='horizontal field of view of the default cameras (default: 90)',
    )
    cameras.add_argument(
        '--semantic',
        choices=('palette', 'tags'),
        default='palette',
        help='semantic images as bgra8 in the colours of Cityscapes, as ros-bridge sends them, '
        'or as mono8 tags (default: palette)',
    )
    world = parser.add_argument_group('world')
    world.add_argument('--town', metavar='NAME', help='to load (default: the one that is loaded)')
    world.add_argument(
        '--weather',
        metavar='NAME',
        help='a preset of carla.WeatherParameters, such as HardRainNoon (default: as it is)',
    )
    world.add_argument(
        '--seed', type=int, default=0, metavar='N', help='of places and choices (default: 0)'
    )
    world.add_argument(
        '--traffic', type=_count, default=0, metavar='N', help='other vehicles (default: 0)'
    )
    driving = parser.add_argument_group('driving')
    driving.add_argument(
        '--driver',
        choices=DRIVERS,
        default='none',
        help="none (default): leave it to others; follower: keep to the lane; autopilot: CARLA's "
        'Traffic Manager, of the --traffic as well (can stop for good: CARLA issue 9172)',
    )
    driving.add_argument(
        '--speed',
        type=number_between(1, 200),
        default=30.0,
        metavar='KMH',
        help='wanted speed (default: 30)',
    )
    driving.add_argument(
        '--respawn',
        action='store_true',
        help=f'put the vehicle down elsewhere after it stood for {STUCK_S:g} s',
    )
    driving.add_argument(
        '--tm-port',
        type=int,
        default=8000,
        metavar='N',
        help='of the Traffic Manager, if one is needed (default: 8000)',
    )
    clock = parser.add_argument_group('time')
    clock.add_argument(
        '--passive',
        action='store_true',
        help='somebody else ticks, or nobody needs to: leave all settings of the world alone',
    )
    clock.add_argument(
        '--fixed-delta',
        type=number_between(0.001, 0.1),
        default=0.05,
        metavar='S',
        help='simulated seconds of a tick, 0.1 at most (default: 0.05)',
    )
    pace = clock.add_mutually_exclusive_group()
    pace.add_argument(
        '--rate-factor',
        type=number_between(0.01, 100),
        default=1.0,
        metavar='F',
        help='simulated seconds a second (default: 1, real time)',
    )
    pace.add_argument(
        '--as-fast-as-possible', action='store_true', help='tick when the last images are out'
    )
    clock.add_argument(
        '--seconds',
        type=number_between(0.1, 1e9),
        metavar='S',
        help='end after so many seconds of the wall clock (default: go on)',
    )


def run(args: argparse.Namespace) -> int:
    """Publish until Ctrl-C, SIGTERM or the end of --seconds.

    Returns:
        Exit code: 0, or 1 where the log says what went wrong.

    Raises:
        CarlaError: options contradict each other, or the sensor file is wrong.
        LaneSegError: ROS 2 is not installed.
    """
    require_ros()
    rig = _rig(args)
    if args.passive and args.town:
        raise CarlaError(
            'expected --passive or --town, found both: loading a town ends what others do there'
        )
    if args.weather not in (None, *WEATHER_PRESETS):
        raise CarlaError(
            f'expected a weather out of {", ".join(WEATHER_PRESETS)}, found {args.weather!r}'
        )
    if args.respawn and args.driver == 'none':
        raise CarlaError('expected a --driver with --respawn, found none: the vehicle would jump')
    from carla_bridge.publish.publisher import PublishOptions, publish

    return publish(
        PublishOptions(
            host=args.host,
            port=args.port,
            timeout_s=args.timeout,
            rig=rig,
            role=args.role,
            town=args.town,
            weather=args.weather,
            delta_s=None if args.passive else args.fixed_delta,
            rate_factor=None if args.as_fast_as_possible else args.rate_factor,
            raw_tags=args.semantic == 'tags',
            driver=args.driver,
            speed_kmh=args.speed,
            respawn=args.respawn,
            traffic=args.traffic,
            traffic_manager_port=args.tm_port,
            seed=args.seed,
            seconds=args.seconds,
        )
    )


def _rig(args: argparse.Namespace) -> Rig | None:
    """Return what to spawn; None with --attach."""
    if (args.attach or args.sensors) and (args.size or args.fov):
        raise CarlaError(
            'expected --size and --fov for the default cameras only, found them with '
            f'{"--attach" if args.attach else "--sensors"}, whose cameras have sizes of their own'
        )
    if args.attach:
        return None
    if args.sensors is not None:
        rig = rig_from_file(args.sensors)
    else:
        height, width = args.size or (720, 1280)
        rig = default_rig(width=width, height=height, fov_deg=args.fov or 90.0)
    return rig if args.role is None else replace(rig, id=args.role)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'expected 0 or more, found {text!r}')
    return int(text)
