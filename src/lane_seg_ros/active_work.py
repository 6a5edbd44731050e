"""What lives from activate to deactivate: subscriptions, input thread, inference thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rclpy.node import Node

from lane_seg.mailbox import Drops
from lane_seg_ros.camera import Camera
from lane_seg_ros.inference_thread import HasConfig, InferenceThread
from lane_seg_ros.input_thread import InputThread, open_input_thread
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.pictures import Payload

__all__ = ['ActiveWork']


class ActiveWork:
    """Images come in and masks go out, from its making until `stop`.

    Args:
        model: to begin with.
        cameras: with open outputs.
        settings: hold the parameters.
        node: that the subscriptions belong to.
        fast: images travel as bytes, past the executor.
        on_failures: is told by the inference thread that the engine fails again and again.
    """

    def __init__(
        self,
        model: LoadedModel,
        cameras: Sequence[Camera],
        settings: HasConfig,
        *,
        node: Node,
        fast: bool,
        on_failures: Callable[[str], None],
    ) -> None:
        self._cameras = tuple(cameras)
        self._settings = settings
        self._fast = fast
        self._inference = InferenceThread(
            model, self._cameras, settings, node=node, on_failures=on_failures
        )
        self._input: InputThread | None = None
        try:
            self._input = open_input_thread(node) if fast else None
            self.look_around()
        except BaseException:
            self.stop()
            raise

    @property
    def model(self) -> LoadedModel:
        """The model that runs."""
        return self._inference.model

    @property
    def alive(self) -> bool:
        """Whether the inference thread runs, and does not hang."""
        return self._inference.alive

    def drops(self, camera: int) -> Drops:
        """What was dropped of a camera."""
        return self._inference.drops(camera)

    def replace_model(self, model: LoadedModel) -> None:
        """Let another model take over between two images; the present one is closed then."""
        self._inference.replace_model(model)

    def look_around(self) -> None:
        """Subscribe to the cameras whose outputs are wanted; to the others only where not lazy."""
        config = self._settings.config
        for number, camera in enumerate(self._cameras):
            wanted = not config.lazy or camera.wanted
            if wanted and not camera.subscribed:
                camera.subscribe(
                    config, self._taker(number), fast=self._fast, input_thread=self._input
                )
            elif camera.subscribed and not wanted:
                camera.unsubscribe()

    def stop(self) -> bool:
        """Unsubscribe and end the threads; False where the inference thread hangs."""
        for camera in self._cameras:
            camera.unsubscribe()
        if self._input is not None:
            self._input.stop()
            self._input = None
        if not self._inference.stop():
            return False
        for number, camera in enumerate(self._cameras):
            camera.stats.count_replaced(self.drops(number))
        return True

    def _taker(self, number: int) -> Callable[[Payload], None]:
        """The callback of a camera's images."""
        camera, inference = self._cameras[number], self._inference

        def take(payload: Payload) -> None:
            camera.last_image_s = time.monotonic()
            camera.stats.count_frame()
            inference.put(payload, number)

        return take
