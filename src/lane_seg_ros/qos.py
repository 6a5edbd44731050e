"""Quality of service of the node's topics, and what to say when two ends do not fit.

Input: best effort, volatile. A subscriber that asks for little matches every publisher, reliable
or not, and a frame that was lost is not worth waiting for: the next one is fresher.
Outputs: reliable, volatile. rviz and most Python scripts subscribe reliably by default, and a
best-effort publisher would never match them; a best-effort subscriber matches this one as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = ['image_qos', 'publisher_events', 'subscription_events']

_RELIABILITY = {
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
    'reliable': ReliabilityPolicy.RELIABLE,
}


class _IncompatibleQos(Protocol):
    """What the middleware says about a peer with which no data will flow."""

    total_count: int
    last_policy_kind: int


def image_qos(reliability: str, *, depth: int) -> QoSProfile:
    """Quality of service of an image stream.

    Args:
        reliability: 'best_effort' or 'reliable'.
        depth: messages kept per topic.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=_RELIABILITY[reliability],
        durability=DurabilityPolicy.VOLATILE,
    )


def subscription_events(
    topic: str, *, parameter: str, warn: Callable[[str], None]
) -> SubscriptionEventCallbacks:
    """Callbacks of a subscription that name the policy which keeps a publisher away.

    Args:
        topic: resolved name, for the message.
        parameter: the node's parameter that would mend it.
        warn: receives the message.
    """

    def on_incompatible(event: _IncompatibleQos) -> None:
        warn(
            f"a publisher on '{topic}' offers a {_policy(event)} that does not fit what this node "
            f'asks for: none of its messages will arrive. Start the node with '
            f'{parameter}:=best_effort, which fits every publisher'
        )

    return SubscriptionEventCallbacks(incompatible_qos=on_incompatible)


def publisher_events(
    topic: str, *, parameter: str, warn: Callable[[str], None]
) -> PublisherEventCallbacks:
    """Callbacks of a publisher that name the policy which keeps a subscriber away."""

    def on_incompatible(event: _IncompatibleQos) -> None:
        warn(
            f"a subscriber of '{topic}' asks for a {_policy(event)} that this node does not "
            f'offer: it will receive nothing. Start the node with {parameter}:=reliable, or let '
            'the subscriber ask for volatile durability and best-effort reliability'
        )

    return PublisherEventCallbacks(incompatible_qos=on_incompatible)


def _policy(event: _IncompatibleQos) -> str:
    """Name of the policy in an event, as in 'RELIABILITY policy'."""
    return f'{qos_policy_name_from_kind(event.last_policy_kind)} policy'
