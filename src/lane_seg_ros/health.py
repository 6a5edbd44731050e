"""`lane-seg health`: whether a running node is well, as an exit code for containers."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lane_seg.argument_types import number_between
from lane_seg_ros.ros_installation import require_ros

if TYPE_CHECKING:
    from diagnostic_msgs.msg import DiagnosticArray

__all__ = [
    'DESCRIPTION', 'EPILOG', 'Health', 'Status', 'add_arguments', 'judge', 'run', 'statuses_in',
]  # fmt: skip

DESCRIPTION = (
    'Wait for the next report of a lane_seg_node on /diagnostics and say in one line whether the\n'
    'node is well. The exit code is for HEALTHCHECK of a container, and for scripts.'
)
EPILOG = """\
examples:
  lane-seg health                              the first lane_seg_node that is heard
  lane-seg health --node /front/lane_seg_node  this one
  lane-seg health --timeout 3 --json           for a program to read

Exit codes: 0 OK or WARN (no camera image, for example), 1 ERROR, STALE or nothing heard within
the timeout, 2 wrong usage.
Needs ROS 2: a sourced installation, or pip install 'lane_seg_ros[ros]'.
"""

_LEVELS = ('OK', 'WARN', 'ERROR', 'STALE')
_WELL = ('OK', 'WARN')
_DEFAULT_S, _SHORTEST_S, _LONGEST_S = 5.0, 0.5, 600.0
_NOT_WELL = 1
# Ctrl-C is heard between two waits.
_SPIN_S = 0.1
# Only our statuses have this value.
_OURS = 'model_sha256'


@dataclass(frozen=True)
class Status:
    """One status of a node: of its pipeline, or of one of its cameras.

    Attributes:
        node: full name of the node.
        part: 'pipeline', or the camera.
        level: 'OK', 'WARN', 'ERROR' or 'STALE'.
        message: what it says.
    """

    node: str
    part: str
    level: str
    message: str


@dataclass(frozen=True)
class Health:
    """The judgement.

    Attributes:
        healthy: whether the exit code is 0.
        text: one line.
        statuses: on which it rests.
    """

    healthy: bool
    text: str
    statuses: tuple[Status, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lane-seg health`."""
    parser.add_argument(
        '--timeout',
        type=number_between(_SHORTEST_S, _LONGEST_S, 'seconds'),
        default=_DEFAULT_S,
        metavar='S',
        help=f'seconds to wait for a report, the start included (default: {_DEFAULT_S:g})',
    )
    parser.add_argument(
        '--node',
        default='lane_seg_node',
        metavar='NAME',
        help='full name, or a name in whatever namespace (default: lane_seg_node)',
    )
    parser.add_argument('--json', action='store_true', help='print a JSON object')


def run(args: argparse.Namespace) -> int:
    """Listen and judge.

    Returns:
        Exit code: 0 if the node is well, else 1.

    Raises:
        LaneSegError: ROS 2 is not installed.
    """
    end_s = time.monotonic() + args.timeout
    require_ros()
    # Deadly by default, which would leave our segment behind in shared memory.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        health = judge(_listen(args.node, end_s), node=args.node, timeout_s=args.timeout)
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.stdout.write(f'{json.dumps(asdict(health)) if args.json else health.text}\n')
    return 0 if health.healthy else _NOT_WELL


def statuses_in(msg: DiagnosticArray, node: str) -> tuple[Status, ...]:
    """The statuses of one lane_seg_node in a message of /diagnostics.

    Args:
        msg: may be of anybody.
        node: full name, which begins with /, or a name in whatever namespace.
    """
    found = []
    for status in msg.status:
        name, _, part = status.name.partition(': ')
        name = f'/{name.lstrip("/")}'
        wanted = name if node.startswith('/') else name.rpartition('/')[2]
        if wanted == node and any(item.key == _OURS for item in status.values):
            # A byte field is bytes to rclpy.
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            word = _LEVELS[level] if level < len(_LEVELS) else str(level)
            found.append(Status(name, part, word, status.message))
    return tuple(found)


def judge(statuses: Sequence[Status], *, node: str, timeout_s: float) -> Health:
    """Judge what was heard.

    Args:
        statuses: of the newest report; none: nothing was heard.
        node: that was listened for.
        timeout_s: for how long, in seconds.
    """
    if not statuses:
        return Health(
            False,
            f'no report of {node} on /diagnostics within {timeout_s:g} s: does it run, with this '
            'ROS_DOMAIN_ID, as this user?',
        )
    said = '; '.join(
        f'{status.node} {status.part}: {status.level}, {" ".join(status.message.split())}'
        for status in statuses
    )
    return Health(all(status.level in _WELL for status in statuses), said, tuple(statuses))


def _listen(node: str, end_s: float) -> tuple[Status, ...]:
    """The statuses of the first report that comes; none where none comes.

    Args:
        node: whose report it must be.
        end_s: when to give up, of time.monotonic().
    """
    from lane_seg_ros.middleware import prepare_middleware

    prepare_middleware()
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.context import Context
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    found: list[Status] = []

    def take(msg: DiagnosticArray) -> None:
        if not found:
            found.extend(statuses_in(msg, node))

    context = Context()
    rclpy.init(context=context)
    listener = None
    try:
        # Nothing that others would have to find and match.
        listener = rclpy.create_node(
            'lane_seg_health',
            context=context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(listener)
        # Asks for nothing, and so matches reliable and best-effort publishers.
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        listener.create_subscription(DiagnosticArray, '/diagnostics', take, qos)
        while not found and (left_s := end_s - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=min(left_s, _SPIN_S))
        executor.shutdown()
    except ExternalShutdownException as error:
        raise KeyboardInterrupt from error
    finally:
        if listener is not None:
            listener.destroy_node()
        rclpy.try_shutdown(context=context)
    return tuple(found)
