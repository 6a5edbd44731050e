"""Makes the pictures of docs/rviz.md: what is on each topic, laid out as rviz shows it.

python benchmarks/rviz_pictures.py docs/images
python benchmarks/rviz_pictures.py pictures --input drive.mp4

The parts of the demo run as they do there: a camera (mini_carla driven through by the real CARLA
client, the built-in road, or a recording of yours) and lane_seg_node, as processes over real
topics. A listener takes camera image, ~/mask, ~/mask_color and ~/overlay of one stamp. Of each
scene the frame with most lane marking is kept. rviz itself takes no part; its rule for mono8 is
applied (ROSImageTexture of rviz_default_plugins: ids become grey levels, unscaled).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from lane_seg.bundle import ModelBundle
from lane_seg.files import atomic_path
from lane_seg_ros.camera_player import parse_size
from lane_seg_ros.demo.processes import ChildProcess, DemoError, NodeProcess, free_domain_id
from lane_seg_ros.demo.request import MINI_CARLA, Request
from lane_seg_ros.demo.sources import CameraSource, MiniCarlaSource, Source
from lane_seg_ros.image_messages import image_from_msg
from lane_seg_ros.live.score import mask_ids_of
from lane_seg_ros.live.stamps import StampMatcher
from lane_seg_ros.middleware import prepare_middleware
from lane_seg_ros.qos import image_qos
from lane_seg_ros.shared_memory import remove_dead_segments

NODE = '/lane_seg_node'
OUTPUTS = ('mask', 'mask_color', 'overlay')
TOWNS = ('Town_ring', 'Town_highway', 'Town_hills')
WEATHERS = ('ClearNoon', 'WetCloudySunset', 'HardRainNoon')
START_TIMEOUT_S = 90.0

PANEL_WIDTH, GAP, TITLE_HEIGHT, CAPTION_HEIGHT = 640, 8, 26, 28
PAPER, BAR, INK = (236, 236, 236), (200, 200, 200), (40, 40, 40)
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Recorded:
    """What was on the topics for one stamp, as rviz draws it: (H, W, 3) uint8 BGR each."""

    scene: str
    camera: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    mask_color: NDArray[np.uint8]
    overlay: NDArray[np.uint8]

    @property
    def highest_id(self) -> int:
        """The brightest grey level that a mask becomes."""
        return int(self.mask.max())


def main() -> None:
    """Record every scene, then draw."""
    args = parse()
    is_mini_carla = args.input == MINI_CARLA
    request = Request(
        input=args.input,
        rate_hz=args.rate,
        height=args.size[0],
        width=args.size[1],
        seed=args.seed,
        seconds=args.seconds,
        towns=TOWNS,
        weathers=WEATHERS,
    )
    source = MiniCarlaSource(request) if is_mini_carla else CameraSource(request)
    frames = record(source, ModelBundle.load(args.model), seconds=args.seconds)
    origin = 'mini_carla, our stand-in for CARLA' if is_mini_carla else source.scenes[0]
    caption = f'Put together from recorded topics ({origin}); not a screenshot of rviz.'
    write(args.output / 'rviz_topics.jpg', draw_topics(frames[0], caption))
    write(args.output / 'rviz_panels.jpg', draw_panels(frames, caption))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('output', type=Path, help='folder for the pictures')
    parser.add_argument(
        '--input',
        default=MINI_CARLA,
        help=f"'{MINI_CARLA}' (default), 'scene', or an image, a folder of images or a video",
    )
    parser.add_argument('--model', default='default', help='a folder in models/, or a path')
    parser.add_argument(
        '--seconds', type=float, default=12.0, help='to listen to each scene (default: 12)'
    )
    parser.add_argument('--rate', type=float, default=10.0, help='frames per second (default: 10)')
    parser.add_argument(
        '--size', type=parse_size, default=(540, 960), help='of the camera (default: 960x540)'
    )
    parser.add_argument('--seed', type=int, default=0, help='which way through the towns')
    return parser.parse_args()


def record(source: Source, bundle: ModelBundle, *, seconds: float) -> list[Recorded]:
    """Run camera and node, and keep one frame of each scene.

    Raises:
        DemoError: a process died, or no whole frame arrived.
    """
    running: list[ChildProcess] = []
    marking_id = mask_ids_of(bundle.classes)['lane_marking']

    def check() -> None:
        for process in running:
            process.check()

    remove_dead_segments()
    with ExitStack() as stack:
        stack.callback(remove_dead_segments)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='rviz_pictures')))
        os.environ['ROS_DOMAIN_ID'] = str(free_domain_id())
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        os.environ['ROS_LOG_DIR'] = str(folder)
        running += source.start(stack, folder)
        node = NodeProcess(
            'lane_seg_ros.lane_seg_node',
            {'model': str(bundle.directory.resolve()), 'use_sim_time': source.simulated},
            log=folder / 'node.log',
            remappings=source.remappings,
        )
        stack.callback(node.stop)
        running.append(node)
        frames = []
        for number, scene in enumerate(source.scenes):
            with ExitStack() as opened:
                started = source.open(number, opened, folder, check)
                running += started
                frames.append(
                    fullest_frame(scene, source.topics.image, marking_id, seconds, check)
                )
                for process in started:
                    running.remove(process)
    return frames


def fullest_frame(
    scene: str, camera_topic: str, marking_id: int, seconds: float, check: Callable[[], None]
) -> Recorded:
    """Listen to one scene; of all whole frames the one with most lane marking."""
    prepare_middleware()
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = rclpy.create_node('rviz_pictures', context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    matcher = StampMatcher(('camera', *OUTPUTS))
    fullest: dict[str, Image] = {}
    most = -1

    def listen_to(part: str, topic: str) -> None:
        def offer(msg: Image) -> None:
            nonlocal fullest, most
            found = matcher.offer(part, msg)
            if found is None:
                return
            marking = int((np.frombuffer(found['mask'].data, np.uint8) == marking_id).sum())
            if marking > most:
                fullest, most = found, marking

        node.create_subscription(Image, topic, offer, image_qos('reliable', depth=10))

    listen_to('camera', camera_topic)
    for name in OUTPUTS:
        listen_to(name, f'{NODE}/{name}')
    end_s = time.monotonic() + START_TIMEOUT_S
    try:
        while time.monotonic() < end_s:
            check()
            heard = most
            executor.spin_once(timeout_sec=0.1)
            if heard < 0 <= most:
                end_s = time.monotonic() + seconds
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    if not fullest:
        raise DemoError(
            f'no frame of {scene} came with camera image, mask, mask_color and overlay within '
            f'{START_TIMEOUT_S:.0f} s: the machine is overloaded; try a smaller --size'
        )
    # mono8 becomes three equal channels here, as a texture of luminance does in rviz.
    pictures = {part: np.array(image_from_msg(msg)) for part, msg in fullest.items()}
    return Recorded(scene, **pictures)


def draw_topics(frame: Recorded, caption: str) -> NDArray[np.uint8]:
    """The four topics of one frame, two by two."""
    return draw_grid(
        (
            (('camera image', frame.camera), ('~/overlay', frame.overlay)),
            (
                (f'~/mask as it is: grey levels 0 to {frame.highest_id} of 255', frame.mask),
                ('~/mask_color', frame.mask_color),
            ),
        ),
        f'{frame.scene}. {caption}',
    )


def draw_panels(frames: Sequence[Recorded], caption: str) -> NDArray[np.uint8]:
    """The two image panels of lane_seg.rviz for each scene."""
    return draw_grid(
        (
            [(f'Overlay: {frame.scene}', frame.overlay) for frame in frames],
            [(f'Mask colour: {frame.scene}', frame.mask_color) for frame in frames],
        ),
        caption,
    )


def draw_grid(
    rows: Sequence[Sequence[tuple[str, NDArray[np.uint8]]]], caption: str
) -> NDArray[np.uint8]:
    """Titled panels in rows, each 640 pixels wide, with a line of text below."""
    height, width = rows[0][0][1].shape[:2]
    height = round(height * PANEL_WIDTH / width)
    step_x, step_y = PANEL_WIDTH + GAP, TITLE_HEIGHT + height + GAP
    size = (len(rows) * step_y + GAP + CAPTION_HEIGHT, len(rows[0]) * step_x + GAP, 3)
    canvas = np.full(size, PAPER, np.uint8)
    for row, panels in enumerate(rows):
        for column, (title, picture) in enumerate(panels):
            left, top = GAP + column * step_x, GAP + row * step_y
            canvas[top : top + TITLE_HEIGHT, left : left + PANEL_WIDTH] = BAR
            put_text(canvas, title, (left + 8, top + 18))
            canvas[top + TITLE_HEIGHT : top + step_y - GAP, left : left + PANEL_WIDTH] = (
                cv2.resize(picture, (PANEL_WIDTH, height), interpolation=cv2.INTER_AREA)
            )
    put_text(canvas, caption, (GAP + 2, size[0] - 13))
    return canvas


def put_text(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    """Write a line of ASCII, its baseline beginning at (x, y)."""
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)


def write(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a JPEG whole or not at all, and say how large it is."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise DemoError(f'cannot write {path}: is the disk full?')
    print(f'{path}: {picture.shape[1]} x {picture.shape[0]}, {path.stat().st_size // 1000} kB')


if __name__ == '__main__':
    main()
