"""The thread that turns images into masks; see `lane_seg_node` for the threading model."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rclpy.node import Node

from lane_seg.errors import ImageError
from lane_seg.mailbox import Drops, Mailboxes
from lane_seg_ros.camera import Camera
from lane_seg_ros.frame_work import FrameWork
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.node_main import INFERENCE_THREAD
from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.pictures import Payload, stamp_of
from lane_seg_ros.pipeline_stats import Throttle

__all__ = ['HasConfig', 'InferenceThread']

_LOG_PERIOD_S = 5.0
# The thread looks up from empty mailboxes this often, in case a wake-up went by.
_IDLE_S = 0.5
# An inference takes milliseconds; a thread that has not ended after this long hangs in a driver.
_JOIN_TIMEOUT_S = 1.5
# The same of a running thread. Longer, for a machine may stall.
_HANG_S = 5.0


class HasConfig(Protocol):
    """Where the parameters are found as they are now: replaced as a whole, never edited."""

    config: LaneSegParameters


@dataclass(frozen=True)
class _Frame:
    """An image on its way through its mailbox."""

    payload: Payload
    received_s: float


class InferenceThread:
    """Takes the waiting images of each camera in turn, runs the model, publishes; until `stop`.

    Args:
        model: to begin with; it is closed by this thread when `replace_model` brings another, and
            by its owner otherwise.
        cameras: with open outputs.
        settings: hold the parameters.
        node: for clock, context and log.
        on_failures: is told, in this thread, that the engine has failed so often in a row that
            going on makes no sense.
    """

    def __init__(
        self,
        model: LoadedModel,
        cameras: Sequence[Camera],
        settings: HasConfig,
        *,
        node: Node,
        on_failures: Callable[[str], None],
    ) -> None:
        self._model = model
        self._next_model: LoadedModel | None = None
        self._cameras = tuple(cameras)
        self._settings = settings
        self._on_failures = on_failures
        self._context = node.context
        self._clock = node.get_clock()
        self._logger = node.get_logger()
        self._works = tuple(FrameWork(camera, self._clock, self._logger) for camera in cameras)
        self._throttle = Throttle(_LOG_PERIOD_S)
        self._failures = 0
        self._busy_since_s: float | None = None
        self._mailboxes: Mailboxes[_Frame] = Mailboxes(
            len(self._cameras), depth=settings.config.max_waiting_images
        )
        self._stop = threading.Event()
        # A daemon, so that a driver that never returns cannot keep the process from its end.
        self._thread = threading.Thread(target=self._loop, name=INFERENCE_THREAD, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs, and has not been at one image for too long."""
        since_s = self._busy_since_s
        hangs = since_s is not None and time.monotonic() - since_s > _HANG_S
        return self._thread.is_alive() and not hangs

    @property
    def model(self) -> LoadedModel:
        """The model that runs."""
        return self._model

    def drops(self, camera: int) -> Drops:
        """Images of a camera that a newer one replaced before they were taken."""
        return self._mailboxes.drops(camera)

    def put(self, payload: Payload, camera: int) -> None:
        """Hand over an image; where no more may wait, it pushes out the oldest."""
        self._mailboxes.put(_Frame(payload, time.perf_counter()), camera)

    def replace_model(self, model: LoadedModel) -> None:
        """Let another model take over between two images; the present one is closed then."""
        self._next_model = model

    def stop(self) -> bool:
        """End the thread after the image in work; False where it hangs."""
        self._stop.set()
        self._mailboxes.close()
        self._thread.join(_JOIN_TIMEOUT_S)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stop.is_set():
            found = self._mailboxes.get(_IDLE_S)
            self._take_over()
            if found is None:
                continue
            number, frame = found
            camera = self._cameras[number]
            self._busy_since_s = time.monotonic()
            try:
                self._process(number, frame)
                self._failures = 0
            except ImageError as error:
                camera.stats.count_bad_image(error.cause)
                self._log(f'bad image ({error.cause}): {error}', key=camera.name + error.cause)
            except Exception as error:  # one bad moment of an engine must not end the node
                if not self._context.ok():
                    return  # the process is going down, and publishing failed for that reason
                camera.stats.count_inference_error()
                self._count_failure(error, camera)
            finally:
                self._busy_since_s = None
        self._take_over()

    def _take_over(self) -> None:
        """Let the model that waits, if any, be the one that runs."""
        model, self._next_model = self._next_model, None
        if model is None:
            return
        old, self._model = self._model, model
        self._failures = 0
        old.close()
        self._logger.info(f'{model} from now on')

    def _process(self, number: int, frame: _Frame) -> None:
        """Process an image, unless its time is over."""
        config, camera = self._settings.config, self._cameras[number]
        if config.max_rate_hz > 0.0:
            self._mailboxes.hold(time.monotonic() + 1.0 / config.max_rate_hz, number)
        if config.max_age_ms > 0.0:
            stamp_ns = stamp_of(frame.payload)
            age_ms = (self._clock.now().nanoseconds - stamp_ns) / 1e6
            if stamp_ns and age_ms > config.max_age_ms:
                camera.stats.count_stale()
                return
        self._works[number].process(
            self._model.pipelines[number], frame.payload, config, received_s=frame.received_s
        )

    def _count_failure(self, error: Exception, camera: Camera) -> None:
        """Note a failure of the engine; after too many in a row, say so to the node."""
        self._failures += 1
        self._log(
            f'an image was lost to an error: {error}\n{traceback.format_exc()}',
            key=camera.name + type(error).__name__,
        )
        if self._failures == self._settings.config.max_engine_failures:
            self._on_failures(
                f'the engine failed on {self._failures} images in a row, the last time with: '
                f'{error}'
            )

    def _log(self, text: str, *, key: str) -> None:
        """Log an error at most once per key and period, and say how many went unsaid."""
        unsaid = self._throttle.admit(key)
        if unsaid is not None:
            self._logger.error(
                f'{text} ({unsaid} more since the last message)' if unsaid else text
            )
