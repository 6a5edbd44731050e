"""A camera without a camera: publishes the built-in road scene, images or a video as ROS 2 topics.

This module is the command line and imports no ROS, so that `--help` works anywhere; the node is
`lane_seg_ros.camera_node`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from lane_seg.errors import LaneSegError
from lane_seg_ros.ros_installation import require_ros

__all__ = [
    'DESCRIPTION',
    'EPILOG',
    'add_arguments',
    'add_picture_arguments',
    'main',
    'parse_size',
    'run',
]

DESCRIPTION = (
    'Publish the built-in road scene, a folder of images or a video as a ROS 2 camera:\n'
    'image (bgr8), camera_info, and for the scene its true label (mono8).'
)
EPILOG = """\
examples:
  lane-seg play                                 the built-in road, 1280x720 at 30 Hz
  lane-seg play --input drive.mp4 --loop        a video, again and again
  lane-seg play --input frames/ --rate 10       a folder of images, ten per second
  lane-seg play --seed 7 --size 640x360 --count 300

The topics are called image, camera_info and label, as lane_seg_node expects them.
As a ROS node it is: ros2 run lane_seg_ros camera_player --ros-args -p rate_hz:=10.0
"""


def add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the camera sees; `lane-seg demo` has them too."""
    parser.add_argument(
        '--input',
        default='scene',
        metavar='PATH',
        help="an image, a folder of images, a video, or 'scene', the built-in road (default)",
    )
    parser.add_argument(
        '--rate', type=float, default=30.0, metavar='HZ', help='frames per second (default: 30)'
    )
    parser.add_argument(
        '--size',
        type=parse_size,
        default=(0, 0),
        metavar='WxH',
        help='size of the pictures (default: 1280x720 for the scene, as they are for files)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, metavar='N', help='which road scene (default: 0)'
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lane-seg play`."""
    add_picture_arguments(parser)
    parser.add_argument(
        '--count', type=int, default=0, metavar='N', help='stop after N frames (default: no limit)'
    )
    parser.add_argument(
        '--loop', action='store_true', help='begin again at the end of a file or folder'
    )
    parser.add_argument(
        '--frame-id', default='camera', metavar='NAME', help='frame_id of the headers'
    )


def run(args: argparse.Namespace) -> int:
    """Publish until the end of the input, `--count`, Ctrl-C or SIGTERM.

    Returns:
        Exit code: 0, or 1 where the input cannot be read (the log says why).
    """
    height, width = args.size
    return _play(
        [],
        {
            'input': args.input,
            'rate_hz': args.rate,
            'height': height,
            'width': width,
            'seed': args.seed,
            'count': args.count,
            'loop': args.loop,
            'frame_id': args.frame_id,
        },
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read '1280x720' (width x height, as everybody writes it) as (height, width).

    Raises:
        argparse.ArgumentTypeError: it is not such a text.
    """
    width, cross, height = text.lower().partition('x')
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size: expected width x height in pixels, such as 1280x720"
        )
    return int(height), int(width)


def main(args: list[str] | None = None) -> int:
    """Run the node with ROS arguments (`--ros-args -p rate_hz:=10.0`); return the exit code."""
    try:
        return _play(args, {})
    except LaneSegError as error:
        sys.stderr.write(f'camera_player: {error}\n')
        return 1


def _play(args: list[str] | None, parameters: Mapping[str, bool | int | float | str]) -> int:
    """Run the node; parameters given here win over those of the ROS arguments."""
    require_ros()
    from lane_seg_ros.camera_node import play

    return play(args, parameters)


if __name__ == '__main__':
    sys.exit(main())
