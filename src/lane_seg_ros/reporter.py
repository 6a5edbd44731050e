"""Reports of the node on /diagnostics and to systemd, by a timer.

So a dead pipeline is reported as well, and a dead timer is silence, which systemd understands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from lane_seg.mailbox import Drops
from lane_seg_ros.camera import Camera
from lane_seg_ros.diagnostics import NodeState, Phase, diagnostic_array, status_from_counts
from lane_seg_ros.host_health import host_health
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.metrics_server import MetricsServer
from lane_seg_ros.parameters import LaneSegParameters
from lane_seg_ros.pipeline_stats import PipelineCounts
from lane_seg_ros.watchdog import Watchdog

__all__ = ['Reporter']


class _Reported(Protocol):
    """What a report is about: the node."""

    config: LaneSegParameters
    failure: str

    @property
    def cameras(self) -> Sequence[Camera]: ...
    @property
    def model(self) -> LoadedModel | None: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def inference_alive(self) -> bool: ...
    def waiting_drops(self, camera: int) -> Drops: ...


class Reporter:
    """Publishes one status per camera each `diagnostics_period_s`, and serves it as metrics.

    It also feeds systemd's watchdog, while the inference thread lives or is not there.

    Args:
        node: that is reported about.
        about: the same, as far as reports look at it.

    Raises:
        LaneSegError: `metrics_port` is taken.
    """

    def __init__(self, node: Node, about: _Reported) -> None:
        self._node = node
        self._about = about
        self._reported = [PipelineCounts() for _ in about.cameras]
        self._reported_s = time.monotonic()
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        port = about.config.metrics_port
        self._metrics = MetricsServer(port) if port else None
        self._watchdog = Watchdog()
        complaint = self._watchdog.complaint(about.config.diagnostics_period_s)
        if complaint:
            node.get_logger().warning(complaint)
        # A steady clock, because with use_sim_time a paused simulation would silence the reports.
        node.create_timer(
            about.config.diagnostics_period_s,
            self.report,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def report(self) -> None:
        """Publish the present state."""
        now_s = time.monotonic()
        elapsed_s, self._reported_s = now_s - self._reported_s, now_s
        health = host_health()
        statuses: list[DiagnosticStatus] = []
        for number, camera in enumerate(self._about.cameras):
            counts = camera.stats.counts(self._about.waiting_drops(number))
            statuses.append(
                status_from_counts(
                    counts,
                    self._reported[number],
                    self._state(camera, now_s, health),
                    name=f'{self._node.get_fully_qualified_name().lstrip("/")}: '
                    f'{camera.name or "pipeline"}',
                    elapsed_s=elapsed_s,
                    stale_after_s=self._about.config.stale_after_s,
                )
            )
            self._reported[number] = counts
        stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(diagnostic_array(statuses, stamp=stamp))
        if self._metrics is not None:
            self._metrics.update(statuses)
        worst = max(statuses, key=lambda status: status.level)
        alive = self._about.phase != 'active' or self._about.inference_alive
        self._watchdog.report(worst.message, alive=alive)

    def close(self) -> None:
        """Stop serving metrics, and tell systemd that the node ends."""
        self._watchdog.close()
        if self._metrics is not None:
            self._metrics.close()

    def _state(self, camera: Camera, now_s: float, health: dict[str, str]) -> NodeState:
        """What is told of a camera beside its counts."""
        about = self._about
        if about.model is None:
            return NodeState('unconfigured', failure=about.failure, host=health)
        bundle, engine = about.model.bundle, about.model.engine
        topic = camera.image_topic
        return NodeState(
            about.phase,
            failure=about.failure,
            asleep=about.phase == 'active' and not camera.subscribed,
            inference_alive=about.inference_alive,
            seconds_without_image=now_s - camera.last_image_s if camera.subscribed else 0.0,
            image_topic=topic,
            image_publishers=self._node.count_publishers(topic),
            engine=engine.name,
            engine_threads=engine.threads,
            model=bundle.name,
            model_version=bundle.version,
            model_sha256=bundle.onnx_sha256,
            host=health,
        )
