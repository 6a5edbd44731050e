"""Entry point of `carla-bridge`: finds the command, runs it, says in one line what went wrong.

Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lane_seg import __version__
from lane_seg.errors import LaneSegError
from lane_seg.leave_process import leave_process

__all__ = ['COMMANDS', 'Command', 'main']

_FAILED, _INTERRUPTED = 1, 130

_DESCRIPTION = 'CARLA on one side, lane segmentation on the other.'
_EPILOG = """\
examples:
  carla-bridge collect plan.yaml --output d  record and label what the plan asks for
  carla-bridge publish --driver follower     cameras of a car that drives, as ROS 2 topics
  carla-bridge evaluate                      how good and how fast is the node on them
  carla-bridge serve                         no CARLA at hand: a small world of ours
  carla-bridge collect --help                each command explains itself with examples
"""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: as typed.
        module: holds DESCRIPTION, EPILOG, add_arguments(parser) and run(args) -> int; imports
            neither carla nor anything heavy before `run`.
        help: one line for the overview.
    """

    name: str
    module: str
    help: str


COMMANDS = (
    Command('collect', 'carla_bridge.collect.command', 'record labelled images'),
    Command('publish', 'carla_bridge.publish.command', 'cameras as ROS 2 topics'),
    Command('drive', 'carla_bridge.drive.command', 'drive the car, or let it drive'),
    Command('evaluate', 'carla_bridge.evaluate.command', 'IoU and latency of masks, live'),
    Command('serve', 'carla_bridge.mini_carla.serve', "a stand-in for CARLA's server"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `carla-bridge`.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code; as the program itself, after the client was used, it does not return.
    """
    code = _run(_parser().parse_args(arguments))
    if arguments is None and 'carla' in sys.modules:
        leave_process(code)
    return code


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return _complain('interrupted', _INTERRUPTED)
    except ModuleNotFoundError as error:
        if (error.name or '').partition('.')[0] in ('carla_bridge', 'lane_seg', ''):
            raise
        return _complain(
            f'error: carla-bridge {args.command} needs the Python package {error.name}, found '
            "none; install it: python3 -m pip install 'lane_seg_ros[runtime,carla]'",
            _FAILED,
        )
    except (LaneSegError, OSError) as error:
        return _complain(f'error: {error}', _FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='carla-bridge',
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('-V', '--version', action='version', version=f'carla-bridge {__version__}')
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for command in COMMANDS:
        module = importlib.import_module(command.module)
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=module.DESCRIPTION,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f'{text}\n')
    return code


if __name__ == '__main__':
    sys.exit(main())
