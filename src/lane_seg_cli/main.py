"""Entry point of `lane-seg`: finds the command, runs it, says in one line what went wrong.

Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 Ctrl-C, 141 the reader of our output
went away.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from lane_seg import __version__
from lane_seg.errors import LaneSegError
from lane_seg_cli.commands import COMMANDS, DISTRIBUTION, Command
from lane_seg_cli.errors import UsageError

__all__ = ['main', 'overview']

FAILED, WRONG_USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

EXAMPLES = """examples:
  lane-seg demo                                       a virtual car, two minutes, no hardware
  lane-seg predict photos/ --output masks --overlay   masks and overlays of a folder
  lane-seg run --ros-args -r image:=/camera/image_raw the node on your camera"""

# Python's names of packages that are called otherwise when they are installed.
_PIP_NAMES = {'cv2': 'opencv-python-headless', 'yaml': 'pyyaml'}
_OURS = (
    'carla_bridge', 'lane_seg', 'lane_seg_cli', 'lane_seg_engine', 'lane_seg_ros',
    'lane_seg_scene', 'lane_seg_train',
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lane-seg`.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(words)
        # Here and not at exit, where a reader that went away could not be handled any more.
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain('interrupted', INTERRUPTED)
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except UsageError as error:
        return _complain(f'error: {error}', WRONG_USAGE)
    except LaneSegError as error:
        return _complain(f'error: {error}', FAILED)
    except OSError as error:
        # Of files that are missing, not permitted, or find no room: Python's text names them.
        return _complain(f'error: {error}', FAILED)
    return code


def overview() -> str:
    """The text of `lane-seg` alone."""
    rows = '\n'.join(f'  {command.name:<14} {command.help}' for command in COMMANDS)
    return (
        f'lane-seg {__version__}: a camera topic in, lane mask and overlay topics out, '
        f'in real time.\n\n'
        f'usage: lane-seg COMMAND [ARGUMENTS]\n'
        f'       lane-seg COMMAND --help\n'
        f'       lane-seg --version\n\n'
        f'commands:\n{rows}\n\n{EXAMPLES}'
    )


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ('-h', '--help', 'help'):
        print(overview())
        return 0
    if words[0] in ('-V', '--version'):
        print(f'lane-seg {__version__}')
        return 0
    command = _command(words[0])
    try:
        return _run(command, words[1:])
    except SystemExit as stop:  # argparse, after a help text or a complaint of its own
        return stop.code if isinstance(stop.code, int) else FAILED
    except ImportError as error:
        complaint = _missing_library(command, error)
        if complaint is None:
            raise
        raise complaint from error


def _command(name: str) -> Command:
    for command in COMMANDS:
        if command.name == name:
            return command
    names = [command.name for command in COMMANDS]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f' (did you mean {near[0]!r}?)' if near else ''
    raise UsageError(
        f'expected a command out of {", ".join(names)}, found {name!r}{hint}; '
        '`lane-seg` alone explains them'
    )


def _run(command: Command, words: list[str]) -> int:
    module = importlib.import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f'lane-seg {command.name}',
        description=module.DESCRIPTION,
        epilog=module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An abbreviation that works today is ambiguous with the next option.
        allow_abbrev=False,
    )
    if command.raw:
        return _run_raw(module, parser, words)
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(words))
    return code


def _run_raw(module: ModuleType, parser: argparse.ArgumentParser, words: list[str]) -> int:
    if words and words[0] in ('-h', '--help'):
        parser.usage = module.USAGE
        parser.print_help()
        return 0
    code: int = module.run(words)
    return code


def _missing_library(command: Command, error: ImportError) -> LaneSegError | None:
    """Say which package and which extra; None if it is our own code that is broken."""
    name = (error.name or '').partition('.')[0]
    if not name or name in _OURS:
        return None
    install = f"python3 -m pip install '{DISTRIBUTION}[{command.extra}]'"
    package = _PIP_NAMES.get(name, name)
    shown = name if package == name else f'{name} ({package})'
    if isinstance(error, ModuleNotFoundError):
        return LaneSegError(
            f'lane-seg {command.name} needs the Python package {shown}, found none; '
            f'install it: {install}'
        )
    return LaneSegError(
        f'lane-seg {command.name} needs the Python package {shown}, found one that cannot be '
        f'loaded: {error}; install it again: {install}'
    )


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _forget_stdout() -> None:
    """Keep Python from complaining at exit about what it can no longer write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == '__main__':
    sys.exit(main())
