"""A node that does nothing but answer; what benchmarks/node_latency.py takes for the floor.

It takes an image as bytes, in the thread that waits for nothing else, and publishes a mask of the
image's size that was made beforehand, under the image's stamp. Less is not possible in Python with
this middleware: what a real node needs on top is its own.
"""

from __future__ import annotations

import time

import numpy as np
import rclpy
from latency_ends import stamp_in_place
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Float64MultiArray

from lane_seg_ros.image_cdr import cdr_from_image, image_from_cdr
from lane_seg_ros.input_thread import open_input_thread
from lane_seg_ros.middleware import prepare_middleware
from lane_seg_ros.pictures import stamp_of
from lane_seg_ros.qos import image_qos


class RelayNode(Node):
    """Subscribes image, publishes a mask that is none, and that inference took no time."""

    def __init__(self) -> None:
        super().__init__('lane_seg_node')
        self.masks: dict[tuple[int, int], bytes] = {}
        qos = image_qos('reliable', depth=5)
        self.mask_out = self.create_publisher(Image, '~/mask', qos)
        self.timing_out = self.create_publisher(Float64MultiArray, '~/timing', qos)
        self.thread = open_input_thread(self)
        assert self.thread is not None
        best_effort = image_qos('best_effort', depth=5)
        self.thread.add(
            self.create_subscription(
                Image,
                'image',
                self.on_image,
                best_effort,
                raw=True,
                callback_group=self.thread.group,
            )
        )

    def on_image(self, payload: bytes) -> None:
        """Answer."""
        image = image_from_cdr(payload)
        size = (image.height, image.width)
        if size not in self.masks:
            empty = np.zeros(size, np.uint8)
            self.masks[size] = cdr_from_image(
                empty, encoding='mono8', sec=0, nanosec=0, frame_id=''
            )
        mask = self.masks[size]
        self.mask_out.publish(stamp_in_place(mask, sec=image.sec, nanosec=image.nanosec))
        self.timing_out.publish(Float64MultiArray(data=[stamp_of(payload) / 1e9, 0.0]))


if __name__ == '__main__':
    prepare_middleware()
    rclpy.init()
    node = RelayNode()
    try:
        while rclpy.ok():
            time.sleep(0.1)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    node.thread.stop()
    node.destroy_node()
    rclpy.try_shutdown()
