"""Both ends of benchmarks/node_latency.py: `camera SIZE RATE TRANSPORT`, `listen FILE S S`.

They are the instrument, not what is measured, so they are as light as Python allows: the camera
publishes bytes that were ready beforehand, as a driver's buffer is, and the listener takes the
masks' bytes in a thread of its own. They prepare the middleware as our own programs do, unless
LANE_SEG_NO_MIDDLEWARE_TUNING is set.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Float64MultiArray, Header

from lane_seg_ros.image_cdr import cdr_from_image
from lane_seg_ros.input_thread import open_input_thread
from lane_seg_ros.live.stamps import nanoseconds
from lane_seg_ros.middleware import prepare_middleware
from lane_seg_ros.pictures import stamp_of
from lane_seg_ros.qos import image_qos

_PICTURES = 8
_STAMP_AT = 4  # behind the four bytes that say how a CDR message is encoded


def stamp_in_place(message: bytes, *, sec: int, nanosec: int) -> bytes:
    """Change the stamp of a message that nobody else holds, and return it.

    rclpy publishes nothing but `bytes`, which do not change: a changed one is a copy, after the
    stamp was taken, that a driver with a buffer of its own does not make.
    """
    stamp = struct.pack('<iI', sec, nanosec)
    address = ctypes.cast(ctypes.c_char_p(message), ctypes.c_void_p).value
    assert address is not None
    ctypes.memmove(address + _STAMP_AT, stamp, len(stamp))
    return message


def camera(size: str, rate_hz: float, transport: str) -> None:
    """Publish until killed: an image, and its header on camera_info so that it can be counted."""
    width, height = (int(part) for part in size.split('x'))
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (_PICTURES, height // 16, width // 16, 3), dtype=np.uint8)
    pictures = [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in small]
    node = Node('camera')
    qos = image_qos('reliable', depth=5)
    infos = node.create_publisher(CameraInfo, 'camera_info', qos)
    if transport == 'compressed':
        out = node.create_publisher(CompressedImage, 'image/compressed', qos)
        messages = [
            serialize_message(
                CompressedImage(format='jpeg', data=cv2.imencode('.jpg', one)[1].tobytes())
            )
            for one in pictures
        ]
    else:
        out = node.create_publisher(Image, 'image', qos)
        messages = [
            cdr_from_image(one, encoding='bgr8', sec=0, nanosec=0, frame_id='') for one in pictures
        ]
    while not (out.get_subscription_count() and infos.get_subscription_count()):
        time.sleep(0.05)
    due_s, number = time.monotonic(), 0
    while rclpy.ok():
        due_s += 1.0 / rate_hz
        time.sleep(max(0.0, due_s - time.monotonic()))
        now_ns = time.time_ns()
        sec, nanosec = divmod(now_ns, 10**9)
        out.publish(stamp_in_place(messages[number % _PICTURES], sec=sec, nanosec=nanosec))
        infos.publish(CameraInfo(header=Header(stamp=Time(sec=sec, nanosec=nanosec))))
        number += 1


def listen(path: str, warm_up_s: float, seconds: float) -> None:
    """Note when masks come; write what the measured time gave."""
    node = Node('listener')
    sent: list[int] = []
    latency_ms: dict[int, float] = {}
    inference_ms: dict[float, float] = {}  # by the stamp in seconds, as the node computes it
    stages_ms: dict[str, list[float]] = {}
    counts: list[tuple[int, dict[str, int]]] = []

    def on_mask(payload: bytes) -> None:
        now_ns = time.time_ns()
        stamp = stamp_of(payload)
        latency_ms[stamp] = (now_ns - stamp) / 1e6

    def on_timing(msg: Float64MultiArray) -> None:
        labels = [dimension.label for dimension in msg.layout.dim]
        number = labels.index('inference_ms') if labels else 1
        inference_ms[msg.data[0]] = msg.data[number]
        for label, value in zip(labels[1:], msg.data[1:], strict=False):
            stages_ms.setdefault(label, []).append(value)

    def on_diagnostics(msg: DiagnosticArray) -> None:
        values = {item.key: item.value for status in msg.status for item in status.values}
        frames = {key: int(text) for key, text in values.items() if key.startswith('frames_')}
        counts.append((time.time_ns(), frames))

    qos = image_qos('reliable', depth=30)
    node.create_subscription(DiagnosticArray, '/diagnostics', on_diagnostics, qos)
    masks = open_input_thread(node)
    assert masks is not None
    masks.add(
        node.create_subscription(
            Image, 'lane_seg_node/mask', on_mask, qos, raw=True, callback_group=masks.group
        )
    )
    node.create_subscription(Float64MultiArray, 'lane_seg_node/timing', on_timing, qos)
    node.create_subscription(
        CameraInfo, 'camera_info', lambda msg: sent.append(nanoseconds(msg.header.stamp)), qos
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not (latency_ms and inference_ms):
        executor.spin_once(timeout_sec=0.1)
    start_ns = time.time_ns() + round(warm_up_s * 1e9)
    end_ns = start_ns + round(seconds * 1e9)
    while time.time_ns() < end_ns + 10**9:  # masks under way still arrive
        executor.spin_once(timeout_sec=0.1)
    masks.stop()
    window = [stamp for stamp in sent if start_ns <= stamp < end_ns]
    done = [stamp for stamp in window if stamp in latency_ms]
    both = [(stamp, inference_ms.get(stamp / 1e9)) for stamp in done]
    pairs = [(latency_ms[stamp], inference) for stamp, inference in both if inference is not None]
    told = [frames for when_ns, frames in counts if when_ns >= start_ns]
    result = {
        'sent': len(window),
        'received': len(done),
        'missing': sorted(set(window) - set(done)),
        'overhead_ms': [latency - inference for latency, inference in pairs],
        'latency_ms': [latency for latency, _ in pairs],
        'inference_ms': [inference for _, inference in pairs],
        'stages_ms': {name: float(np.median(values)) for name, values in stages_ms.items()},
        'node_counts': {key: told[-1][key] - told[0][key] for key in told[-1]} if told else {},
    }
    Path(path).write_text(json.dumps(result), encoding='utf-8')


if __name__ == '__main__':
    prepare_middleware()
    cv2.setNumThreads(1)
    sys.setswitchinterval(1e-4)  # two threads of the listener must not wait 5 ms for each other
    rclpy.init()
    if sys.argv[1] == 'camera':
        camera(sys.argv[2], float(sys.argv[3]), sys.argv[4])
    else:
        listen(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
