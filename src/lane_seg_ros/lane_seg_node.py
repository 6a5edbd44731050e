"""The node: a camera topic in, lane mask and overlay topics out, each with the camera's header.

Threading model. Two threads, one slot between them:

- The executor thread (single-threaded) runs every ROS callback: images, camera info, parameters,
  lifecycle transitions, the diagnostics timer. It never touches a pixel: an image goes into the
  mailbox, where it replaces an older one that nobody has taken yet (counted as a drop).
- The inference thread lives from activate to deactivate. It takes the newest image, converts it,
  runs the pipeline, and publishes the mask, then the camera info, then the overlay.

So a slow engine delays no callback, and a mask is never older than one frame more than it must be.
What both threads touch: the mailbox and `PipelineStats` (each has its lock) and `Settings` (whose
values are replaced, not edited). Publishers and the pipeline are made before the inference thread
starts and freed after it was joined.

Lifecycle: configure loads the model and opens the engine, activate subscribes and starts the
thread, deactivate and cleanup undo them. With `autostart` (the default) main() does the first two.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.service import Service
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.bundle import ModelBundle
from lane_seg.engines import Engine, EngineName, open_engine
from lane_seg.errors import LaneSegError
from lane_seg.pipeline import LanePipeline
from lane_seg_ros.diagnostics import (
    NodeState,
    PipelineCounts,
    PipelineStats,
    diagnostic_array,
    status_from_counts,
)
from lane_seg_ros.inference_thread import InferenceThread, Outputs, Settings
from lane_seg_ros.node_main import run_node
from lane_seg_ros.parameters import LaneSegParameters, declare_parameters, updated_parameters
from lane_seg_ros.qos import image_qos, publisher_events, subscription_events

__all__ = ['LaneSegNode', 'main']

_NODE_NAME = 'lane_seg_node'


@dataclass(frozen=True)
class _Model:
    """What configure loads."""

    bundle: ModelBundle
    engine: Engine
    pipeline: LanePipeline


class LaneSegNode(LifecycleNode):
    """Lane segmentation of one camera; see the module's docstring for threads and states."""

    def __init__(self, *, parameter_overrides: Sequence[Parameter] = ()) -> None:
        super().__init__(_NODE_NAME, parameter_overrides=list(parameter_overrides))
        self._settings = Settings(declare_parameters(self))
        self.add_on_set_parameters_callback(self._on_set_parameters)

        self._model: _Model | None = None
        self._outputs: Outputs | None = None
        self._thread: InferenceThread | None = None
        self._inputs: tuple[Subscription, ...] = ()

        self._stats = PipelineStats()
        self._last_image_s = time.monotonic()
        self._dropped_by_past_threads = 0
        self._reported = PipelineCounts()
        self._reported_s = time.monotonic()
        self._diagnostics_out = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # A steady clock, because with use_sim_time a paused simulation would silence the reports.
        self._diagnostics_timer = self.create_timer(
            self.config.diagnostics_period_s,
            self._report,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        for service in self.services:
            if service.srv_type is ChangeState:
                self._refuse_invalid_transitions(service)

    @property
    def config(self) -> LaneSegParameters:
        """The parameters as they are now."""
        return self._settings.config

    def start(self) -> bool:
        """Configure and activate; False (and the reason in the log) where either fails."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def destroy_node(self) -> None:
        """Stop the thread and free the engine before the ROS handles go."""
        self._stop_thread()
        self._release_model()
        super().destroy_node()

    # Lifecycle. rclpy swallows exceptions of these callbacks without a word: none may escape.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, open the engine, create the publishers."""
        try:
            self._load_model()
        except LaneSegError as error:
            self.get_logger().error(f'cannot configure: {error}')
        except Exception:
            self._log_traceback('configure')
        else:
            return TransitionCallbackReturn.SUCCESS
        self._release_model()
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the inference thread and subscribe."""
        try:
            self._start_thread()
        except Exception:
            self._log_traceback('activate')
            self._stop_thread()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the inference thread."""
        return self._success_if(self._stop_thread())

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine and the publishers."""
        self._release_model()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        stopped = self._stop_thread()
        self._release_model()
        return self._success_if(stopped)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node is unconfigured again and can be configured anew."""
        self._stop_thread()
        self._release_model()
        return TransitionCallbackReturn.SUCCESS

    def _log_traceback(self, transition: str) -> None:
        """Log an exception that nobody foresaw, unless it comes from a signal at that moment."""
        if self.context.ok():
            self.get_logger().error(f'cannot {transition}:\n{traceback.format_exc()}')

    @staticmethod
    def _success_if(stopped: bool) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS if stopped else TransitionCallbackReturn.ERROR

    def _refuse_invalid_transitions(self, service: Service) -> None:
        """Answer a transition that the present state does not have with 'no'.

        rclpy lets the state machine's exception out of the service callback, through the executor,
        and so ends the whole process because somebody asked for `activate` twice.
        """
        change_state = service.callback

        def answer(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # RCLError is one, and has no public name
                self.get_logger().warning(
                    f'transition {request.transition.label or request.transition.id} refused, '
                    f'the node is {self._state(time.monotonic()).phase}: {error}'
                )
                response.success = False
                return response

        service.callback = answer

    def _load_model(self) -> None:
        """Fill `_model` and `_outputs`."""
        config = self.config
        bundle = ModelBundle.load(config.model)
        name = cast('EngineName', config.engine)  # one of the parameter's choices
        engine = open_engine(bundle, engine=name, threads=config.threads)
        pipeline = LanePipeline(bundle, engine, alpha=config.overlay_alpha)
        self._model = _Model(bundle, engine, pipeline)
        # The first inference allocates; let it be on nobody's frame.
        pipeline.process(np.zeros((bundle.height, bundle.width, 3), dtype=np.uint8))

        self._outputs = Outputs(
            mask=self._create_output(Image, '~/mask'),
            overlay=self._create_output(Image, '~/overlay'),
            camera_info=self._create_output(CameraInfo, '~/camera_info'),
        )
        self.get_logger().info(
            f'model {bundle.name} {bundle.version} ({bundle.height} x {bundle.width}, '
            f'sha256 {bundle.onnx_sha256[:12]}) runs on {engine.name}, threads: {engine.threads}'
        )

    def _release_model(self) -> None:
        """Free what configure made."""
        model, self._model = self._model, None
        outputs, self._outputs = self._outputs, None
        # An engine must not be closed under a thread that hangs in it.
        if model is not None and self._thread is None:
            model.engine.close()
        if outputs is not None:
            for publisher in (outputs.mask, outputs.overlay, outputs.camera_info):
                self.destroy_publisher(publisher)

    def _start_thread(self) -> None:
        """Start the inference thread, then let images in."""
        assert self._model is not None and self._outputs is not None  # only reached if configured
        self._settings.camera_info = None
        self._last_image_s = time.monotonic()
        self._thread = InferenceThread(
            self._model.pipeline, self._outputs, self._settings, self._stats, node=self
        )
        self._inputs = (
            self._create_input(Image, 'image', self._on_image),
            self._create_input(CameraInfo, 'camera_info', self._on_camera_info),
        )
        self.get_logger().info(
            f'{self._inputs[0].topic_name} -> {self._outputs.mask.topic_name}, '
            f'{self._outputs.overlay.topic_name}'
        )

    def _stop_thread(self) -> bool:
        """Undo `_start_thread`, however far it came; False where the thread hangs."""
        inputs, self._inputs = self._inputs, ()
        for subscription in inputs:
            self.destroy_subscription(subscription)
        if self._thread is None:
            return True
        if not self._thread.stop():
            self.get_logger().error('the inference thread hangs in the engine: restart the node')
            return False
        self._dropped_by_past_threads += self._thread.dropped
        self._thread = None
        return True

    def _create_output(self, msg_type: type[Image] | type[CameraInfo], topic: str) -> Publisher:
        events = publisher_events(
            self.resolve_topic_name(topic),
            parameter='output_reliability',
            warn=self.get_logger().warning,
        )
        qos = image_qos(self.config.output_reliability, depth=self.config.queue_depth)
        return self.create_publisher(msg_type, topic, qos, event_callbacks=events)

    def _create_input(
        self,
        msg_type: type[Image] | type[CameraInfo],
        topic: str,
        callback: Callable[[Image], None] | Callable[[CameraInfo], None],
    ) -> Subscription:
        events = subscription_events(
            self.resolve_topic_name(topic),
            parameter='input_reliability',
            warn=self.get_logger().warning,
        )
        qos = image_qos(self.config.input_reliability, depth=self.config.queue_depth)
        return self.create_subscription(msg_type, topic, callback, qos, event_callbacks=events)

    # Callbacks of the executor thread.

    def _on_image(self, msg: Image) -> None:
        self._last_image_s = time.monotonic()
        self._stats.count_frame()
        if self._thread is not None:
            self._thread.put(msg)

    def _on_camera_info(self, msg: CameraInfo) -> None:
        self._settings.camera_info = msg

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            self._settings.config = updated_parameters(
                self.config, changes, configured=self._model is not None
            )
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _report(self) -> None:
        """Publish the state of the pipeline on /diagnostics."""
        now_s = time.monotonic()
        dropped = 0 if self._thread is None else self._thread.dropped
        counts = self._stats.counts(frames_dropped=self._dropped_by_past_threads + dropped)
        status = status_from_counts(
            counts,
            self._reported,
            self._state(now_s),
            name=f'{self.get_fully_qualified_name().lstrip("/")}: pipeline',
            elapsed_s=now_s - self._reported_s,
            stale_after_s=self.config.stale_after_s,
        )
        self._reported, self._reported_s = counts, now_s
        stamp = self.get_clock().now().to_msg()
        self._diagnostics_out.publish(diagnostic_array(status, stamp=stamp))

    def _state(self, now_s: float) -> NodeState:
        """What diagnostics tell beside the counts."""
        if self._model is None:
            return NodeState('unconfigured')
        topic = self.resolve_topic_name('image')
        return NodeState(
            'inactive' if self._thread is None else 'active',
            inference_alive=self._thread is not None and self._thread.alive,
            seconds_without_image=0.0 if self._thread is None else now_s - self._last_image_s,
            image_topic=topic,
            image_publishers=self.count_publishers(topic),
            engine=self._model.engine.name,
            engine_threads=self._model.engine.threads,
            model=self._model.bundle.name,
            model_version=self._model.bundle.version,
            model_sha256=self._model.bundle.onnx_sha256,
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    Returns:
        Exit code: 0 after a signal, 1 where the node could not start (the log says why).
    """
    return run_node(_NODE_NAME, LaneSegNode, _serve, args=args)


def _serve(node: LaneSegNode, interrupted: threading.Event) -> int:
    if node.config.autostart and not node.start():
        return 0 if interrupted.is_set() else 1
    if not interrupted.is_set():  # one before rclpy.init went by unseen
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    return 0


if __name__ == '__main__':
    sys.exit(main())
