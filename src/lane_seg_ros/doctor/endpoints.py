"""Publishers and subscribers as rclpy tells them, and profiles that match any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from lane_seg_ros.doctor.fastdds import Segment, process_of
from lane_seg_ros.doctor.observations import Endpoint

if TYPE_CHECKING:
    from rclpy.topic_endpoint_info import TopicEndpointInfo

__all__ = [
    'QUEUE_DEPTH',
    'endpoint_of',
    'gid_of',
    'kept_qos',
    'node_name_of',
    'qos_for',
    'undemanding_qos',
]

# Enough that no image waits for us in vain while another one is looked at.
QUEUE_DEPTH = 20
_UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'


def endpoint_of(info: TopicEndpointInfo, own_gid: bytes, segments: Sequence[Segment]) -> Endpoint:
    """An endpoint with the process behind it, where that can be found out."""
    gid = gid_of(info)
    return Endpoint(
        node=node_name_of(info),
        gid=gid,
        reliability=info.qos_profile.reliability.name.lower(),
        durability=info.qos_profile.durability.name.lower(),
        process=process_of(gid, own_gid=own_gid, segments=segments),
    )


def node_name_of(info: TopicEndpointInfo) -> str:
    """Full name; '' where the middleware has heard of the endpoint, but not of its node."""
    if info.node_name == _UNKNOWN_NODE:
        return ''
    return f'{info.node_namespace.rstrip("/")}/{info.node_name}'


def gid_of(info: TopicEndpointInfo) -> bytes:
    """Identity of an endpoint: 16 bytes, 24 before Jazzy."""
    return bytes(info.endpoint_gid)


def undemanding_qos(*, depth: int = QUEUE_DEPTH) -> QoSProfile:
    """Asks for nothing, so that it matches every publisher."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)


def qos_for(publishers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """Matches all of these publishers, and gets what they keep for those who come later.

    Asking all for what only some offer would make each of the others log a warning.
    """
    offers = [publisher.qos_profile for publisher in publishers]
    if all(
        offer.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and offer.reliability == ReliabilityPolicy.RELIABLE
        for offer in offers
    ):
        return kept_qos()
    return undemanding_qos()


def kept_qos(*, depth: int = 1) -> QoSProfile:
    """Matches only publishers that keep messages for those who come later, and gets these."""
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
