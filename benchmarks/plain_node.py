"""A segmentation node as one writes it at first; what benchmarks/node_latency.py compares with.

The same model and engine. Around them: default quality of service, messages as objects, pictures
converted and copied as cv_bridge does it, numpy for scaling back and colouring, the overlay drawn
for every frame, all in the image callback.
"""

from __future__ import annotations

import sys
import time
from array import array
from contextlib import suppress

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Float64MultiArray

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg_ros.pictures import stamp_of


class PlainNode(Node):
    """Subscribes image, publishes mask, overlay and the time of its inference."""

    def __init__(self, model: str, threads: int) -> None:
        super().__init__('lane_seg_node')
        self.bundle = ModelBundle.load(model)
        self.engine = open_engine(self.bundle, threads=threads)
        self.colours = np.zeros((256, 3), np.uint8)
        for info in self.bundle.classes:
            self.colours[info.id] = info.colour_bgr
        self.mask_out = self.create_publisher(Image, '~/mask', 10)
        self.overlay_out = self.create_publisher(Image, '~/overlay', 10)
        self.timing_out = self.create_publisher(Float64MultiArray, '~/timing', 10)
        self.create_subscription(Image, 'image', self.on_image, 10)

    def on_image(self, msg: Image) -> None:
        """Do everything."""
        image = np.array(msg.data, np.uint8).reshape(msg.height, msg.width, 3).copy()
        tensor = cv2.resize(image, (self.bundle.width, self.bundle.height))
        start = time.perf_counter()
        output = self.engine.infer(tensor)
        inference_ms = (time.perf_counter() - start) * 1e3
        mask = cv2.resize(output, (msg.width, msg.height), interpolation=cv2.INTER_NEAREST_EXACT)
        self.mask_out.publish(self.message(mask, 'mono8', msg))
        overlay = cv2.addWeighted(image, 0.5, self.colours[mask], 0.5, 0.0)
        self.overlay_out.publish(self.message(overlay, 'bgr8', msg))
        self.timing_out.publish(Float64MultiArray(data=[stamp_of(msg) / 1e9, inference_ms]))

    @staticmethod
    def message(image: np.ndarray, encoding: str, like: Image) -> Image:
        """Make a message as cv_bridge does."""
        msg = Image(header=like.header, height=image.shape[0], width=image.shape[1])
        msg.encoding = encoding
        msg.step = image.nbytes // image.shape[0]
        msg.data = array('B', image.tobytes())
        return msg


if __name__ == '__main__':
    rclpy.init()
    node = PlainNode(sys.argv[1], int(sys.argv[2]))
    with suppress(KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        rclpy.spin(node)
