"""The thread that turns images into masks; see `lane_seg_node` for the threading model."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError
from lane_seg.mailbox import Mailbox
from lane_seg.pipeline import LanePipeline
from lane_seg_ros.diagnostics import PipelineStats, Stage, Throttle
from lane_seg_ros.image_messages import image_from_msg, msg_from_image
from lane_seg_ros.parameters import LaneSegParameters

__all__ = ['InferenceThread', 'Outputs', 'Settings']

_LOG_PERIOD_S = 5.0
# The thread looks up from an empty mailbox this often, in case a wake-up went by.
_IDLE_S = 0.5
# An inference takes milliseconds; a thread that has not ended after this long hangs in a driver.
_JOIN_TIMEOUT_S = 1.5


@dataclass(frozen=True)
class Outputs:
    """The publishers of the results."""

    mask: Publisher
    overlay: Publisher
    camera_info: Publisher


@dataclass
class Settings:
    """What may change while the thread runs: the node replaces each value, never edits one."""

    config: LaneSegParameters
    camera_info: CameraInfo | None = None


@dataclass(frozen=True)
class _Frame:
    """An image on its way through the mailbox."""

    msg: Image
    received_s: float


class InferenceThread:
    """Takes the newest image, runs the pipeline, publishes; from construction to `stop`."""

    def __init__(
        self,
        pipeline: LanePipeline,
        outputs: Outputs,
        settings: Settings,
        stats: PipelineStats,
        *,
        node: Node,
    ) -> None:
        self._pipeline = pipeline
        self._outputs = outputs
        self._settings = settings
        self._stats = stats
        self._context = node.context
        self._clock = node.get_clock()
        self._logger = node.get_logger()
        self._throttle = Throttle(_LOG_PERIOD_S)
        self._warned_of_camera_info = False
        self._mailbox: Mailbox[_Frame] = Mailbox()
        self._stop = threading.Event()
        # A daemon, so that a driver that never returns cannot keep the process from its end.
        self._thread = threading.Thread(target=self._loop, name='inference', daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def dropped(self) -> int:
        """Images that a newer one replaced before they were taken."""
        return self._mailbox.dropped

    def put(self, msg: Image) -> None:
        """Hand over an image; it replaces one that has not been taken yet."""
        self._mailbox.put(_Frame(msg, time.perf_counter()))

    def stop(self) -> bool:
        """End the thread after the image in work; False where it hangs."""
        self._stop.set()
        self._mailbox.close()
        self._thread.join(_JOIN_TIMEOUT_S)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stop.is_set():
            frame = self._mailbox.get(_IDLE_S)
            if frame is None:
                continue
            try:
                self._process(frame)
            except ImageError as error:
                self._stats.count_bad_image(error.cause)
                self._log(f'bad image ({error.cause}): {error}', key=error.cause)
            except Exception as error:  # one bad moment of an engine must not end the node
                if not self._context.ok():
                    return  # the process is going down, and publishing failed for that reason
                self._stats.count_inference_error()
                self._log(
                    f'an image was lost to an error: {error}\n{traceback.format_exc()}',
                    key=type(error).__name__,
                )

    def _process(self, frame: _Frame) -> None:
        """Convert, infer, publish, count."""
        config = self._settings.config
        header = frame.msg.header
        start_s = time.perf_counter()
        image = image_from_msg(frame.msg)
        converted_s = time.perf_counter()
        result = self._pipeline.process(image)
        processed_s = time.perf_counter()
        self._outputs.mask.publish(msg_from_image(result.mask, encoding='mono8', header=header))
        published_s = time.perf_counter()

        timings_ms: dict[Stage, float] = {
            'convert': (converted_s - start_s) * 1e3,
            'preprocess': result.preprocess_ms,
            'inference': result.inference_ms,
            'postprocess': result.postprocess_ms,
            'publish': (published_s - processed_s) * 1e3,
            'latency': (published_s - frame.received_s) * 1e3,
        }
        stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
        if stamp_ns:  # zero: the driver does not stamp its images
            timings_ms['age'] = (self._clock.now().nanoseconds - stamp_ns) / 1e6
        self._stats.count_mask(MappingProxyType(timings_ms))

        if config.publish_camera_info:
            self._publish_camera_info(frame.msg)
        if config.publish_overlay and self._outputs.overlay.get_subscription_count():
            self._publish_overlay(image, result.mask, header, alpha=config.overlay_alpha)

    def _publish_camera_info(self, msg: Image) -> None:
        """The latest camera info under the image's header, where it is about such images."""
        info = self._settings.camera_info
        if info is None:
            return
        if (info.height, info.width) != (msg.height, msg.width):
            if not self._warned_of_camera_info:
                self._warned_of_camera_info = True
                self._logger.warning(
                    f'camera_info is for images of {info.height} x {info.width}, but they are '
                    f'{msg.height} x {msg.width} (height x width): ~/camera_info is not '
                    'published; check that both topics are of the same camera'
                )
            return
        info.header = msg.header
        self._outputs.camera_info.publish(info)

    def _publish_overlay(
        self,
        image: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        header: Header,
        *,
        alpha: float,
    ) -> None:
        start_s = time.perf_counter()
        self._pipeline.alpha = alpha
        overlay = self._pipeline.draw(image, mask)
        self._outputs.overlay.publish(msg_from_image(overlay, encoding='bgr8', header=header))
        self._stats.count_overlay((time.perf_counter() - start_s) * 1e3)

    def _log(self, text: str, *, key: str) -> None:
        """Log an error at most once per key and period, and say how many went unsaid."""
        unsaid = self._throttle.admit(key)
        if unsaid is not None:
            self._logger.error(
                f'{text} ({unsaid} more since the last message)' if unsaid else text
            )
