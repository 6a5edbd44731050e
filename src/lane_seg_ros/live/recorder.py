"""Listens to the topics of one camera and one lane_seg_node, and measures.

Clocks: stamps only tell which messages belong together, for those of a simulator are simulated
time. When a picture was published and when its mask arrived comes from the middleware, in wall
time of this machine (or of machines with synchronized clocks).

Threads: the caller's thread runs the executor; every callback only notes numbers and passes
messages on. A background thread, at a lower priority where the system allows it, reads labels,
compares and encodes, so that what is measured is not slowed down by what is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from lane_seg_ros.image_messages import image_from_msg
from lane_seg_ros.live.album import Album
from lane_seg_ros.live.background_work import BackgroundWork
from lane_seg_ros.live.film import OverlayVideo
from lane_seg_ros.live.labels import LabelReader
from lane_seg_ros.live.losses import NodeCounts, node_counts
from lane_seg_ros.live.measurement import Measurement
from lane_seg_ros.live.score import LabelScore
from lane_seg_ros.live.stamps import StampMatcher, nanoseconds
from lane_seg_ros.live.topics import Heard, Topics
from lane_seg_ros.live.window import CountsReport, Window
from lane_seg_ros.middleware import prepare_middleware
from lane_seg_ros.qos import image_qos

__all__ = ['Recorder']

_QUEUE_DEPTH = 10
_SETTLE_TIMEOUT_S = 2.5


class Recorder:
    """The audience; a context manager.

    Args:
        topics: what to listen to.
        score: compares masks and labels.
        labels: reads the labels.
        check: is called some times per second; raises where going on makes no sense.
        domain_id: the ROS domain; None takes that of the environment.
    """

    def __init__(
        self,
        topics: Topics,
        *,
        score: LabelScore,
        labels: LabelReader,
        check: Callable[[], None],
        domain_id: int | None = None,
    ) -> None:
        self.topics = topics
        self.heard = Heard()
        self.album = Album(score, labels)
        self.window: Window | None = None
        self.mask_hw = (0, 0)
        self._score, self._labels = score, labels
        self._check = check
        self._video: OverlayVideo | None = None
        self._counts: CountsReport | None = None
        self._pairs = StampMatcher(('mask', 'label'))
        self._pictures: StampMatcher | None = None
        self._work = BackgroundWork()

        prepare_middleware()
        self._context = rclpy.Context()
        # Ctrl-C is the command's business: it has processes to end and files to write.
        rclpy.init(
            context=self._context,
            args=[],
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node: Node = rclpy.create_node(
            'lane_seg_recorder', context=self._context, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._work.abandon()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @property
    def counts(self) -> NodeCounts | None:
        """The node's last report."""
        return None if self._counts is None else self._counts.counts

    def publishers_of(self, topic: str) -> int:
        """How many publish a topic, as far as it has been discovered."""
        return self._node.count_publishers(topic)

    def subscribe(self, *, pictures: bool) -> None:
        """Begin to listen.

        Args:
            pictures: keep some frames in full; it costs the copy of each picture.
        """
        topics = self.topics
        if topics.camera_info:
            self._subscribe(CameraInfo, topics.camera_info, self._on_frame)
        elif not pictures:
            self._subscribe(Image, topics.image, self._on_frame)
        self._subscribe(Image, topics.mask, self._on_mask)
        if topics.label:
            self._subscribe(Image, topics.label, self._on_label)
        if topics.overlay:
            self._subscribe(Image, topics.overlay, self._on_overlay)
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, _QUEUE_DEPTH
        )
        if pictures:
            self.watch_pictures()

    def watch_pictures(self) -> None:
        """From now on listen to the camera's pictures too, and keep some frames in full."""
        self._pictures = self._new_pictures()
        self._subscribe(Image, self.topics.image, self._on_image)

    def listen(self, until: Callable[[], bool], *, timeout_s: float = float('inf')) -> bool:
        """Serve callbacks until something holds; False where the time ran out before."""
        end_s = time.monotonic() + timeout_s
        next_check_s = 0.0
        while not until():
            now_s = time.monotonic()
            if now_s >= end_s:
                return False
            if now_s >= next_check_s:
                self._check()
                self._work.check()
                next_check_s = now_s + 0.1
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def forget_stamps(self) -> None:
        """Begin with another world, whose stamps may be those of the last one again."""
        self._pairs = StampMatcher(('mask', 'label'))
        self._pictures = None if self._pictures is None else self._new_pictures()

    @contextmanager
    def filming(self, video: OverlayVideo) -> Iterator[None]:
        """Film the overlays of all frames that are measured in the block."""
        self._video = video
        try:
            yield
        except BaseException:
            self._work.abandon()  # nobody may touch the video after it was closed
            raise
        finally:
            self._video = None

    def begin(self) -> Window:
        """Measure frames that are published from now on."""
        self.window = Window(time.time_ns(), self._counts)
        return self.window

    def end(self) -> Measurement:
        """Count no more frames, wait for what is under way, and say what was measured."""
        window = self.window
        assert window is not None, 'begin() comes first'
        window.close(time.time_ns())
        reports = self.heard.reports
        self.listen(
            lambda: window.is_settled(time.time_ns()) and self.heard.reports > reports,
            timeout_s=_SETTLE_TIMEOUT_S,
        )
        self.listen(lambda: self._work.is_idle)
        self.window = None
        return window.measurement(self._counts, coding=self._labels.coding or '')

    def _new_pictures(self) -> StampMatcher:
        label = ('label',) if self.topics.label else ()
        return StampMatcher(('image', 'mask', *label))

    def _subscribe(
        self, kind: type[Image] | type[CameraInfo], topic: str, callback: Callable[..., None]
    ) -> None:
        # A reliable subscription gets nothing from a publisher that does its best only.
        offers = self._node.get_publishers_info_by_topic(topic)
        best_effort = any(
            offer.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for offer in offers
        )
        qos = image_qos('best_effort' if best_effort else 'reliable', depth=_QUEUE_DEPTH)
        self._node.create_subscription(kind, topic, callback, qos)

    def _on_frame(self, msg: CameraInfo | Image, info: Mapping[str, int]) -> None:
        self.heard.frames += 1
        if self.window is not None:
            sent_ns = int(info['source_timestamp']) or time.time_ns()
            self.window.add_frame(nanoseconds(msg.header.stamp), sent_ns, (msg.height, msg.width))

    def _on_image(self, msg: Image, info: Mapping[str, int]) -> None:
        self.heard.images += 1
        if not self.topics.camera_info:
            self._on_frame(msg, info)
        self._offer_picture('image', msg)

    def _on_mask(self, msg: Image, info: Mapping[str, int]) -> None:
        self.heard.masks += 1
        self.mask_hw = (msg.height, msg.width)
        if self.window is not None:
            received_ns = int(info['received_timestamp']) or time.time_ns()
            stamp_ns = nanoseconds(msg.header.stamp)
            latency_ms = self.window.add_mask(stamp_ns, received_ns, self.mask_hw)
            if latency_ms is not None:
                self.heard.latencies.add(latency_ms)
        self._offer_pair('mask', msg)
        self._offer_picture('mask', msg)

    def _on_label(self, msg: Image) -> None:
        self.heard.labels += 1
        self._offer_pair('label', msg)
        self._offer_picture('label', msg)

    def _on_overlay(self, msg: Image) -> None:
        self.heard.overlays += 1
        window, video = self.window, self._video
        stamp_ns = nanoseconds(msg.header.stamp)
        if window is None or not window.add_overlay(stamp_ns) or video is None:
            return
        filmed = self._work.put(lambda: video.add(image_from_msg(msg), stamp_ns=stamp_ns))
        window.pictures_not_drawn += not filmed

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == self.topics.status_name:
                counts = node_counts({item.key: item.value for item in status.values})
                if counts is None:
                    continue
                self.heard.reports += 1
                self._counts = CountsReport(time.time_ns(), counts, self.heard.masks)
                if self.window is not None:
                    self.window.add_report(self._counts)

    def _offer_pair(self, part: str, msg: Image) -> None:
        """Mask or label of a frame; when both are there, they are compared."""
        window = self.window
        if window is None or not self.topics.label:
            return
        pair = self._pairs.offer(part, msg)
        if pair is None:
            return
        stamp_ns = nanoseconds(msg.header.stamp)
        mask, label = plane(pair['mask']), pair['label']
        window.pictures_not_drawn += not self._work.put(
            lambda: self._compare(window, stamp_ns, mask, label)
        )

    def _compare(self, window: Window, stamp_ns: int, mask: NDArray[np.uint8], msg: Image) -> None:
        """In the background thread."""
        label = self._labels.read(msg)
        if label is not None:
            window.add_table(stamp_ns, self._score.table(mask, label), label.shape)

    def _offer_picture(self, part: str, msg: Image) -> None:
        if self._pictures is None:
            return
        found = self._pictures.offer(part, msg)
        if found is not None and self.album.wants():
            self._work.put(
                lambda: self.album.add(
                    image_from_msg(found['image']), plane(found['mask']), found.get('label')
                )
            )


def plane(msg: Image) -> NDArray[np.uint8]:
    """(H, W) uint8: the pixels of an unpadded mono8 message."""
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width)
