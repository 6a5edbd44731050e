"""The command line of the demo; it imports no ROS, so that `--help` works anywhere."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lane_seg.bundle import ModelBundle
from lane_seg.engines import ENGINES
from lane_seg_ros.camera_frames import SCENE
from lane_seg_ros.camera_player import add_picture_arguments
from lane_seg_ros.demo.processes import DemoError, free_domain_id
from lane_seg_ros.ros_installation import require_ros
from lane_seg_ros.shared_memory import remove_dead_segments

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Start a camera (the built-in road, or your video) and lane_seg_node as ROS 2\n'
    'processes, measure them, and write overlay.mp4, frame.png and report.json.'
)
EPILOG = """\
examples:
  lane-seg demo                            the built-in road, with IoU against its own labels
  lane-seg demo --input drive.mp4          your video (or a folder of images, or one image)
  lane-seg demo --seconds 30 --seed 7      another road, longer

Everything stays on this machine, in a ROS domain of its own. Needs ROS 2: a sourced
installation, or pip install 'lane_seg_ros[ros]'.
"""

_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lane-seg demo`."""
    add_picture_arguments(parser)
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('demo'),
        metavar='DIR',
        help='folder for the three files (default: demo)',
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=10.0,
        metavar='S',
        help='how long to measure (default: 10)',
    )
    parser.add_argument(
        '--model',
        default='default',
        metavar='NAME',
        help='a folder in models/, or a path (default: default)',
    )
    parser.add_argument(
        '--engine', choices=ENGINES, default='auto', help='inference engine (default: auto)'
    )
    parser.add_argument(
        '--threads',
        type=int,
        default=max(1, (os.cpu_count() or 1) // 2),
        metavar='N',
        help='CPU threads of the engine (default: half of the cores; camera and listener of the '
        'demo need the others; 0: the choice of the engine)',
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Returns:
        Exit code: 0 if masks arrived and the files were written, 130 after Ctrl-C.

    Raises:
        LaneSegError: it cannot run; the text says why and what to do.
    """
    require_ros()
    _check(args)
    from rich.console import Console

    from lane_seg_ros.demo.report import table_of
    from lane_seg_ros.demo.session import DemoSession

    console = Console()
    demo = DemoSession(args, ModelBundle.load(args.model), free_domain_id(), console)
    remove_dead_segments()
    try:
        with (
            _signals_noticed() as interrupted,
            tempfile.TemporaryDirectory(prefix='lane_seg_demo') as folder,
            _environment(demo.domain_id, log_dir=folder),
        ):
            report = demo.run(Path(folder), interrupted)
    except KeyboardInterrupt:
        console.print('interrupted: everything was stopped, nothing was written')
        return _INTERRUPTED
    finally:
        remove_dead_segments()
    console.print(table_of(report))
    for name in ('overlay.mp4', 'frame.png', 'report.json'):
        console.print(f'  {args.output / name}', highlight=False, soft_wrap=True)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is started."""
    if not 1.0 <= args.seconds <= 3600.0:
        raise DemoError(f'--seconds is {args.seconds:g}: expected 1 to 3600')
    if not 1.0 <= args.rate <= 240.0:
        raise DemoError(f'--rate is {args.rate:g}: expected 1 to 240 frames per second')
    if not 0 <= args.threads <= 256:
        raise DemoError(f'--threads is {args.threads}: expected 0 to 256')
    if args.input != SCENE and not Path(args.input).exists():
        raise DemoError(
            f'there is no {args.input}: expected an image, a folder of images or a video, or '
            "'scene' for the built-in road"
        )
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(
            f'--output is {args.output}: expected a folder that can be made, found: '
            f'{error.strerror}; name another one'
        ) from error


@contextmanager
def _environment(domain_id: int, *, log_dir: str) -> Iterator[None]:
    """Keep ROS to this machine and a domain, here and in the processes that are started."""
    settings = {
        'ROS_DOMAIN_ID': str(domain_id),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': log_dir,
    }
    if os.environ.get('ROS_DISTRO') == 'humble':  # later ones warn about this variable
        settings['ROS_LOCALHOST_ONLY'] = '1'
    kept = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_noticed() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, SIGTERM and SIGHUP set.

    They raise nothing: an exception that hits a destructor or a callback of C code is swallowed
    there, and the demo would go on, deaf. `DemoSession` looks at the event instead.
    """
    interrupted = threading.Event()
    kept = {
        number: signal.signal(number, lambda *_: interrupted.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield interrupted
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
