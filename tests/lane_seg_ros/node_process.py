"""A lane_seg_node in a process of its own, and a client that talks to it over real topics."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rclpy.subscription import Subscription

# Only a dead node needs as long as this; a loaded machine may need a good part of it.
PATIENCE_S = 30.0
DIAGNOSTICS_PERIOD_S = 0.2
READY = '/lane_seg_node/mask'


class NodeProcess:
    """The node under test.

    Args:
        log: file that takes its output.
        parameters: set on the command line.
    """

    def __init__(self, log: Path, **parameters: bool | int | float | str | list[str]) -> None:
        arguments = ['--ros-args']
        for name, value in {'diagnostics_period_s': DIAGNOSTICS_PERIOD_S, **parameters}.items():
            text = json.dumps(value) if isinstance(value, bool | list) else str(value)
            arguments += ['-p', f'{name}:={text}']
        self._log = log
        with log.open('wb') as output:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'lane_seg_ros.lane_seg_node', *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
            )

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors='replace')

    def wait_for_log(self, text: str) -> None:
        """Wait until it has said this."""
        end_s = time.monotonic() + PATIENCE_S
        while text not in self.log:
            assert time.monotonic() < end_s, f'{text!r} was never logged:\n{self.log}'
            assert self.process.poll() is None, f'the node has ended:\n{self.log}'
            time.sleep(0.02)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(PATIENCE_S)

    def stop(self, *signals: signal.Signals) -> int:
        """Send signals (SIGTERM if none is given) and return the exit code."""
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
            time.sleep(0.01)
        return self.wait()


@contextlib.contextmanager
def running_node(
    log: Path, **parameters: bool | int | float | str | list[str]
) -> Iterator[NodeProcess]:
    """A node that is killed at the end if nothing else has ended it."""
    node = NodeProcess(log, **parameters)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            try:
                node.stop()
            except subprocess.TimeoutExpired:
                node.process.kill()
                node.process.wait()


@dataclass
class Received:
    """What has arrived so far."""

    masks: list[Image] = field(default_factory=list)
    overlays: list[Image] = field(default_factory=list)
    camera_infos: list[CameraInfo] = field(default_factory=list)
    statuses: list[DiagnosticStatus] = field(default_factory=list)


class Client:
    """The camera and the audience of one node, on a context of its own; close it at the end."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('client', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.received = Received()
        self.images = self.node.create_publisher(Image, 'image', 10)
        self.infos = self.node.create_publisher(CameraInfo, 'camera_info', 10)
        reliable = QoSProfile(depth=400, reliability=ReliabilityPolicy.RELIABLE)
        self.subscriptions = (
            self.node.create_subscription(Image, READY, self.received.masks.append, reliable),
            self.node.create_subscription(
                CameraInfo,
                'lane_seg_node/camera_info',
                self.received.camera_infos.append,
                reliable,
            ),
        )
        self.node.create_subscription(
            DiagnosticArray,
            '/diagnostics',
            self._take_diagnostics,
            reliable,
        )

    def close(self) -> None:
        """End this participant."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def watch_overlays(self) -> Subscription:
        """Become somebody who listens to the overlay."""
        return self.node.create_subscription(
            Image, 'lane_seg_node/overlay', self.received.overlays.append, 10
        )

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Serve callbacks until the condition holds."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, f'never happened: {what}'
            self.executor.spin_once(timeout_sec=0.05)

    def mask_of(self, msg: Image) -> Image:
        """The mask with the stamp of an image; sent again until both ends have found each other.

        A mask that was asked for twice may come twice: the caller gets one of them.
        """
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            self.images.publish(msg)
            next_s = time.monotonic() + 0.3
            while time.monotonic() < next_s:
                self.executor.spin_once(timeout_sec=0.05)
                for mask in self.received.masks:
                    if mask.header == msg.header:
                        return mask
        raise AssertionError(f'no mask of {msg.width} x {msg.height} {msg.encoding} ever came')

    def status_where(self, condition: Callable[[dict[str, str]], bool]) -> DiagnosticStatus:
        """The first status from now on whose values fulfil the condition."""
        self.received.statuses.clear()
        found: list[DiagnosticStatus] = []

        def look() -> bool:
            found.extend(s for s in self.received.statuses if condition(values_of(s)))
            self.received.statuses.clear()
            return bool(found)

        self.wait_until(look, 'a status that fulfils the condition')
        return found[0]

    def change_state(self, transition: int) -> bool:
        """Ask for a lifecycle transition; whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = cast('ChangeState.Response', self._call(ChangeState, 'change_state', request))
        return bool(answer.success)

    def state(self) -> str:
        """The node's lifecycle state."""
        answer = self._call(GetState, 'get_state', GetState.Request())
        return str(cast('GetState.Response', answer).current_state.label)

    def set_parameter(self, name: str, value: bool | int | float | str) -> SetParametersResult:
        """Set a parameter through the node's service."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        answer = self._call(SetParameters, 'set_parameters', request)
        return cast('SetParameters.Response', answer).results[0]

    def parameter(self, name: str) -> object:
        """Get a parameter through the node's service."""
        request = GetParameters.Request(names=[name])
        answer = self._call(GetParameters, 'get_parameters', request)
        return parameter_value_to_python(cast('GetParameters.Response', answer).values[0])

    def _take_diagnostics(self, msg: DiagnosticArray) -> None:
        self.received.statuses.extend(msg.status)

    def _call(self, kind: type, name: str, request: object) -> object:
        client = self.node.create_client(kind, f'lane_seg_node/{name}')
        try:
            self.wait_until(client.service_is_ready, f'the service {name}')
            future = client.call_async(request)
            self.wait_until(future.done, f'an answer of the service {name}')
            return future.result()
        finally:
            self.node.destroy_client(client)


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """The key-values of a status."""
    return {item.key: item.value for item in status.values}


def road_msg(
    number: int = 0, *, height: int = 48, width: int = 64, frame_id: str = 'camera'
) -> Image:
    """An image of three bands, one per class of the tiny bundle: dark, grey, bright."""
    band = width // 3
    row = bytes(level for x in range(width) for level in [(20, 100, 250)[min(x // band, 2)]] * 3)
    return Image(
        header=Header(stamp=Time(sec=1000 + number, nanosec=number), frame_id=frame_id),
        height=height,
        width=width,
        encoding='bgr8',
        step=3 * width,
        data=array('B', row * height),
    )


def dark_msg(number: int) -> Image:
    """Return an image of the same size that is black."""
    msg = road_msg(number)
    msg.data = bytes(len(msg.data))
    return msg
