"""The node `camera_player`: publishes frames at a fixed rate, as a camera driver does.

Threads: the main thread publishes and, in between, serves the node's parameter services; the
feeder's thread prepares the next frame (see `camera_frames`). Nothing is shared but its queue.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Mapping
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lane_seg_ros.camera_frames import (
    CameraFrame,
    FrameFeeder,
    FrameRequest,
    Pace,
    RateReport,
    frames_of,
)
from lane_seg_ros.camera_infos import ideal_camera_info
from lane_seg_ros.image_messages import msg_from_image
from lane_seg_ros.node_main import run_node
from lane_seg_ros.qos import image_qos
from lane_seg_scene import PinholeCamera

__all__ = ['CameraNode', 'play']

_Value = TypeVar('_Value', bool, int, float, str)

_NODE_NAME = 'camera_player'
# Images that wait for a subscriber with a reliable connection.
_QUEUE_DEPTH = 5
# The longest time for which the node does not look at signals and services.
_LOOK_UP_S = 0.1


class CameraNode(Node):
    """Publishers and parameters of the camera; `play` brings the frames.

    Args:
        parameters: values that win over those given by ROS arguments.
    """

    def __init__(self, parameters: Mapping[str, bool | int | float | str]) -> None:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        super().__init__(_NODE_NAME, parameter_overrides=overrides)
        self.request = FrameRequest(
            input=self._declare('input', 'scene', "'scene', or an image, a folder, or a video"),
            rate_hz=float(self._declare('rate_hz', 30.0, 'Frames per second', low=0.01, high=240)),
            height=self._declare(
                'height', 0, 'Rows; 0: 720 for the scene, as it is for files', low=0, high=8192
            ),
            width=self._declare(
                'width', 0, 'Columns; 0: 1280 for the scene, as it is for files', low=0, high=8192
            ),
            fov_deg=float(
                self._declare('fov_deg', 70.0, 'Horizontal field of view', low=20, high=130)
            ),
            seed=self._declare('seed', 0, 'Which road scene', low=0, high=2**31 - 1),
            loop=self._declare('loop', False, 'Begin again at the end of a file or folder'),
            count=self._declare('count', 0, 'Stop after so many; 0: never', low=0, high=2**31 - 1),
        )
        self.frame_id: str = self._declare('frame_id', 'camera', 'frame_id of every header')
        self.wait_for_subscribers: int = self._declare(
            'wait_for_subscribers',
            0,
            'Start only when so many subscribe to image, so that they miss no frame; 0: at once',
            low=0,
            high=100,
        )
        qos = image_qos('reliable', depth=_QUEUE_DEPTH)
        self.image_out = self.create_publisher(Image, 'image', qos)
        self._camera_info_out = self.create_publisher(CameraInfo, 'camera_info', qos)
        self._label_out = self.create_publisher(Image, 'label', qos)
        self._camera_info = CameraInfo()

    def publish(self, frame: CameraFrame) -> None:
        """Publish a frame with the present time as its stamp."""
        height, width = frame.image.shape[:2]
        if (self._camera_info.height, self._camera_info.width) != (height, width):
            camera = PinholeCamera(height=height, width=width, fov_deg=self.request.fov_deg)
            self._camera_info = ideal_camera_info(camera.matrix, height=height, width=width)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self.frame_id)
        # First, because a listener pairs an image with the camera info that it already has.
        self._camera_info.header = header
        self._camera_info_out.publish(self._camera_info)
        self.image_out.publish(msg_from_image(frame.image, encoding='bgr8', header=header))
        if frame.label is not None and self._label_out.get_subscription_count():
            self._label_out.publish(msg_from_image(frame.label, encoding='mono8', header=header))

    def _declare(
        self,
        name: str,
        default: _Value,
        description: str,
        *,
        low: float = 0,
        high: float = 0,
    ) -> _Value:
        """Declare a parameter (with limits, if a number) and return its value."""
        descriptor = ParameterDescriptor(
            description=f'{description} (is read once, at start)',
            read_only=True,
            # `rate_hz:=10` is an integer to ROS, and should do.
            dynamic_typing=isinstance(default, float),
        )
        if high:
            descriptor.integer_range = [
                IntegerRange(from_value=math.ceil(low), to_value=int(high))
            ]
        if isinstance(default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
        value: _Value = self.declare_parameter(name, default, descriptor).value
        if isinstance(default, float) and type(value) not in (int, float):
            raise ValueError(f"{name} must be a number; it is '{value}'")
        return value


def play(args: list[str] | None, parameters: Mapping[str, bool | int | float | str]) -> int:
    """Run the node until its input ends, or SIGINT or SIGTERM.

    Args:
        args: ROS arguments; None takes those of the process.
        parameters: values that win over them.

    Returns:
        Exit code: 0, or 1 where the input cannot be read (the log says why).
    """
    # By default a thread that holds the interpreter gives it up after 5 ms: that much too late a
    # frame could be published while the next one is prepared.
    sys.setswitchinterval(5e-4)
    return run_node(_NODE_NAME, lambda: CameraNode(parameters), _serve, args=args)


def _serve(node: CameraNode, interrupted: threading.Event) -> int:
    if not interrupted.is_set():  # one before rclpy.init went by unseen
        _play_frames(node)
    return 0


def _play_frames(node: CameraNode) -> None:
    """Publish every frame of the node's request, each when it is due."""
    logger = node.get_logger()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    pace = Pace(node.request.rate_hz)
    published = 0
    with FrameFeeder(frames_of(node.request, warn=logger.warning)) as feeder:
        while node.image_out.get_subscription_count() < node.wait_for_subscribers:
            executor.spin_once(timeout_sec=_LOOK_UP_S)
            _leave_if_shut_down(node)
        report = RateReport(node.request.rate_hz)
        while True:
            frame = feeder.get(_LOOK_UP_S)
            _leave_if_shut_down(node)
            if frame is None:
                if feeder.ended:
                    break
                executor.spin_once(timeout_sec=0.0)
                continue
            due_s = pace.due_s(time.monotonic())
            while (left_s := due_s - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=min(left_s, _LOOK_UP_S))
                _leave_if_shut_down(node)
            if not published:
                height, width = frame.image.shape[:2]
                logger.info(
                    f'{node.request.input} -> {node.image_out.topic_name}: {height} x {width} '
                    f'(height x width) at {node.request.rate_hz:g} Hz'
                )
            node.publish(frame)
            published += 1
            if warning := report.count(time.monotonic()):
                logger.warning(warning)
    logger.info(f'the input has ended after {published} frames')
    # The last frames may still be on their way to a reliable subscriber.
    node.image_out.wait_for_all_acked(Duration(seconds=1))


def _leave_if_shut_down(node: Node) -> None:
    """Raise ExternalShutdownException after a signal."""
    if not node.context.ok():
        raise ExternalShutdownException
