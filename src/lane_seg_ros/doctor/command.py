"""The command line of the doctor; it imports no ROS, so that `--help` works anywhere."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from pathlib import Path

from lane_seg.argument_types import number_between
from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg_ros.ros_installation import require_ros

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Look at the running ROS graph for some seconds, and say what is wrong with its cameras,\n'
    'why, and who must change what.'
)
EPILOG = """\
examples:
  lane-seg doctor                                      every image topic of this ROS_DOMAIN_ID
  lane-seg doctor --image /carla/hero/front/image      this one
  lane-seg doctor --label /carla/hero/semantic/image   its pixels are semantic tags
  lane-seg doctor --seconds 30 --json doctor.json      longer, and for a program to read

It changes nothing. Exit codes: 0 no error was found, 1 at least one, 2 wrong usage.
Needs ROS 2: a sourced installation, or pip install 'lane_seg_ros[ros]'.
"""

_TOPIC = re.compile(r'/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')
_SHORTEST_S, _LONGEST_S = 1.0, 600.0
_FOUND = 1
_HIGHEST_DOMAIN = 232


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lane-seg doctor`."""
    parser.add_argument(
        '--image',
        type=_topic,
        action='append',
        default=[],
        metavar='TOPIC',
        help='an image topic; may be given several times (default: all that are published)',
    )
    parser.add_argument(
        '--label',
        type=_topic,
        action='append',
        default=[],
        metavar='TOPIC',
        help='an image topic with semantic tags; may be given several times (default: those '
        'whose names or pixels say so)',
    )
    parser.add_argument(
        '--camera-info',
        type=_topic,
        metavar='TOPIC',
        help='camera info of the first image topic (default: camera_info beside each image)',
    )
    parser.add_argument(
        '--seconds',
        type=number_between(_SHORTEST_S, _LONGEST_S, 'seconds'),
        default=5.0,
        metavar='S',
        help='how long to look (default: 5)',
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write all findings there as well'
    )
    parser.add_argument('--all', action='store_true', help='show also what is well')


def run(args: argparse.Namespace) -> int:
    """Look and tell.

    Returns:
        Exit code: 0 if no finding is an error, else 1.

    Raises:
        LaneSegError: ROS 2 is not installed, or ROS_DOMAIN_ID is none.
    """
    require_ros()
    _check_domain()
    from lane_seg_ros.doctor.checks import findings_of
    from lane_seg_ros.doctor.graph import Wanted, observe
    from lane_seg_ros.doctor.report import json_of, lines_of, summary_of, table_of

    wanted = Wanted(
        seconds=args.seconds,
        images=tuple(args.image),
        labels=tuple(args.label),
        camera_info=args.camera_info or '',
    )
    # Deadly by default, which would leave our segment behind in shared memory.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        findings = findings_of(observe(wanted))
    finally:
        signal.signal(signal.SIGTERM, before)
    if args.json is not None:
        write_text(args.json, json_of(findings) + '\n')
    shown = [finding for finding in findings if args.all or finding.severity != 'ok']
    summary = summary_of(findings) + ('' if args.all else ' (--all shows these too)')
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        if shown:
            console.print(table_of(shown))
        console.print(summary, highlight=False)
    else:
        sys.stdout.write('\n'.join([*lines_of(shown), summary, '']))
    return _FOUND if any(finding.severity == 'error' for finding in findings) else 0


def _check_domain() -> None:
    """Refuse a domain with which rclpy would end the process without a word of use."""
    domain = os.environ.get('ROS_DOMAIN_ID', '')
    if domain and not (domain.isdecimal() and int(domain) <= _HIGHEST_DOMAIN):
        raise LaneSegError(
            f'ROS_DOMAIN_ID is {domain!r}: expected a whole number from 0 to {_HIGHEST_DOMAIN}, '
            'the same on all machines; export another one'
        )


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f'expected a topic name such as /camera/image_raw, found {text!r}'
        )
    return text
