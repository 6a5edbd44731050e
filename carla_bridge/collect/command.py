"""`carla-bridge collect`: record labelled images from a simulator by a plan."""

from __future__ import annotations

import argparse
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carla_bridge.connection import add_server_arguments
from carla_bridge.existing.arguments import add_arguments as add_existing_arguments
from carla_bridge.existing.arguments import run as convert_existing
from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from carla_bridge.recording.plan import CollectPlan

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Record labelled images: every route of every town in every weather of a plan. Each frame\n'
    "has a picture, CARLA's semantic tags, and labels of road and true lane lines.\n"
    'The same command again goes on where the last one ended, however it ended.'
)
EPILOG = """\
examples:
  carla-bridge collect --example > plan.yaml             a plan with all keys and their meaning
  carla-bridge collect plan.yaml --dry-run               what it would record, and its size
  carla-bridge collect plan.yaml --output recording      record, or go on recording
  carla-bridge collect plan.yaml --output recording --port 3000 --wait-for-server 600
                                                         a server that is restarted when it crashes
  carla-bridge collect --existing old --output recording  pictures that another tool has recorded

exit codes: 0 the plan is complete, 1 it is not, and why is said, 130 Ctrl-C, 143 SIGTERM
"""

_ENOUGH_ROOM = 1.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `carla-bridge collect`."""
    parser.add_argument('plan', nargs='?', type=Path, metavar='PLAN', help='a YAML file')
    parser.add_argument(
        '--output', type=Path, metavar='DIR', help='the recording; made, or gone on with'
    )
    parser.add_argument(
        '--example', action='store_true', help='print a plan with explanations, and end'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='list the drives, their frames and size, and end'
    )
    parser.add_argument(
        '--force', action='store_true', help='begin although the disk is too small for the plan'
    )
    add_server_arguments(parser)
    parser.add_argument(
        '--tm-port',
        type=int,
        default=0,
        metavar='N',
        help='of the Traffic Manager, where the plan wants it (default: any free one)',
    )
    parser.add_argument(
        '--min-move',
        type=float,
        default=0.2,
        metavar='M',
        help='skip frames when the car moved less, metres; 0 records it standing (default: 0.2)',
    )
    parser.add_argument(
        '--watchdog',
        type=float,
        default=60.0,
        metavar='S',
        help='start anew when nothing happened for so long; loading a large town takes long '
        '(default: 60)',
    )
    parser.add_argument(
        '--restarts',
        type=int,
        default=3,
        metavar='N',
        help='give up after so many in a row without a new frame (default: 3)',
    )
    parser.add_argument(
        '--wait-for-server',
        type=float,
        default=0.0,
        metavar='S',
        help='wait so long for a server that is not there, at the start or after a crash '
        '(default: 0)',
    )
    add_existing_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Record, or say what would be recorded."""
    from carla_bridge.recording.plan import EXAMPLE, plan_from_file

    if args.example:
        sys.stdout.write(EXAMPLE)
        return 0
    if args.existing is not None:
        return convert_existing(args)
    if args.plan is None:
        raise LaneSegError(
            'expected a plan, found none; `carla-bridge collect --example > plan.yaml` writes one'
        )
    plan = plan_from_file(args.plan)
    if args.dry_run:
        return _dry_run(args, plan)
    if args.output is None:
        raise LaneSegError('expected --output DIR, the folder to record into, found none')
    _check_numbers(args)
    return _collect(args, plan)


