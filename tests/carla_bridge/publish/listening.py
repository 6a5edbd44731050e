"""A command of `carla-bridge` as a real process, and somebody who listens to its topics."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from tests.carla_bridge.servers import end_process, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from builtin_interfaces.msg import Time

PATIENCE_S = 60.0


class Running:
    """A process that said `ready`."""

    def __init__(self, process: subprocess.Popen[str], ready: str, errors: Path) -> None:
        self.process = process
        self.ready = ready
        self._errors = errors

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def said(self) -> str:
        """Return what it wrote to stderr."""
        return self._errors.read_text(encoding='utf-8')


@contextlib.contextmanager
def running_command(folder: Path, *words: object) -> Iterator[Running]:
    """Start a command; it is ended by its process id, whatever happens."""
    errors = folder / f'{words[0]}.err'
    with errors.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-m', 'carla_bridge.command', *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env=environment(),
        )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, '')
        ready = next((line for line in lines if line.startswith('ready')), '')
        assert ready, f'{words} ended before it was ready: {errors.read_text()}'
        yield Running(process, ready, errors)
    finally:
        end_process(process)
        process.stdout.close()


class Listener:
    """Keeps every message of the topics that it was told to listen to, by topic."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node('listener', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.images: dict[str, list[Image]] = {}
        self.infos: dict[str, list[CameraInfo]] = {}
        self.clocks: list[Clock] = []
        self.node.create_subscription(Clock, '/clock', self.clocks.append, 400)

    def listen(self, camera: str) -> None:
        """Listen to a camera, 'ego_vehicle/rgb', from now on."""
        self.images[camera], self.infos[camera] = [], []
        base = f'/carla/{camera}'
        self.node.create_subscription(Image, f'{base}/image', self.images[camera].append, 400)
        self.node.create_subscription(
            CameraInfo, f'{base}/camera_info', self.infos[camera].append, 400
        )

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Serve callbacks until the condition holds."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, f'never happened: {what}'
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        """End this participant."""
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)


@contextlib.contextmanager
def listening(*cameras: str) -> Iterator[Listener]:
    """Listen to cameras."""
    listener = Listener()
    try:
        for camera in cameras:
            listener.listen(camera)
        yield listener
    finally:
        listener.close()


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as one number."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
