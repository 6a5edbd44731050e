"""The main function of our nodes: signals, middleware, errors in plain words, a clean end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

import cv2
import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node

from lane_seg.errors import LaneSegError
from lane_seg.leave_process import leave_process
from lane_seg_ros.middleware import prepare_middleware

__all__ = ['INFERENCE_THREAD', 'run_node']

_Node = TypeVar('_Node', bound=Node)

INFERENCE_THREAD = 'inference'
"""Name of the thread that may hang in an engine."""

_SWITCH_INTERVAL_S = 1e-4


def run_node(
    name: str,
    create: Callable[[], _Node],
    serve: Callable[[_Node, threading.Event], int],
    *,
    args: list[str] | None,
) -> int:
    """Run a node until it ends by itself, or SIGINT or SIGTERM.

    Args:
        name: of the node, for its log before it exists.
        create: makes the node.
        serve: does its work and returns the exit code. The event tells it of a signal that came
            before rclpy could see it; later ones end any `spin` by themselves.
        args: ROS arguments; None takes those of the process.

    Returns:
        Exit code: that of `serve`, 0 after a signal, 1 where the log says why.
    """
    code = _run_node(name, create, serve, args=args)
    if any(thread.name == INFERENCE_THREAD for thread in threading.enumerate()):
        leave_process(code)  # it hangs in the engine
    return code


def _run_node(
    name: str,
    create: Callable[[], _Node],
    serve: Callable[[_Node, threading.Event], int],
    *,
    args: list[str] | None,
) -> int:
    # rclpy shuts its context down on both signals, which ends `spin`, and then calls the handler
    # that was there before. Python's own would raise KeyboardInterrupt at any place: while an
    # engine is imported, or in the clean-up, since a terminal and `ros2 launch` both send SIGINT.
    interrupted = threading.Event()
    _handle_signals(lambda *_: interrupted.set())
    notes = prepare_middleware()
    # The cores are for the engine's threads. OpenCV's own pool would be woken for operations of
    # less than a millisecond, and compete with them.
    cv2.setNumThreads(1)
    # By default a thread may have to wait 5 ms for the interpreter: an image would lie in its
    # mailbox while the executor does its own housekeeping.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    node: _Node | None = None
    try:
        rclpy.init(args=args)
        node = create()
        for note in notes:
            node.get_logger().info(note)
        return serve(node, interrupted)
    except ExternalShutdownException:
        return 0
    except LaneSegError as error:
        get_logger(name).error(str(error))
        return 1
    except (ParameterException, ValueError) as error:
        get_logger(name).error(f'cannot start: {error}')
        return 1
    except RuntimeError as error:  # RCLError
        if interrupted.is_set():  # of a call that was under way when the signal came
            return 0
        if node is not None or os.environ.get('ROS_SECURITY_ENABLE') != 'true':
            raise
        get_logger(name).error(f'cannot start secured (see docs/security.md): {error}')
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        # Python puts the deadly default back in place of any other handler before it ends.
        _handle_signals(signal.SIG_IGN)


def _handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
