"""The inference thread with engines that stall and fail: drops, errors, and an end on time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('onnx')

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.bundle import ModelBundle
from lane_seg.engines.base import BaseEngine
from lane_seg.pipeline import LanePipeline
from lane_seg_ros.diagnostics import PipelineCounts, PipelineStats
from lane_seg_ros.inference_thread import InferenceThread, Outputs, Settings
from lane_seg_ros.parameters import LaneSegParameters
from tests.lane_seg_ros.node_process import PATIENCE_S, road_msg
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.ros


class StubbornEngine(BaseEngine):
    """Waits at a gate in each inference, and fails on the images it was told to."""

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__(bundle, name='stubborn', version='0', threads=1)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.failures = 0

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.failures:
            self.failures -= 1
            raise RuntimeError('the driver is gone')
        return np.zeros(tensor.shape[:2], np.uint8)


@dataclass(frozen=True)
class Bench:
    """A thread at work on a stubborn engine."""

    thread: InferenceThread
    engine: StubbornEngine
    stats: PipelineStats
    node: Node

    def counts(self) -> PipelineCounts:
        return self.stats.counts(frames_dropped=self.thread.dropped)

    def wait_for(self, **expected: int) -> None:
        """Wait until these counters have these values."""
        end_s = time.monotonic() + PATIENCE_S
        while any(getattr(self.counts(), name) != value for name, value in expected.items()):
            assert time.monotonic() < end_s, f'expected {expected}, found {self.counts()}'
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    context = Context()
    rclpy.init(context=context)
    node = Node('bench', context=context)
    bundle = ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))
    engine = StubbornEngine(bundle)
    stats = PipelineStats()
    thread = InferenceThread(
        LanePipeline(bundle, engine),
        Outputs(
            mask=node.create_publisher(Image, 'mask', 1),
            overlay=node.create_publisher(Image, 'overlay', 1),
            camera_info=node.create_publisher(CameraInfo, 'info', 1),
        ),
        Settings(LaneSegParameters()),
        stats,
        node=node,
    )
    yield Bench(thread, engine, stats, node)
    engine.gate.set()
    thread.stop()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_while_the_engine_is_busy_only_the_newest_image_waits(bench: Bench) -> None:
    bench.engine.gate.clear()
    bench.thread.put(road_msg(0))
    assert bench.engine.entered.wait(PATIENCE_S)
    for number in range(1, 6):
        bench.thread.put(road_msg(number))
    assert bench.thread.dropped == 4
    bench.engine.gate.set()
    bench.wait_for(masks_published=2, frames_dropped=4)


def test_an_engine_that_fails_is_counted_and_the_next_image_gets_its_mask(bench: Bench) -> None:
    bench.engine.failures = 2
    for number in range(1, 3):
        bench.thread.put(road_msg(number))
        bench.wait_for(inference_errors=number)
    bench.thread.put(road_msg(3))
    bench.wait_for(inference_errors=2, masks_published=1)
    assert bench.thread.alive


def test_a_stamp_of_zero_gives_a_latency_but_no_age(bench: Bench) -> None:
    msg = road_msg()
    msg.header.stamp.sec = 0
    bench.thread.put(msg)
    bench.wait_for(masks_published=1)
    timings = bench.counts().timings
    assert (timings['latency'].count, timings['age'].count) == (1, 0)


def test_stopping_ends_the_thread_after_the_image_in_work(bench: Bench) -> None:
    bench.thread.put(road_msg())
    bench.wait_for(masks_published=1)
    assert bench.thread.stop()
    assert not bench.thread.alive
    bench.thread.put(road_msg(1))  # nobody is there any more, and nobody minds


def test_stopping_gives_up_on_an_engine_that_hangs(bench: Bench) -> None:
    bench.engine.gate.clear()
    bench.thread.put(road_msg())
    assert bench.engine.entered.wait(PATIENCE_S)
    assert not bench.thread.stop()


def test_a_context_that_ends_under_the_thread_ends_it_without_an_error(bench: Bench) -> None:
    bench.engine.gate.clear()
    bench.thread.put(road_msg())
    assert bench.engine.entered.wait(PATIENCE_S)
    rclpy.shutdown(context=bench.node.context)
    bench.engine.gate.set()
    assert bench.thread.stop()
    assert bench.counts().inference_errors == 0
