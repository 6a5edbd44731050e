"""What the demo's camera sees: the stand-in for CARLA, the built-in road, or files."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lane_seg_ros.camera_frames import SCENE
from lane_seg_ros.demo.processes import ChildProcess, DemoError, NodeProcess
from lane_seg_ros.demo.request import Request
from lane_seg_ros.live.labels import Coding
from lane_seg_ros.live.topics import Topics

__all__ = ['CameraSource', 'MiniCarlaSource', 'Source']

_READY = re.compile(r'^ready: .* port (\d+), streams', re.MULTILINE)
_READY_TIMEOUT_S = 60.0
_OVERLAY, _MASK = 'lane_seg_node/overlay', 'lane_seg_node/mask'
_VEHICLE = '/carla/ego_vehicle'


class Source(ABC):
    """Something that publishes pictures, scene by scene.

    Attributes:
        topics: of the camera and the node.
        coding: of the labels; None where there are none.
        remappings: of the node.
        simulated: whether stamps are simulated time, told on /clock.
        scenes: their names; each is opened once, in this order.
        truth: whose labels they are.
        pictures: whether the listener may take every picture in full.
    """

    topics: Topics
    coding: Coding | None
    remappings: dict[str, str]
    simulated: bool
    scenes: tuple[str, ...]
    truth: str
    pictures: bool

    @abstractmethod
    def start(self, stack: ExitStack, folder: Path) -> tuple[ChildProcess, ...]:
        """Start what all scenes need; it is stopped when the stack unwinds."""

    @abstractmethod
    def open(
        self, number: int, stack: ExitStack, folder: Path, check: Callable[[], None]
    ) -> tuple[ChildProcess, ...]:
        """Start what one scene needs; it is stopped when the stack unwinds.

        Args:
            number: of the scene, from 0.
            stack: of the scene.
            folder: for logs.
            check: is called some times per second; raises where going on makes no sense.
        """


class CameraSource(Source):
    """The built-in road, or files, published by our own camera node."""

    def __init__(self, request: Request) -> None:
        is_scene = request.input == SCENE
        self.topics = Topics(
            'image', 'camera_info', _MASK, label='label' if is_scene else '', overlay=_OVERLAY
        )
        self.coding = 'classes' if is_scene else None
        self.remappings = {}
        self.simulated = False
        self.scenes = (request.input if is_scene else Path(request.input).name,)
        self.truth = "the scene's own labels"
        # At 1280x720 and 30 Hz their copies would slow down what is measured.
        self.pictures = False
        self._request = request

    def start(self, stack: ExitStack, folder: Path) -> tuple[ChildProcess, ...]:
        """Nothing: the camera is all there is."""
        return ()

    def open(
        self, number: int, stack: ExitStack, folder: Path, check: Callable[[], None]
    ) -> tuple[ChildProcess, ...]:
        """Start the camera."""
        request = self._request
        camera = NodeProcess(
            'lane_seg_ros.camera_player',
            {
                'input': request.input,
                'rate_hz': request.rate_hz,
                'height': request.height,
                'width': request.width,
                'seed': request.seed,
                'loop': True,
                'wait_for_subscribers': 1,
            },
            log=folder / 'camera.log',
        )
        stack.callback(camera.stop)
        return (camera,)


class MiniCarlaSource(Source):
    """Towns of our stand-in for CARLA, driven through and published by the real CARLA client."""

    def __init__(self, request: Request) -> None:
        camera = f'{_VEHICLE}/rgb_front'
        self.topics = Topics(
            *(f'{camera}/image', f'{camera}/camera_info', _MASK),
            label=f'{_VEHICLE}/semantic_segmentation_front/image',
            overlay=_OVERLAY,
        )
        self.coding = 'tags-0.9.14'
        self.remappings = {'image': self.topics.image, 'camera_info': self.topics.camera_info}
        self.simulated = True
        count = max(len(request.towns), len(request.weathers))
        self._scenes = [
            (request.towns[i % len(request.towns)], request.weathers[i % len(request.weathers)])
            for i in range(count)
        ]
        self.scenes = tuple(f'{town}, {weather}' for town, weather in self._scenes)
        self.truth = "mini_carla's semantic camera"
        self.pictures = True
        self._request = request
        self._server: ChildProcess | None = None
        self._port = 0

    def start(self, stack: ExitStack, folder: Path) -> tuple[ChildProcess, ...]:
        """Start the server."""
        self._server = ChildProcess(
            'carla_bridge.command',
            ['serve', '--port', '0', '--map', self._scenes[0][0], '--seed', self._seed],
            log=folder / 'server.log',
        )
        stack.callback(self._server.stop)
        return (self._server,)

    def open(
        self, number: int, stack: ExitStack, folder: Path, check: Callable[[], None]
    ) -> tuple[ChildProcess, ...]:
        """Start the client that drives and publishes."""
        request = self._request
        town, weather = self._scenes[number]
        arguments = ['publish', '--port', str(self._server_port(check)), '--driver', 'follower']
        arguments += ['--town', town, '--weather', weather, '--seed', self._seed]
        arguments += ['--size', f'{request.width}x{request.height}', '--semantic', 'tags']
        arguments += ['--fixed-delta', f'{1 / request.rate_hz:.6f}']
        client = ChildProcess(
            'carla_bridge.command', arguments, log=folder / f'client_{number}.log'
        )
        stack.callback(client.stop)
        return (client,)

    @property
    def _seed(self) -> str:
        return str(self._request.seed)

    def _server_port(self, check: Callable[[], None]) -> int:
        """Wait for the server, once."""
        assert self._server is not None, 'start() comes first'
        end_s = time.monotonic() + _READY_TIMEOUT_S
        while not self._port:
            check()
            if ready := _READY.search(self._server.output()):
                self._port = int(ready[1])
            elif time.monotonic() > end_s:
                raise DemoError(
                    f'mini_carla was not ready within {_READY_TIMEOUT_S:.0f} s. Its last words:\n'
                    f'{self._server.tail()}'
                )
            else:
                time.sleep(0.05)
        return self._port
