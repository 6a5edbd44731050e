"""What is done with one image of one camera: read, infer, publish, count."""

from __future__ import annotations

import time
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock
from rclpy.impl.rcutils_logger import RcutilsLogger
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

from lane_seg.pipeline import LanePipeline
from lane_seg_ros.camera import Camera
from lane_seg_ros.outputs import Outputs
from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.pictures import Payload, Picture, picture_from
from lane_seg_ros.pipeline_stats import Stage

__all__ = ['FrameWork']

_LONGEST_AGE_MS = 3_600_000.0


class FrameWork:
    """The way of an image from its message to the messages that come of it.

    Args:
        camera: with open outputs.
        clock: of the node, for the age of images.
        logger: of the node.
    """

    def __init__(self, camera: Camera, clock: Clock, logger: RcutilsLogger) -> None:
        assert camera.outputs is not None  # only reached if configured
        self._camera = camera
        self._outputs: Outputs = camera.outputs
        self._clock = clock
        self._logger = logger
        self._warned_of_camera_info = False

    def process(
        self,
        pipeline: LanePipeline,
        payload: Payload,
        config: LaneSegParameters,
        *,
        received_s: float,
    ) -> None:
        """Turn an image into a mask and publish it, then what else is listened to.

        Args:
            pipeline: of this camera.
            payload: the image as it came.
            config: the parameters as they are now.
            received_s: when it came, of `time.perf_counter()`.

        Raises:
            ImageError: the image is broken.
            Exception: whatever an engine raises.
        """
        start_s = time.perf_counter()
        picture = picture_from(payload)
        converted_s = time.perf_counter()
        pipeline.min_blob_area = config.min_blob_area
        result = pipeline.process(picture.image)
        processed_s = time.perf_counter()
        self._outputs.mask.publish(result.mask, encoding='mono8', picture=picture)
        published_s = time.perf_counter()

        timings_ms: dict[Stage, float] = {
            'wait': (start_s - received_s) * 1e3,
            'convert': (converted_s - start_s) * 1e3,
            'preprocess': result.preprocess_ms,
            'inference': result.inference_ms,
            'postprocess': result.postprocess_ms,
            'publish': (published_s - processed_s) * 1e3,
            'latency': (published_s - received_s) * 1e3,
        }
        age_ms = (self._clock.now().nanoseconds - picture.stamp_ns) / 1e6
        # Farther apart than an hour: no stamp, or simulated time against the system's.
        if abs(age_ms) < _LONGEST_AGE_MS:
            timings_ms['age'] = age_ms
        self._camera.stats.count_mask(MappingProxyType(timings_ms))
        if self._outputs.timing.get_subscription_count():
            self._outputs.timing.publish(_timing_message(picture, timings_ms))

        if self._camera.bundle is not None:
            self._camera.bundle.on_mask(picture, result.mask, self._camera.camera_info)
        if config.publish_camera_info:
            self._publish_camera_info(picture)
        if result.confidence is not None and self._outputs.confidence.wanted:
            self._outputs.confidence.publish(
                pipeline.confidence_of(result), encoding='mono8', picture=picture
            )
        if config.publish_mask_color and self._outputs.mask_color.wanted:
            self._outputs.mask_color.publish(
                pipeline.colour(result.mask), encoding='bgr8', picture=picture
            )
        if config.publish_overlay and self._outputs.overlay.wanted:
            self._publish_overlay(pipeline, picture, result.mask, alpha=config.overlay_alpha)

    def _publish_camera_info(self, picture: Picture) -> None:
        """The latest camera info under the image's header, where it is about such images."""
        info = self._camera.camera_info
        if info is None:
            return
        height, width = picture.image.shape[:2]
        if (info.height, info.width) != (height, width):
            if not self._warned_of_camera_info:
                self._warned_of_camera_info = True
                self._logger.warning(
                    f'camera_info is for images of {info.height} x {info.width}, but they are '
                    f'{height} x {width} (height x width): ~/camera_info is not published; check '
                    'that both topics are of the same camera'
                )
            return
        info.header = picture.header
        self._outputs.camera_info.publish(info)

    def _publish_overlay(
        self, pipeline: LanePipeline, picture: Picture, mask: NDArray[np.uint8], *, alpha: float
    ) -> None:
        start_s = time.perf_counter()
        pipeline.alpha = alpha
        overlay = pipeline.draw(picture.image, mask)
        self._outputs.overlay.publish(overlay, encoding='bgr8', picture=picture)
        self._camera.stats.count_overlay((time.perf_counter() - start_s) * 1e3)


def _timing_message(picture: Picture, timings_ms: dict[Stage, float]) -> Float64MultiArray:
    """The stamp in seconds, then milliseconds by stage; labels say which number is which."""
    values = {'stamp_s': picture.stamp_ns / 1e9}
    values |= {f'{stage}_ms': milliseconds for stage, milliseconds in timings_ms.items()}
    return Float64MultiArray(
        layout=MultiArrayLayout(
            dim=[MultiArrayDimension(label=label, size=1) for label in values]
        ),
        data=list(values.values()),
    )
