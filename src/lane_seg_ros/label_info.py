"""What the ids of a mask mean, as vision_msgs/LabelInfo beside the mask (vision_msgs 4.1).

Listeners such as Nav2's semantic layer look classes up by name. The message is kept for those who
come later (transient local). vision_msgs is not on PyPI: where it is not installed, the node says
so once and does without.
"""

from __future__ import annotations

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from lane_seg.bundle import ModelBundle

__all__ = ['LabelInfoOutput']

_KEPT = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class LabelInfoOutput:
    """Publishes the classes of a model.

    Args:
        node: that publishes.
        topics: one per camera, each in the namespace of its mask.
    """

    def __init__(self, node: Node, topics: tuple[str, ...]) -> None:
        self._node = node
        self._publishers: tuple[Publisher, ...] = ()
        try:
            from vision_msgs.msg import LabelInfo
        except ImportError:
            node.get_logger().info(
                'vision_msgs is not installed (Debian package ros-<distro>-vision-msgs): '
                '~/label_info is not published'
            )
            return
        self._publishers = tuple(
            node.create_publisher(LabelInfo, topic, _KEPT) for topic in topics
        )

    def publish(self, bundle: ModelBundle) -> None:
        """Tell what the ids of a model's masks mean."""
        if not self._publishers:
            return
        from vision_msgs.msg import LabelInfo, VisionClass

        msg = LabelInfo(
            class_map=[
                VisionClass(class_id=info.id, class_name=info.name) for info in bundle.classes
            ]
        )
        msg.header.stamp = self._node.get_clock().now().to_msg()
        for publisher in self._publishers:
            publisher.publish(msg)

    def close(self) -> None:
        """Destroy the publishers."""
        publishers, self._publishers = self._publishers, ()
        for publisher in publishers:
            self._node.destroy_publisher(publisher)
