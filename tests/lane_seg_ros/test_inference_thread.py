"""The inference thread with engines that stall and fail: drops, errors, and an end on time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('onnx')

import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage

from lane_seg.bundle import ModelBundle
from lane_seg.engines.base import BaseEngine
from lane_seg.pipeline import LanePipeline
from lane_seg_ros.camera import Camera
from lane_seg_ros.inference_thread import InferenceThread
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.pipeline_stats import PipelineCounts
from tests.lane_seg_ros.node_process import PATIENCE_S, road_msg
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.failures:
            self.failures -= 1
            raise RuntimeError('the driver is gone')
        return np.zeros(tensor.shape[:2], np.uint8)


@dataclass
class Bench:
    """A thread at work on a stubborn engine, for two cameras."""

    thread: InferenceThread
    engine: StubbornEngine
    cameras: tuple[Camera, ...]
    node: LifecycleNode
    settings: Settings
    failures: list[str]

    def put(self, number: int, camera: int = 0) -> None:
        self.thread.put(road_msg(number), camera)

    def keep_busy(self) -> None:
        """Return with image 0 in an inference that lasts until the gate is opened."""
        self.engine.gate.clear()
        self.put(0)
        assert self.engine.entered.wait(PATIENCE_S)

    def counts(self, camera: int = 0) -> PipelineCounts:
        return self.cameras[camera].stats.counts(self.thread.drops(camera))

    def wait_for(self, camera: int = 0, **expected: int) -> None:
        """Wait until these counters have these values."""
        self.wait_until(
            lambda: all(
                getattr(self.counts(camera), name) == value for name, value in expected.items()
            ),
            lambda: f'expected {expected}, found {self.counts(camera)}',
        )

    def wait_until(
        self, holds: Callable[[], bool], otherwise: Callable[[], str] = lambda: 'never'
    ) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, otherwise()
            time.sleep(0.01)


@dataclass
class Settings:
    """What the node is to the thread."""

    config: LaneSegParameters


def loaded(folder: Path) -> LoadedModel:
    bundle = ModelBundle.load(make_tiny_bundle(folder))
    engine = StubbornEngine(bundle)
    return LoadedModel(bundle, engine, tuple(LanePipeline(bundle, engine) for _ in range(2)))


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """With the node's defaults, or the parameters that a test asks for."""
    context = Context()
    rclpy.init(context=context)
    node = LifecycleNode('bench', context=context)
    model = loaded(tmp_path / 'tiny')
    settings = Settings(LaneSegParameters(**getattr(request, 'param', {})))
    cameras = (Camera(node, 'front'), Camera(node, 'rear'))
    for camera in cameras:
        camera.open_outputs(settings.config, fast=True)
    failures: list[str] = []
    thread = InferenceThread(model, cameras, settings, node=node, on_failures=failures.append)
    engine = model.engine
    assert isinstance(engine, StubbornEngine)
    yield Bench(thread, engine, cameras, node, settings, failures)
    engine.gate.set()
    thread.stop()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_while_the_engine_is_busy_only_the_newest_image_waits(bench: Bench) -> None:
    bench.keep_busy()
    for number in range(1, 6):
        bench.put(number)
    assert bench.thread.drops(0).newer == 4
    bench.engine.gate.set()
    bench.wait_for(masks_published=2, frames_dropped=4)


@pytest.mark.parametrize('bench', [{'max_waiting_images': 4}], indirect=True)
def test_where_several_may_wait_a_busy_moment_costs_no_image(bench: Bench) -> None:
    bench.keep_busy()
    for number in range(1, 5):
        bench.put(number)
    assert bench.thread.drops(0).total == 0
    bench.put(5)
    assert bench.thread.drops(0).newer == 1
    bench.engine.gate.set()
    bench.wait_for(masks_published=5, frames_dropped=1)


def test_an_engine_that_fails_is_counted_and_the_next_image_gets_its_mask(bench: Bench) -> None:
    bench.engine.failures = 2
    for number in range(1, 3):
        bench.put(number)
        bench.wait_for(inference_errors=number)
    bench.put(3)
    bench.wait_for(inference_errors=2, masks_published=1)
    assert bench.thread.alive


def test_a_stamp_of_zero_gives_a_latency_but_no_age(bench: Bench) -> None:
    msg = road_msg()
    msg.header.stamp.sec = 0
    bench.thread.put(msg, 0)
    bench.wait_for(masks_published=1)
    timings = bench.counts().timings
    assert (timings['latency'].count, timings['age'].count) == (1, 0)


def test_stopping_ends_the_thread_after_the_image_in_work(bench: Bench) -> None:
    bench.put(0)
    bench.wait_for(masks_published=1)
    assert bench.thread.stop()
    assert not bench.thread.alive
    bench.put(1)  # nobody is there any more, and nobody minds


