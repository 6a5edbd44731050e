"""The node: camera topics in, lane mask and overlay topics out, each with its camera's header.

Threading model. Three threads, one slot per camera between the second and the third:

- The executor thread (single-threaded) runs what is not urgent: parameters, lifecycle transitions,
  timers.
- The input thread takes images and camera infos, past the executor (`input_thread` says why). It
  never touches a pixel: an image goes, as the bytes that came, into its camera's slot, where it
  replaces an older one that nobody has taken yet (counted; `max_waiting_images` lets more wait).
- The inference thread takes the waiting image of each camera in turn, reads it, runs the model,
  publishes the mask, then what else is listened to.

The last two live from activate to deactivate. So a slow engine delays no callback, and by default
a mask is never older than one frame more than it must be. What several threads touch: the
mailboxes and `PipelineStats` (each has its lock), the parameters (replaced, not edited) and a
camera's last camera info. Publishers and the model are made before the other threads start and
freed after they were joined; a model that replaces it at run time is loaded in a thread of its own
(`model_switch`) and handed over between two images.

Lifecycle: configure loads the model and opens the engine, activate subscribes and starts the
thread, deactivate and cleanup undo them. With `autostart` (the default) main() does the first two.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Sequence

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from lane_seg.bundle import ModelBundle
from lane_seg.errors import LaneSegError
from lane_seg.mailbox import Drops
from lane_seg_ros.active_work import ActiveWork
from lane_seg_ros.autostart import Autostart
from lane_seg_ros.camera import Camera
from lane_seg_ros.diagnostics import Phase
from lane_seg_ros.image_cdr import rclpy_agrees
from lane_seg_ros.label_info import LabelInfoOutput
from lane_seg_ros.lifecycle_guard import refuse_invalid_transitions
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.model_switch import ModelSwitch, Switched
from lane_seg_ros.node_main import run_node
from lane_seg_ros.parameters import LaneSegParameters, declare_parameters, updated_parameters
from lane_seg_ros.reporter import Reporter

__all__ = ['LaneSegNode', 'main']

_NODE_NAME = 'lane_seg_node'
# How often the node looks whether somebody listens (lazy), and whether it must be started again.
_LOOK_S = 0.2


class LaneSegNode(LifecycleNode):
    """Lane segmentation of cameras; see the module's docstring for threads and states.

    Attributes:
        config: the parameters as they are now.
        cameras: in the order of the parameter.
        failure: why the node could not start or deactivated itself, until it is activated again.
    """

    def __init__(self, *, parameter_overrides: Sequence[Parameter] = ()) -> None:
        super().__init__(_NODE_NAME, parameter_overrides=list(parameter_overrides))
        self.config: LaneSegParameters = declare_parameters(self)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.cameras = tuple(Camera(self, name) for name in self.config.cameras)
        self.failure = ''
        self._model: LoadedModel | None = None
        self._work: ActiveWork | None = None
        self._fast = False
        self._label_info: LabelInfoOutput | None = None
        self._switch = ModelSwitch(self, self._on_switched)
        self._failed = self.create_guard_condition(self._deactivate_after_failures)
        self._reporter = Reporter(self, self)
        self._autostart = Autostart(self, self)
        # A steady clock, because with use_sim_time a paused simulation would silence it.
        self.create_timer(
            _LOOK_S, self._look_around, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        refuse_invalid_transitions(self, lambda: self.phase)

    @property
    def model(self) -> LoadedModel | None:
        """The model that runs, or would when activated."""
        return self._model if self._work is None else self._work.model

    @property
    def phase(self) -> Phase:
        """The state of the lifecycle, as far as this node has it."""
        if self._model is None:
            return 'unconfigured'
        return 'inactive' if self._work is None else 'active'

    @property
    def inference_alive(self) -> bool:
        """Whether the inference thread runs, and does not hang."""
        return self._work is not None and self._work.alive

    def waiting_drops(self, camera: int) -> Drops:
        """What was dropped of a camera since the node was activated."""
        return Drops() if self._work is None else self._work.drops(camera)

    def start(self) -> bool:
        """Configure and activate; False (and the reason in the log) where either fails."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def start_by_itself(self) -> bool:
        """Start, and see to it that the node is started again where `autostart_retry_s` says so.

        Returns:
            False where the start failed and is not to be tried again.
        """
        return self._autostart.begin()

    def destroy_node(self) -> None:
        """Stop the threads and free the engine before the ROS handles go."""
        self._stop_work()
        self._release_model()
        self._reporter.close()
        super().destroy_node()

    # Lifecycle. rclpy swallows exceptions of these callbacks without a word: none may escape.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, open the engine, create the publishers."""
        try:
            self._load_model()
        except LaneSegError as error:
            self.failure = f'cannot configure: {error}'
            self.get_logger().error(self.failure)
        except Exception as error:
            self.failure = f'cannot configure: {error!r}'
            self._log_traceback('configure')
        else:
            self.failure = ''
            return TransitionCallbackReturn.SUCCESS
        self._release_model()
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the inference thread and subscribe."""
        try:
            self._start_work()
        except Exception as error:
            self.failure = f'cannot activate: {error!r}'
            self._log_traceback('activate')
            self._stop_work()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the inference thread."""
        return self._success_if(self._stop_work())

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the engine and the publishers."""
        self._release_model()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, from any state."""
        stopped = self._stop_work()
        self._release_model()
        return self._success_if(stopped)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node is unconfigured again and can be configured anew."""
        self._stop_work()
        self._release_model()
        return TransitionCallbackReturn.SUCCESS

    def _log_traceback(self, transition: str) -> None:
        """Log an exception that nobody foresaw, unless it comes from a signal at that moment."""
        if self.context.ok():
            self.get_logger().error(f'cannot {transition}:\n{traceback.format_exc()}')

    @staticmethod
    def _success_if(stopped: bool) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS if stopped else TransitionCallbackReturn.ERROR

    def _load_model(self) -> None:
        """Load the model and create all publishers."""
        self._model = LoadedModel.load(self.config.model, self.config)
        self._fast = self.config.fast_path and rclpy_agrees()
        if self.config.fast_path and not self._fast:
            self.get_logger().warning(
                'this middleware does not write images as plain CDR: messages are made and read '
                'as objects, which takes longer (fast_path:=false silences this)'
            )
        for camera in self.cameras:
            camera.open_outputs(self.config, fast=self._fast)
        topics = tuple(camera.output_name('~/label_info') for camera in self.cameras)
        self._label_info = LabelInfoOutput(self, topics)
        self._label_info.publish(self._model.bundle)
        self.get_logger().info(str(self._model))

    def _release_model(self) -> None:
        """Free what configure made."""
        self._switch.cancel()
        model, self._model = self._model, None
        # An engine must not be closed under a thread that hangs in it.
        if model is not None and self._work is None:
            model.close()
        if self._label_info is not None:
            self._label_info.close()
        for camera in self.cameras:
            camera.close_outputs()

    def _start_work(self) -> None:
        """Start the threads and let images in."""
        assert self._model is not None  # only reached if configured
        self.failure = ''
        self._work = ActiveWork(
            self._model,
            self.cameras,
            self,
            node=self,
            fast=self._fast,
            on_failures=self._note_failures,
        )
        for camera in self.cameras:
            assert camera.outputs is not None
            outputs = camera.outputs
            self.get_logger().info(
                f'{camera.image_topic} -> {outputs.mask.publisher.topic_name}, '
                f'{outputs.overlay.publisher.topic_name}'
            )

    def _stop_work(self) -> bool:
        """Undo `_start_work`; False where the inference thread hangs."""
        work = self._work
        if work is None:
            return True
        if not work.stop():
            self.get_logger().error('the inference thread hangs in the engine: restart the node')
            return False
        self._model = work.model
        self._work = None
        return True

    # Callbacks of the executor thread.

    def _look_around(self) -> None:
        if self._work is not None:
            self._work.look_around()
        self._autostart.look()

    def _note_failures(self, reason: str) -> None:
        """Called by the inference thread when the engine fails again and again."""
        self.failure = reason
        self._failed.trigger()

    def _deactivate_after_failures(self) -> None:
        if self._work is None or not self.failure:
            return
        self.get_logger().error(
            f'{self.failure}: the node deactivates itself; mend the cause, then: '
            f'ros2 lifecycle set {self.get_fully_qualified_name()} activate'
        )
        self.trigger_deactivate()
        self._reporter.report()

    def _on_switched(self, switched: Switched) -> None:
        """A model was loaded while another runs, or could not be."""
        running = self.model
        if switched.model is None or running is None:
            self.get_logger().error(
                f'model {switched.name} cannot be loaded, the one before it goes on: '
                f'{switched.error}'
            )
            if running is not None:
                self.set_parameters([Parameter('model', value=str(running.bundle.directory))])
            return
        if self._label_info is not None:
            self._label_info.publish(switched.model.bundle)
        if self._work is not None:
            self._work.replace_model(switched.model)
        else:
            running.close()
            self._model = switched.model

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            config = updated_parameters(self.config, changes, configured=self._model is not None)
            running = self.model
            if running is not None and config.model != self.config.model:
                # What is wrong with the files can be said at once; the engine takes its time.
                bundle = ModelBundle.load(config.model)
                if bundle.onnx_sha256 != running.bundle.onnx_sha256:
                    self._switch.load(config.model, config)
            self.config = config
        except (LaneSegError, ValueError) as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    Returns:
        Exit code: 0 after a signal, 1 where the node could not start (the log says why).
    """
    return run_node(_NODE_NAME, LaneSegNode, _serve, args=args)


def _serve(node: LaneSegNode, interrupted: threading.Event) -> int:
    if not node.start_by_itself():
        return 0 if interrupted.is_set() else 1
    if not interrupted.is_set():  # one before rclpy.init went by unseen
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    return 0


if __name__ == '__main__':
    sys.exit(main())
