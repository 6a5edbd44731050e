"""`carla-bridge drive`: the command line; carla is imported by `run` only."""

from __future__ import annotations

import argparse

from carla_bridge.connection import add_server_arguments
from lane_seg.argument_types import number_between

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Drive a vehicle of a world that somebody else ticks, such as `carla-bridge publish`,\n'
    'or that runs by itself. If no vehicle has the role, one is spawned.'
)
EPILOG = """\
examples:
  carla-bridge drive                                the car of `publish` keeps to its lane
  carla-bridge drive --driver keyboard --spectator  you drive; the simulator's window follows
  carla-bridge drive --role hero --driver autopilot CARLA's Traffic Manager drives

Keys: w a s d or the arrows, space hand brake, r reverse, p autopilot on and off, + and - its
speed, q quit. Ctrl-C and SIGTERM end it with exit code 0; the car brakes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `carla-bridge drive`."""
    add_server_arguments(parser)
    parser.add_argument(
        '--role',
        default='ego_vehicle',
        metavar='NAME',
        help='role_name of the vehicle (default: ego_vehicle)',
    )
    parser.add_argument(
        '--driver',
        choices=('follower', 'autopilot', 'keyboard'),
        default='follower',
        help="follower (default): keeps to the lane; autopilot: CARLA's Traffic Manager; "
        'keyboard: you, in this terminal',
    )
    parser.add_argument(
        '--vehicle',
        default='vehicle.tesla.model3',
        metavar='ID',
        help='to spawn if there is none of that role (default: vehicle.tesla.model3)',
    )
    parser.add_argument(
        '--speed',
        type=number_between(1, 200),
        default=30.0,
        metavar='KMH',
        help='wanted speed (default: 30)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, metavar='N', help='of place and way (default: 0)'
    )
    parser.add_argument(
        '--tm-port',
        type=int,
        default=8000,
        metavar='N',
        help='of the Traffic Manager (default: 8000)',
    )
    parser.add_argument(
        '--spectator', action='store_true', help="the simulator's own window follows the car"
    )
    parser.add_argument(
        '--seconds',
        type=number_between(0.1, 1e9),
        metavar='S',
        help='end after so many seconds of the wall clock (default: go on)',
    )


def run(args: argparse.Namespace) -> int:
    """Drive until q, Ctrl-C, SIGTERM or the end of --seconds; returns the exit code.

    Raises:
        LaneSegError: see `drive`.
    """
    from carla_bridge.drive.driving import DriveOptions, drive

    return drive(
        DriveOptions(
            host=args.host,
            port=args.port,
            timeout_s=args.timeout,
            role=args.role,
            vehicle=args.vehicle,
            driver=args.driver,
            speed_kmh=args.speed,
            seed=args.seed,
            traffic_manager_port=args.tm_port,
            spectator=args.spectator,
            seconds=args.seconds,
        )
    )
