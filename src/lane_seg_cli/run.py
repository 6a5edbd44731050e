"""`lane-seg run`: starts the ROS 2 node; its arguments are those of ROS."""

from __future__ import annotations

from lane_seg_cli.errors import UsageError

__all__ = ['DESCRIPTION', 'EPILOG', 'USAGE', 'run']

USAGE = 'lane-seg run [--ros-args ROS_ARGUMENT ...]'
DESCRIPTION = (
    'Start lane_seg_node: it subscribes `image` and publishes ~/mask, ~/overlay, ~/camera_info '
    'and /diagnostics. Everything that follows `run` goes to ROS 2. Stop it with Ctrl-C.'
)
EPILOG = """examples:
  lane-seg run
  lane-seg run --ros-args -r image:=/camera/image_raw
  lane-seg run --ros-args -p model:=path/to/bundle -p engine:=onnxruntime -p threads:=2
  lane-seg run --ros-args --params-file camera.yaml

The same node as a ROS executable: ros2 run lane_seg_ros lane_seg_node
Its parameters, with explanations, while it runs: ros2 param describe /lane_seg_node model"""

ROS_ARGUMENTS = '--ros-args'


def run(arguments: list[str]) -> int:
    """Run the node until SIGINT or SIGTERM.

    Args:
        arguments: empty, or '--ros-args' and what follows it.

    Returns:
        Exit code of the node.

    Raises:
        UsageError: ROS would ignore or refuse the arguments.
        LaneSegError: there is no ROS 2.
    """
    if arguments and arguments[0] != ROS_ARGUMENTS:
        # ROS ignores whatever stands before this word, and the user would never know.
        raise UsageError(
            f'expected {ROS_ARGUMENTS} after `lane-seg run`, found {arguments[0]!r}; parameters '
            f'are set like this: lane-seg run {ROS_ARGUMENTS} -p model:=default'
        )
    from lane_seg_ros.ros_installation import require_ros

    require_ros()
    from lane_seg_ros.lane_seg_node import main

    try:
        return main(arguments)
    except RuntimeError as error:
        if _is_refusal(error):
            raise UsageError(f'ROS 2 does not accept {" ".join(arguments)}: {error}') from error
        raise


def _is_refusal(error: RuntimeError) -> bool:
    """Whether rclpy refused its arguments; the classes are private in some distributions."""
    return type(error).__name__ in (
        'RCLInvalidROSArgsError', 'UnknownROSArgsError'
    ) or 'failed to initialize rcl' in str(error)  # fmt: skip
