"""Write the SROS 2 policy of a node: python -m lane_seg_ros.security FILE [--ros-args ...].

The node is created with the arguments that it will run with, in a participant of its own that
looks for nobody; no model is loaded, nothing is published.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg_ros.camera_node import CameraNode
from lane_seg_ros.lane_seg_node import LaneSegNode
from lane_seg_ros.security.policy import policy_of

_LOGGER = 'security'


def main(arguments: list[str] | None = None) -> int:
    """Write the policy; arguments as in `--help`.

    Returns:
        Exit code: 0, or 1 where the log says why.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        args = _parser().parse_args(remove_ros_args(words))
    except RuntimeError as error:  # RCLInvalidROSArgsError
        get_logger(_LOGGER).error(str(error))
        return 1
    # Before there are keys, a secured process could not start; and this one needs no company.
    os.environ.pop('ROS_SECURITY_ENABLE', None)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'OFF'
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ['ROS_LOCALHOST_ONLY'] = '1'
    rclpy.init(args=words)
    try:
        write_text(args.file, _NODES[args.node](args.enclave))
    except (LaneSegError, OSError, ParameterException, ValueError) as error:
        get_logger(_LOGGER).error(f'no policy written: {error}')
        return 1
    finally:
        rclpy.try_shutdown()
    get_logger(_LOGGER).info(f'policy of {args.node} for its enclave: {args.file}')
    return 0


def _lane_seg_policy(enclave: str) -> str:
    """The policy of lane_seg_node as it is while it is active."""
    # A running node may have that port.
    node = LaneSegNode(parameter_overrides=[Parameter('metrics_port', value=0)])
    try:
        for camera in node.cameras:
            camera.open_outputs(node.config, fast=False)
            camera.subscribe(node.config, lambda _: None, fast=False, input_thread=None)
        # Published where vision_msgs is installed, which may not be this machine.
        label_info = [
            str(node.resolve_topic_name(camera.output_name('~/label_info')))
            for camera in node.cameras
        ]
        return policy_of(node, enclave=enclave or _own(node), also_published=label_info)
    finally:
        node.destroy_node()


def _camera_policy(enclave: str) -> str:
    """The policy of camera_player."""
    node = CameraNode({})
    try:
        return policy_of(node, enclave=enclave or _own(node))
    finally:
        node.destroy_node()


def _own(node: Node) -> str:
    """The name of the node, for the enclave as well."""
    return str(node.get_fully_qualified_name())


_NODES: dict[str, Callable[[str], str]] = {
    'lane_seg_node': _lane_seg_policy,
    'camera_player': _camera_policy,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m lane_seg_ros.security',
        description='Write an SROS 2 policy that allows a node exactly what it has.',
        epilog='After --ros-args: the names, remappings and parameters that the node will get.',
    )
    parser.add_argument('file', type=Path, help='policy to write, XML')
    parser.add_argument(
        '--node', choices=tuple(_NODES), default='lane_seg_node', help='(default: lane_seg_node)'
    )
    parser.add_argument(
        '--enclave', default='', metavar='/NAME', help="(default: the node's own name)"
    )
    return parser


if __name__ == '__main__':
    sys.exit(main())