def _collect(args: argparse.Namespace, plan: CollectPlan) -> int:
    from carla_bridge.collect.job import Job
    from carla_bridge.collect.progress import CollectProgress
    from carla_bridge.collect.summary import print_table, write_contact_sheet
    from carla_bridge.collect.supervisor import (
        CollectError,
        Limits,
        Supervisor,
        counts_of,
        records_of,
    )
    from carla_bridge.recording.sweep import drives_of

    folder = args.output
    drives = drives_of(plan)
    total = len(drives) * plan.frames
    done = sum(counts_of(folder, drives).values())
    _check_room(args, plan, total - done)
    job = Job(
        plan=plan,
        town='',
        folder=folder,
        host=args.host,
        port=args.port,
        timeout_s=args.timeout,
        manager_port=args.tm_port or _free_port(),
        min_move_m=args.min_move,
        watchdog_s=args.watchdog,
    )
    limits = Limits(args.watchdog, args.wait_for_server, args.restarts)
    again = f'the same command goes on: {_resume_command(args)}'
    with CollectProgress(folder, total=total, done=done) as progress:
        if done:
            progress.say(f'{done} of {total} frames are there already')
        supervisor = Supervisor(job, limits, progress)
        try:
            supervisor.run()
        except CollectError as error:
            raise CollectError(f'{error}\n{again}') from error
    records = records_of(folder)
    if records:
        print_table(records)
        sheet = write_contact_sheet(folder, records)
        sys.stdout.write(
            f'{len(records)} frames in {folder}, {progress.new_frames} of them new '
            f'({progress.per_second:.1f} frames/s); see {sheet}\n'
        )
    if supervisor.stopped_by is not None:
        sys.stderr.write(f'ended by {supervisor.stopped_by.name}; {again}\n')
        return 128 + supervisor.stopped_by
    return 0


def _dry_run(args: argparse.Namespace, plan: CollectPlan) -> int:
    """Print the drives of a plan."""
    from rich.console import Console
    from rich.table import Table

    from carla_bridge.collect.disk_space import in_words
    from carla_bridge.collect.supervisor import counts_of
    from carla_bridge.recording.sweep import drives_of

    drives = drives_of(plan)
    counts = counts_of(args.output or Path(), drives) if args.output else {}
    table = Table('town', 'route', 'weather', 'seed', 'frames', 'written')
    for drive in drives:
        written = str(counts.get(drive.prefix, 0))
        table.add_row(
            drive.town,
            str(drive.route),
            drive.weather.name,
            str(drive.seed),
            str(plan.frames),
            written,
        )
    Console().print(table)
    left = len(drives) * plan.frames - sum(counts.values())
    size, known = _frame_bytes(args, plan)
    minutes = left * plan.every * plan.delta_s / 60
    sys.stdout.write(
        f'{len(drives)} drives, {left} frames to record, {minutes:.1f} simulated minutes; '
        f'{in_words(size)} a frame ({known}), {in_words(left * size)} in all\n'
    )
    return 0


def _check_room(args: argparse.Namespace, plan: CollectPlan, frames: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        LaneSegError: it cannot, and --force is not given.
    """
    from carla_bridge.collect.disk_space import free_bytes, in_words

    size, known = _frame_bytes(args, plan)
    need, free = frames * size * _ENOUGH_ROOM, free_bytes(args.output)
    words = (
        f'room for {frames} frames of {in_words(size)} ({known}), {in_words(need)} on the disk '
        f'of {args.output}, found {in_words(free)}'
    )
    if need <= free:
        return
    if not args.force:
        raise LaneSegError(
            f'expected {words}; make room, ask for less, or begin nevertheless with --force: '
            'what fits will be whole'
        )
    sys.stderr.write(f'warning: expected {words}\n')


def _frame_bytes(args: argparse.Namespace, plan: CollectPlan) -> tuple[float, str]:
    """Return the size of a frame, and how it is known."""
    from carla_bridge.collect.disk_space import estimated_frame_bytes, measured_frame_bytes

    measured = measured_frame_bytes(args.output, plan.layers) if args.output else None
    if measured is not None:
        return measured, 'measured'
    return estimated_frame_bytes(plan.layers, plan.camera.width, plan.camera.height), 'estimated'


def _check_numbers(args: argparse.Namespace) -> None:
    for name, least in (('watchdog', 1.0), ('restarts', 0), ('wait_for_server', 0.0)):
        if not getattr(args, name) >= least:
            option = '--' + name.replace('_', '-')
            raise LaneSegError(
                f'expected {least:g} or more as {option}, found {getattr(args, name):g}'
            )


def _resume_command(args: argparse.Namespace) -> str:
    """Return the command that goes on with a recording, for the shell."""
    words = ['carla-bridge', 'collect', str(args.plan), '--output', str(args.output)]
    return shlex.join([*words, '--host', args.host, '--port', str(args.port)])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])
