"""Keeps an invalid lifecycle transition from ending the node."""

from __future__ import annotations

from collections.abc import Callable

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode
from rclpy.service import Service

__all__ = ['refuse_invalid_transitions']


def refuse_invalid_transitions(node: LifecycleNode, phase: Callable[[], str]) -> None:
    """Answer a transition that the present state does not have with 'no'.

    rclpy lets the state machine's exception out of the service callback, through the executor, and
    so ends the whole process because somebody asked for `activate` twice.

    Args:
        node: whose service it is.
        phase: tells the present state, for the log.
    """
    for service in node.services:
        if service.srv_type is ChangeState:
            _guard(service, node, phase)


def _guard(service: Service, node: LifecycleNode, phase: Callable[[], str]) -> None:
    change_state = service.callback

    def answer(
        request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            return change_state(request, response)
        except RuntimeError as error:  # RCLError is one, and has no public name
            node.get_logger().warning(
                f'transition {request.transition.label or request.transition.id} refused, '
                f'the node is {phase()}: {error}'
            )
            response.success = False
            return response

    service.callback = answer
