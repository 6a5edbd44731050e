"""The command line of `carla-bridge evaluate`; without ROS, so that `--help` works anywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from lane_seg.errors import LaneSegError

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    "Compare the masks of a running lane_seg_node with CARLA's semantic camera, frame by frame,\n"
    'and measure latency, losses and age. It listens to ROS topics only: those of `carla-bridge\n'
    'publish`, of ros-bridge, or of CARLA itself.'
)
EPILOG = """\
examples:
  carla-bridge evaluate                                    topics of `carla-bridge publish`
  carla-bridge evaluate --seconds 0                        until Ctrl-C
  carla-bridge evaluate --min-iou road=0.9 lane_marking=0.5
  carla-bridge evaluate --image /image --label /label      the camera of `lane-seg play`

Writes report.json, report.html and evaluation.png to --output, also after Ctrl-C. Exit code 1:
a topic stayed silent, no mask came, or --min-iou was not reached.
docs/carla_evaluate.md says what each figure means.
"""

_IMAGE = '/carla/ego_vehicle/rgb_front/image'
_LABEL = '/carla/ego_vehicle/semantic_segmentation_front/image'
_MASK = '/lane_seg_node/mask'
# As lane_seg_ros.live.labels and .score have them: those import ROS and OpenCV.
_CODINGS = ('auto', 'classes', 'palette', 'tags-0.9.13', 'tags-0.9.14')
_CLASSES = ('road', 'lane_marking')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `carla-bridge evaluate`."""
    topics = parser.add_argument_group('topics')
    topics.add_argument(
        '--image', default=_IMAGE, metavar='TOPIC', help=f'what the node sees (default: {_IMAGE})'
    )
    topics.add_argument(
        '--camera-info',
        metavar='TOPIC',
        help="tells when images are published (default: the one beside the image; 'none': the "
        'images themselves)',
    )
    topics.add_argument(
        '--label', default=_LABEL, metavar='TOPIC', help=f'the truth (default: {_LABEL})'
    )
    topics.add_argument(
        '--label-coding',
        choices=_CODINGS,
        default='auto',
        help='of the truth (default: auto, told by its pixels)',
    )
    topics.add_argument(
        '--mask', default=_MASK, metavar='TOPIC', help=f'of the node (default: {_MASK})'
    )
    topics.add_argument(
        '--mask-classes',
        nargs='+',
        type=_class_id,
        default=[('road', 1), ('lane_marking', 2)],
        metavar='NAME=ID',
        help='ids in the mask (default: road=1 lane_marking=2)',
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=30.0,
        metavar='S',
        help='how long to measure (default: 30; 0: until Ctrl-C)',
    )
    parser.add_argument(
        '--patience',
        type=float,
        default=30.0,
        metavar='S',
        help='how long to wait for topics that are silent (default: 30)',
    )
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('evaluation'),
        metavar='DIR',
        help='folder for the report (default: evaluation)',
    )
    parser.add_argument(
        '--min-iou',
        nargs='+',
        type=_class_iou,
        default=[],
        metavar='NAME=IOU',
        help='fail below, such as lane_marking=0.6',
    )
    parser.add_argument(
        '--no-pictures',
        action='store_true',
        help='no single frames in the report; spares the copy of every image',
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate.

    Returns:
        Exit code: 0, or 1 where --min-iou was not reached.

    Raises:
        LaneSegError: nothing could be measured; the text says why and what to do.
    """
    from lane_seg_ros.ros_installation import require_ros

    require_ros()
    _check(args)
    from rich.console import Console

    from carla_bridge.evaluate.session import Evaluation

    return Evaluation(args, Console()).run()


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is started."""
    if not (args.seconds == 0.0 or 1.0 <= args.seconds <= 86_400.0):
        raise LaneSegError(f'expected 1 to 86400 (or 0) as --seconds, found {args.seconds:g}')
    if not 1.0 <= args.patience <= 3600.0:
        raise LaneSegError(f'expected 1 to 3600 as --patience, found {args.patience:g}')
    names = ('image', 'camera_info', 'label', 'mask')
    for name in names:
        topic = getattr(args, name)
        if topic is not None and topic != 'none' and not topic.startswith('/'):
            raise LaneSegError(
                f'expected a full topic name as --{name.replace("_", "-")}, one that begins with '
                f'a slash, found {topic!r}; `ros2 topic list` shows them'
            )
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LaneSegError(
            f'expected a folder that can be made as --output, found {args.output}: '
            f'{error.strerror}; name another one'
        ) from error


def _class_id(text: str) -> tuple[str, int]:
    name, number = _named(text)
    if not number.isdecimal() or int(number) > 254:
        raise argparse.ArgumentTypeError(f'expected NAME=ID, an id of 0 to 254, found {text!r}')
    return name, int(number)


def _class_iou(text: str) -> tuple[str, float]:
    name, number = _named(text)
    try:
        iou = float(number)
    except ValueError:
        iou = -1.0
    if not 0.0 <= iou <= 1.0:
        raise argparse.ArgumentTypeError(f'expected NAME=IOU, an IoU of 0 to 1, found {text!r}')
    return name, iou


def _named(text: str) -> tuple[str, str]:
    name, _, number = text.partition('=')
    if name not in _CLASSES:
        raise argparse.ArgumentTypeError(
            f'expected {" or ".join(_CLASSES)}, an equals sign and a number, found {text!r}'
        )
    return name, number