def test_stopping_gives_up_on_an_engine_that_hangs(bench: Bench) -> None:
    bench.keep_busy()
    assert not bench.thread.stop()


def test_a_context_that_ends_under_the_thread_ends_it_without_an_error(bench: Bench) -> None:
    bench.keep_busy()
    rclpy.shutdown(context=bench.node.context)
    bench.engine.gate.set()
    assert bench.thread.stop()
    assert bench.counts().inference_errors == 0


def test_two_cameras_take_turns_however_much_one_of_them_sends(bench: Bench) -> None:
    bench.keep_busy()
    for number in range(1, 9):
        bench.put(number)
    bench.put(1, camera=1)
    bench.engine.gate.set()
    bench.wait_for(masks_published=2, frames_dropped=7)
    bench.wait_for(camera=1, masks_published=1, frames_dropped=0)


def test_a_rate_is_kept_with_the_newest_image_each_time(bench: Bench) -> None:
    bench.settings.config = LaneSegParameters(max_rate_hz=5.0)
    started_s = time.monotonic()
    while time.monotonic() - started_s < 1.0:
        bench.put(0)
        time.sleep(0.01)
    counts = bench.counts()
    assert 2 <= counts.masks_published <= 6
    assert counts.dropped['rate'] > counts.dropped['newer']


def test_an_image_that_is_too_old_gets_no_mask(bench: Bench) -> None:
    bench.settings.config = LaneSegParameters(max_age_ms=1000.0)
    now = bench.node.get_clock().now()
    for age_s, expected in ((5, {'masks_published': 0}), (0, {'masks_published': 1})):
        msg = road_msg()
        msg.header.stamp = (now - Duration(seconds=age_s)).to_msg()
        bench.thread.put(msg, 0)
        bench.wait_for(frames_dropped=1, **expected)
    assert bench.counts().dropped['stale'] == 1


def test_an_image_without_a_stamp_or_from_the_future_is_not_too_old(bench: Bench) -> None:
    bench.settings.config = LaneSegParameters(max_age_ms=1.0)
    for number, sec in enumerate((0, 2**31 - 1), start=1):
        msg = road_msg()
        msg.header.stamp = Time(sec=sec)
        bench.thread.put(msg, 0)
        bench.wait_for(masks_published=number)


def test_an_engine_that_fails_again_and_again_is_reported_once(bench: Bench) -> None:
    bench.engine.failures = 5
    for number in range(1, 6):
        bench.put(number)
        bench.wait_for(inference_errors=number)
    (reason,) = bench.failures
    assert 'on 3 images in a row' in reason
    assert 'the driver is gone' in reason


def test_a_success_between_failures_starts_the_count_anew(bench: Bench) -> None:
    def done(images: int) -> bool:
        counts = bench.counts()
        return counts.inference_errors + counts.masks_published == images

    number = 0
    for _ in range(3):
        bench.engine.failures = 2
        for _ in range(3):
            number += 1
            bench.put(number)
            bench.wait_until(partial(done, number))
    assert not bench.failures


def test_another_model_takes_over_between_two_images(bench: Bench, tmp_path: Path) -> None:
    other = loaded(tmp_path / 'other')
    bench.engine.gate.clear()
    bench.put(1)
    assert bench.engine.entered.wait(PATIENCE_S)
    bench.thread.replace_model(other)
    assert not bench.engine.closed
    bench.engine.gate.set()
    bench.wait_for(masks_published=1)
    bench.put(2)
    bench.wait_for(masks_published=2)
    assert bench.thread.model is other
    assert bench.engine.closed
    assert isinstance(other.engine, StubbornEngine)
    assert other.engine.entered.is_set()


def test_what_travels_as_bytes_and_as_an_object_gives_the_same(bench: Bench) -> None:
    for number, payload in enumerate((road_msg(7), bytes(serialize_message(road_msg(7)))), 1):
        bench.thread.put(payload, 0)
        bench.wait_for(masks_published=number)


def test_a_damaged_jpeg_is_counted_as_such(bench: Bench) -> None:
    def refused(images: int) -> bool:
        return bench.counts().bad_images['compressed'] == images

    good = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    bench.thread.put(CompressedImage(format='jpeg', data=good), 0)
    bench.wait_for(masks_published=1)
    # Without its end OpenCV would draw the lower half grey and say nothing.
    for number, bad in enumerate((good[:100], good[:-2], b'', b'no picture'), start=1):
        bench.thread.put(CompressedImage(format='jpeg', data=bad), 0)
        bench.wait_until(partial(refused, number))
