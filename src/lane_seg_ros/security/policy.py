"""An SROS 2 policy that allows a node what it has, and nothing else.

The list is not kept by hand: a node is asked for the publishers, subscriptions, services and
clients that it created under the user's own arguments, so names, remappings and cameras are right.
Format: policy.xsd 0.2.0 of the sros2 package, https://github.com/ros2/sros2. Two rules are tighter
than in the templates there: a node's own services are answered but not called, and
/parameter_events is published but not read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rclpy.exceptions import InvalidNamespaceException
from rclpy.node import Node
from rclpy.validate_namespace import validate_namespace

from lane_seg.errors import LaneSegError

__all__ = ['POLICY_VERSION', 'policy_of']

POLICY_VERSION = '0.2.0'


def policy_of(node: Node, *, enclave: str, also_published: Collection[str] = ()) -> str:
    """Write down what a node has at this moment.

    Args:
        node: of this process.
        enclave: absolute name of the enclave that gets these rights, such as /lane_seg_node.
        also_published: resolved names of topics that the node publishes on other machines.

    Returns:
        The policy, an XML document; names are absolute and sorted.

    Raises:
        LaneSegError: the name of the enclave is not one.
    """
    try:
        validate_namespace(enclave)
    except InvalidNamespaceException as error:
        raise LaneSegError(
            f'an enclave has an absolute name such as /lane_seg_node, not {enclave!r}: {error}'
        ) from error
    name, namespace = node.get_name(), node.get_namespace()
    # These names already contain remappings and namespaces, unlike those in the source.
    published = {topic for topic, _ in node.get_publisher_names_and_types_by_node(name, namespace)}
    subscribed = {
        topic for topic, _ in node.get_subscriber_names_and_types_by_node(name, namespace)
    }
    answered = {
        service for service, _ in node.get_service_names_and_types_by_node(name, namespace)
    }
    called = {service for service, _ in node.get_client_names_and_types_by_node(name, namespace)}
    policy = Element('policy', version=POLICY_VERSION)
    enclave_of_node = SubElement(SubElement(policy, 'enclaves'), 'enclave', path=enclave)
    profile = SubElement(
        SubElement(enclave_of_node, 'profiles'), 'profile', ns=namespace, node=name
    )
    _allow(profile, 'topic', 'publish', published.union(also_published))
    _allow(profile, 'topic', 'subscribe', subscribed)
    _allow(profile, 'service', 'reply', answered)
    _allow(profile, 'service', 'request', called)
    ElementTree.indent(policy)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(policy, "unicode")}\n'


def _allow(profile: Element, kind: str, what: str, names: Iterable[str]) -> None:
    """Add a list of names; the schema wants none that is empty."""
    names = sorted(names)
    if not names:
        return
    allowed = SubElement(profile, f'{kind}s', {what: 'ALLOW'})
    for name in names:
        SubElement(allowed, kind).text = name
