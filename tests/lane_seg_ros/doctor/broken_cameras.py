"""Cameras that are broken, each in its own way; run as a script by the tests of the doctor.

Usage: broken_cameras.py MODE. It prints `ready` once everything is published, and runs until it
is told to stop.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from array import array
from dataclasses import dataclass

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.carla_tags import PALETTE_0_9_14, TAGS_0_9_14

HEIGHT, WIDTH = 48, 64
RATE_HZ = 20.0


def street_tags() -> np.ndarray:
    """(HEIGHT, WIDTH) uint8 tags of CARLA 0.9.14: sky, terrain, a road with a line."""
    tags = np.full((HEIGHT, WIDTH), TAGS_0_9_14['Sky'], np.uint8)
    tags[16:20] = TAGS_0_9_14['Terrain']
    tags[20:] = TAGS_0_9_14['Roads']
    tags[20:, 31:33] = TAGS_0_9_14['RoadLines']
    return tags


def bgra(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 BGR -> bytes of bgra8."""
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([pixels, alpha], axis=2).tobytes()


def picture() -> bytes:
    rng = np.random.default_rng(0)
    return bgra(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def raw_tags() -> bytes:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[..., 2] = street_tags()
    return bgra(pixels)


def palette() -> bytes:
    return bgra(PALETTE_0_9_14[street_tags()][..., ::-1])


@dataclass
class Camera:
    """One topic and its fault."""

    topic: str
    data: bytes
    frame_id: str = 'camera_optical'
    encoding: str = 'bgra8'
    height: int = HEIGHT
    width: int = WIDTH
    channels: int = 4
    reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
    has_stamps: bool = True
    jumps_back: bool = False
    k_fov: float | None = None
    info_is_of_another: bool = False

    def start(self, node: Node) -> None:
        self.node = node
        self.count = 0
        qos = QoSProfile(depth=5, reliability=self.reliability)
        self.images = node.create_publisher(Image, self.topic, qos)
        if self.k_fov is not None:
            name = self.topic.rpartition('/')[0] + '/camera_info'
            self.infos = node.create_publisher(CameraInfo, name, qos)

    def publish(self) -> None:
        msg = Image(height=self.height, width=self.width, encoding=self.encoding)
        msg.step = self.width * self.channels
        msg.data = array('B', self.data)
        msg.header.frame_id = self.frame_id
        if self.has_stamps:
            msg.header.stamp = self.node.get_clock().now().to_msg()
        self.count += 1
        if self.jumps_back and self.count % 10 == 0:
            msg.header.stamp.sec -= 30
        self.images.publish(msg)
        if self.k_fov is not None:
            # The line of CARLA 0.9.16's camera publisher, tangent of degrees and all.
            fx = self.width / (2.0 * math.tan(self.k_fov) * math.pi / 360.0)
            k = [fx, 0.0, self.width / 2, 0.0, fx, self.height / 2, 0.0, 0.0, 1.0]
            p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
            info = CameraInfo(header=msg.header, height=self.height, width=self.width, k=k, p=p)
            if self.info_is_of_another:
                info.header.frame_id = 'another'
                info.header.stamp = self.node.get_clock().now().to_msg()
            self.infos.publish(info)


def large(topic: str) -> Camera:
    """Images of 1.8 MB: more than three default segments of Fast DDS."""
    return Camera(
        topic, bytes(480 * 1280 * 3), encoding='bgr8', height=480, width=1280, channels=3
    )


def cameras_of(mode: str) -> list[Camera]:
    if mode == 'faults':
        return [
            Camera('/carla/hero/front/image', picture(), frame_id='front', k_fov=60.0),
            Camera('/carla/hero/semantic/image', raw_tags(), frame_id='hero/semantic'),
            Camera('/carla/ego/semantic/image', palette(), frame_id='ego/semantic'),
            Camera('/without_frame/image', picture(), frame_id=''),
            Camera('/without_stamp/image', picture(), has_stamps=False),
            Camera('/jumping/image', picture(), jumps_back=True),
            Camera('/mixed_up/image', picture(), k_fov=60.0, info_is_of_another=True),
            Camera('/depth/image', picture(), encoding='32FC1'),
            Camera('/best_effort/image', picture(), reliability=ReliabilityPolicy.BEST_EFFORT),
        ]
    return [large(f'/{mode}/image')] if mode.startswith('large') else [
        Camera(f'/{mode}/image', picture())
    ]  # fmt: skip


def main(mode: str) -> None:
    stop = threading.Event()
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    node = rclpy.create_node(f'cameras_of_{mode}')
    cameras = cameras_of(mode)
    for camera in cameras:
        camera.start(node)
    if mode == 'faults':
        strict = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        node.create_subscription(Image, '/best_effort/image', lambda _: None, strict)
    clock = node.create_publisher(Clock, '/clock', 10) if mode == 'paused' else None
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    while not stop.is_set():
        if clock is not None:
            msg = Clock()
            msg.clock.sec = 12
            clock.publish(msg)
        elif mode != 'silent':
            for camera in cameras:
                camera.publish()
        time.sleep(1 / RATE_HZ)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main(sys.argv[1])
