"""One camera of the node: its topics in and out, what is counted of it.

The executor thread makes, subscribes and destroys; the input thread takes what comes in; the
inference thread publishes and counts while it runs. Outputs are made before that thread starts and
destroyed after it was joined.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float64MultiArray

from lane_seg.errors import LaneSegError
from lane_seg_ros.depth_bundle import BundleOutputs, DepthBundle
from lane_seg_ros.input_thread import InputThread
from lane_seg_ros.outputs import ImageOutput, Outputs
from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.pictures import Payload
from lane_seg_ros.pipeline_stats import PipelineStats
from lane_seg_ros.qos import image_qos, publisher_events, subscription_events

__all__ = ['Camera']

_INPUTS = ('image', 'camera_info', 'depth', 'depth_camera_info')
_OUTPUTS = (
    *('~/mask', '~/confidence', '~/mask_color', '~/overlay', '~/camera_info', '~/bundle/mask'),
    *('~/bundle/depth', '~/bundle/camera_info', '~/bundle/depth_camera_info'),
)
_Msg = TypeVar('_Msg')


class Camera:
    """Topics and counters of one camera.

    Args:
        node: that they belong to.
        name: part of the topics' names; '' for the only camera.

    Attributes:
        stats: counters and timings.
        camera_info: the last one that came.
        last_image_s: when the last image came, of `time.monotonic()`.
        outputs: while the node is configured.
        bundle: while it is, and one is asked for.
    """

    def __init__(self, node: LifecycleNode, name: str) -> None:
        self.name = name
        self.stats = PipelineStats()
        self.camera_info: CameraInfo | None = None
        self.last_image_s = time.monotonic()
        self.outputs: Outputs | None = None
        self.bundle: DepthBundle | None = None
        self._node: Node = node
        self._inputs: tuple[Subscription, ...] = ()
        self._input_thread: InputThread | None = None

    @property
    def image_topic(self) -> str:
        """The resolved name of the image topic, without that of a transport."""
        return self._resolved('image')

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to any of its outputs."""
        return (self.outputs is not None and self.outputs.wanted) or (
            self.bundle is not None and self.bundle.outputs.wanted
        )

    @property
    def subscribed(self) -> bool:
        """Whether images are let in."""
        return bool(self._inputs)

    def output_name(self, topic: str) -> str:
        """Name of an output topic, which begins with ~/, with the camera's name in it."""
        return topic.replace('~/', f'~/{self.name}/') if self.name else topic

    def open_outputs(self, config: LaneSegParameters, *, fast: bool) -> None:
        """Create the publishers.

        Raises:
            LaneSegError: an output is remapped to a topic that comes in.
        """
        self._check_names()

        def image_output(topic: str) -> ImageOutput:
            return ImageOutput(self._publisher(Image, topic, config), fast)

        self.outputs = Outputs(
            mask=image_output('~/mask'),
            confidence=image_output('~/confidence'),
            mask_color=image_output('~/mask_color'),
            overlay=image_output('~/overlay'),
            camera_info=self._publisher(CameraInfo, '~/camera_info', config),
            timing=self._publisher(Float64MultiArray, '~/timing', config),
        )
        if config.publish_bundle:
            self.bundle = DepthBundle(
                BundleOutputs(
                    mask=image_output('~/bundle/mask'),
                    camera_info=self._publisher(CameraInfo, '~/bundle/camera_info', config),
                    depth=self._publisher(Image, '~/bundle/depth', config),
                    depth_camera_info=self._publisher(
                        CameraInfo, '~/bundle/depth_camera_info', config
                    ),
                ),
                tolerance_ns=round(config.bundle_tolerance_ms * 1e6),
            )

    def close_outputs(self) -> None:
        """Destroy the publishers."""
        outputs, self.outputs = self.outputs, None
        bundle, self.bundle = self.bundle, None
        for publisher in (
            *(outputs.publishers if outputs is not None else ()),
            *(bundle.outputs.all if bundle is not None else ()),
        ):
            self._node.destroy_publisher(publisher)

    def subscribe(
        self,
        config: LaneSegParameters,
        put: Callable[[Payload], None],
        *,
        fast: bool,
        input_thread: InputThread | None,
    ) -> None:
        """Let images in.

        Args:
            config: says which transport, and how reliable.
            put: takes each image in the thread that it comes in.
            fast: take them as bytes, which a compressed image is anyway.
            input_thread: takes what comes in; None leaves that to the executor.
        """
        self._input_thread = input_thread
        self.camera_info = None
        self.last_image_s = time.monotonic()
        compressed = config.image_transport == 'compressed'
        self._inputs = (
            self._subscription(
                CompressedImage if compressed else Image,
                f'{self.image_topic}/compressed' if compressed else self.image_topic,
                put,
                config,
                raw=fast and not compressed,
            ),
            self._subscription(
                CameraInfo, self._resolved('camera_info'), self._on_camera_info, config, raw=False
            ),
        )
        if self.bundle is not None:
            self._inputs += (
                self._subscription(
                    Image, self._resolved('depth'), self.bundle.on_depth, config, raw=fast
                ),
                self._subscription(
                    CameraInfo,
                    self._resolved('depth_camera_info'),
                    self.bundle.on_depth_info,
                    config,
                    raw=False,
                ),
            )
        if input_thread is not None:
            images, *others = self._inputs
            input_thread.add(images, on_lost=self.stats.count_lost)
            input_thread.add(*others)

    def unsubscribe(self) -> None:
        """Let no more images in."""
        inputs, self._inputs = self._inputs, ()
        if self._input_thread is not None:
            self._input_thread.remove(*inputs)
        for subscription in inputs:
            self._node.destroy_subscription(subscription)

    def _check_names(self) -> None:
        """Refuse remappings by which the node would hear itself."""
        inputs = {self._resolved(topic) for topic in _INPUTS}
        inputs.add(f'{self.image_topic}/compressed')
        for topic in _OUTPUTS:
            name = str(self._node.resolve_topic_name(self.output_name(topic)))
            if name in inputs:
                raise LaneSegError(
                    f'{topic} is remapped to {name}, which is a topic that comes in: the node '
                    'would take its own output for the camera; give it another name'
                )

    def _on_camera_info(self, msg: CameraInfo) -> None:
        self.camera_info = msg

    def _resolved(self, topic: str) -> str:
        """Name of an input topic with the camera's name in it, remapped."""
        name = self._node.resolve_topic_name(f'{self.name}/{topic}' if self.name else topic)
        return str(name)

    def _publisher(self, msg_type: type[_Msg], topic: str, config: LaneSegParameters) -> Publisher:
        topic = self.output_name(topic)
        events = publisher_events(
            self._node.resolve_topic_name(topic),
            parameter='output_reliability',
            warn=self._node.get_logger().warning,
        )
        qos = image_qos(config.output_reliability, depth=config.queue_depth)
        return self._node.create_publisher(msg_type, topic, qos, event_callbacks=events)

    def _subscription(
        self,
        msg_type: type[_Msg],
        topic: str,
        callback: Callable[[_Msg], None],
        config: LaneSegParameters,
        *,
        raw: bool,
    ) -> Subscription:
        events = subscription_events(
            topic, parameter='input_reliability', warn=self._node.get_logger().warning
        )
        qos = image_qos(config.input_reliability, depth=config.queue_depth)
        group = None if self._input_thread is None else self._input_thread.group
        return self._node.create_subscription(
            msg_type, topic, callback, qos, event_callbacks=events, raw=raw, callback_group=group
        )
