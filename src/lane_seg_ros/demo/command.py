"""The command line of the demo; it imports no ROS, so that `--help` works anywhere."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.bundle import ModelBundle
from lane_seg.engines import ENGINES
from lane_seg_ros.camera_frames import SCENE
from lane_seg_ros.camera_player import parse_size
from lane_seg_ros.demo.processes import DemoError, free_domain_id
from lane_seg_ros.demo.request import MINI_CARLA, Request, carla_missing
from lane_seg_ros.live.interrupt import signals_noticed
from lane_seg_ros.ros_installation import require_ros
from lane_seg_ros.shared_memory import remove_dead_segments

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Start a world (a stand-in for CARLA, the built-in road, or your video) and lane_seg_node,\n'
    'measure them, and write overlay.mp4, frame.png, report.json and report.html.'
)
EPILOG = """\
examples:
  lane-seg demo                            drives through mini_carla by the real CARLA client
  lane-seg demo --town Town_grid --weather HardRainSunset --seconds 20
  lane-seg demo --input scene              the built-in road, which needs no CARLA client
  lane-seg demo --input drive.mp4          your video (or a folder of images, or one image)

mini_carla is our stand-in for CARLA's server; it is not CARLA. Where the CARLA client is not
installed (pip install 'lane_seg_ros[carla]'), the built-in road is shown instead.
Everything stays on this machine, on free ports and in a ROS domain of its own. Needs ROS 2: a
sourced installation, or pip install 'lane_seg_ros[ros]'.
"""

_INTERRUPTED = 130
_TOWNS = ('Town_ring', 'Town_highway', 'Town_hills')
_WEATHERS = ('ClearNoon', 'WetCloudySunset', 'HardRainNoon')
# What two cores hold in real time, world and node together.
_MINI_CARLA_SIZE, _MINI_CARLA_RATE, _MINI_CARLA_SECONDS = (360, 640), 15.0, 15.0
_RATE, _SECONDS = 30.0, 10.0
# CARLA's physics wants ticks of 0.1 s at most.
_SLOWEST_WORLD_HZ = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lane-seg demo`."""
    parser.add_argument(
        '--input',
        default='',
        metavar='PATH',
        help=f"an image, a folder of images, a video, '{SCENE}', the built-in road, or "
        f"'{MINI_CARLA}', our stand-in for CARLA (default, where the CARLA client is installed)",
    )
    parser.add_argument(
        '--rate',
        type=float,
        metavar='HZ',
        help=f'frames per second (default: {_MINI_CARLA_RATE:g} in mini_carla, else {_RATE:g})',
    )
    parser.add_argument(
        '--size',
        type=parse_size,
        metavar='WxH',
        help='size of the pictures (default: 640x360 in mini_carla, 1280x720 on the built-in '
        'road, as they are for files)',
    )
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='which road (default: 0)')
    parser.add_argument(
        '--town',
        nargs='+',
        default=_TOWNS,
        metavar='NAME',
        help=f'of mini_carla, one scene after the other (default: {" ".join(_TOWNS)})',
    )
    parser.add_argument(
        '--weather',
        nargs='+',
        default=_WEATHERS,
        metavar='NAME',
        help=f'of the scenes, presets of CARLA (default: {" ".join(_WEATHERS)})',
    )
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('demo'),
        metavar='DIR',
        help='folder for the four files (default: demo)',
    )
    parser.add_argument(
        '--seconds',
        type=float,
        metavar='S',
        help=f'how long to measure, all scenes together (default: {_MINI_CARLA_SECONDS:g} in '
        f'mini_carla, else {_SECONDS:g})',
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
        help='CPU threads of the engine (default: half of the cores; world and listener of the '
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
    from rich.console import Console

    console = Console()
    request = _request(args, console)
    _check(request, args)
    from lane_seg_ros.demo.report import NOT_CARLA
    from lane_seg_ros.demo.session import FILES, DemoSession
    from lane_seg_ros.demo.sources import CameraSource, MiniCarlaSource
    from lane_seg_ros.live.tables import table_of

    is_mini_carla = request.input == MINI_CARLA
    demo = DemoSession(
        request=request,
        source=MiniCarlaSource(request) if is_mini_carla else CameraSource(request),
        output=args.output,
        engine=args.engine,
        threads=args.threads,
        bundle=ModelBundle.load(args.model),
        domain_id=free_domain_id(),
        console=console,
    )
    if is_mini_carla:
        console.print(NOT_CARLA, soft_wrap=True)
    remove_dead_segments()
    try:
        with (
            signals_noticed() as interrupted,
            tempfile.TemporaryDirectory(prefix='lane_seg_demo') as folder,
            _environment(demo.domain_id, log_dir=folder),
        ):
            report = demo.run(Path(folder), interrupted)
    except KeyboardInterrupt:
        console.print('interrupted: everything was stopped, nothing was written')
        return _INTERRUPTED
    finally:
        remove_dead_segments()
    console.print(table_of(report.title, report.rows()))
    for name in FILES:
        console.print(f'  {args.output / name}', highlight=False, soft_wrap=True)
    return 0


def _request(args: argparse.Namespace, console: Console) -> Request:
    """Fill in what the input decides."""
    chosen = args.input
    if not chosen:
        missing = carla_missing()
        chosen = SCENE if missing else MINI_CARLA
        if missing:
            console.print(
                f'the built-in road, because {missing} is not installed here: pip install '
                "'lane_seg_ros[carla]' (x86-64 only) for the demo in mini_carla",
                markup=False,
                soft_wrap=True,
            )
    is_mini_carla = chosen == MINI_CARLA
    height, width = args.size or (_MINI_CARLA_SIZE if is_mini_carla else (0, 0))
    seconds = _MINI_CARLA_SECONDS if is_mini_carla else _SECONDS
    rate_hz = _MINI_CARLA_RATE if is_mini_carla else _RATE
    return Request(
        input=chosen,
        rate_hz=rate_hz if args.rate is None else args.rate,
        height=height,
        width=width,
        seed=args.seed,
        seconds=seconds if args.seconds is None else args.seconds,
        towns=tuple(args.town),
        weathers=tuple(args.weather),
    )


def _check(request: Request, args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is started."""
    is_mini_carla = request.input == MINI_CARLA
    if not 1.0 <= request.seconds <= 3600.0:
        raise DemoError(f'--seconds is {request.seconds:g}: expected 1 to 3600')
    slowest_hz = _SLOWEST_WORLD_HZ if is_mini_carla else 1.0
    if not slowest_hz <= request.rate_hz <= 240.0:
        raise DemoError(
            f'--rate is {request.rate_hz:g}: expected {slowest_hz:g} to 240 frames per second'
        )
    if not 0 <= args.threads <= 256:
        raise DemoError(f'--threads is {args.threads}: expected 0 to 256')
    if is_mini_carla:
        if missing := carla_missing():
            raise DemoError(
                f'--input {MINI_CARLA} needs the CARLA client, but Python finds no {missing}: pip '
                f"install 'lane_seg_ros[carla]' (x86-64 only), or --input {SCENE}"
            )
    elif request.input != SCENE and not Path(request.input).exists():
        raise DemoError(
            f'there is no {request.input}: expected an image, a folder of images or a video, '
            f"'{SCENE}' for the built-in road, or '{MINI_CARLA}' for our stand-in for CARLA"
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
