"""Starts the node by itself, and again where a vehicle needs that.

With `autostart_retry_s` 0 a start that fails ends the process, and a node that the engine has
stopped waits for somebody to activate it: right for a desk. In a vehicle there is nobody. There
the node stays, says ERROR with the reason on /diagnostics, and tries again; what only a new
process can mend (an engine that hangs, or fails again and again: CUDA errors stay until the
process ends) ends it with exit code 1, for systemd, `ros2 launch` or a container to restart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from rclpy.node import Node

from lane_seg.errors import LaneSegError
from lane_seg.mailbox import Drops
from lane_seg_ros.camera import Camera
from lane_seg_ros.diagnostics import Phase
from lane_seg_ros.parameters import LaneSegParameters

__all__ = ['Autostart']

# After so many restarts of the engine without one mask, the process itself is given up.
_MAX_RECOVERIES = 3


class _Startable(Protocol):
    """What is started: the node."""

    config: LaneSegParameters
    failure: str

    @property
    def cameras(self) -> Sequence[Camera]: ...
    @property
    def phase(self) -> Phase: ...
    @property
    def inference_alive(self) -> bool: ...
    def start(self) -> bool: ...
    def trigger_cleanup(self) -> object: ...


class Autostart:
    """Starts a node at once, and then whenever it has failed; see the module's docstring.

    A node that somebody has deactivated on purpose is left alone: it has no failure.

    Args:
        node: for its log.
        startable: the same, as far as it is started.
    """

    def __init__(self, node: Node, startable: _Startable) -> None:
        self._node = node
        self._startable = startable
        self._retry_s: float | None = None  # when, of time.monotonic()
        self._recoveries = 0
        self._masks_before = 0

    def begin(self) -> bool:
        """Start the node; False where that failed and it is not to be tried again."""
        config = self._startable.config
        return not config.autostart or self._startable.start() or config.autostart_retry_s > 0

    def look(self) -> None:
        """Find out whether the node must be started again, and whether it is time to.

        To be called a few times a second, by a steady clock: the system's own may jump by years
        after a power cut.

        Raises:
            LaneSegError: only a new process can help.
        """
        node, config = self._startable, self._startable.config
        wait_s = config.autostart_retry_s
        if not config.autostart or not wait_s:
            return
        if node.phase == 'active':
            self._look_at_running()
        elif not node.failure:
            self._retry_s = None
        elif self._retry_s is None:
            self._retry_s = time.monotonic() + wait_s
            self._node.get_logger().warning(
                f'trying again in {wait_s:g} s (autostart_retry_s): {node.failure}'
            )
        elif time.monotonic() >= self._retry_s:
            self._retry_s = None
            self._start_again()

    def _look_at_running(self) -> None:
        if not self._startable.inference_alive:
            raise LaneSegError(
                'the inference thread has ended or hangs in the engine: the process ends, so '
                'that whoever watches it starts a new one'
            )
        if self._recoveries and self._masks() > self._masks_before:
            self._recoveries = 0

    def _start_again(self) -> None:
        node = self._startable
        if node.phase == 'inactive' or self._recoveries:
            # It ran before, so the engine is to blame and not a file that may still come.
            if self._recoveries >= _MAX_RECOVERIES:
                raise LaneSegError(
                    f'the engine was restarted {self._recoveries} times and gave no mask: the '
                    'process ends, so that whoever watches it starts a new one; the last '
                    f'reason: {node.failure}'
                )
            self._recoveries += 1
            self._masks_before = self._masks()
        if node.phase == 'inactive':
            node.trigger_cleanup()
        if node.start():
            self._node.get_logger().info('started again')

    def _masks(self) -> int:
        """Masks published so far, of all cameras."""
        return sum(
            camera.stats.counts(Drops()).masks_published for camera in self._startable.cameras
        )
