"""Look at the running ROS graph for a while and write down what is there. Read-only.

One thread: it spins a node, and between two callbacks looks for topics that are new.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image

from lane_seg_ros.doctor.check_arrival import IMAGE_TYPE
from lane_seg_ros.doctor.endpoints import (
    endpoint_of,
    gid_of,
    kept_qos,
    node_name_of,
    qos_for,
    undemanding_qos,
)
from lane_seg_ros.doctor.fastdds import (
    Segment,
    segments_in,
)
from lane_seg_ros.doctor.machine import environment_of
from lane_seg_ros.doctor.observations import (
    CameraInfoTopic,
    ClockTopic,
    Endpoint,
    ImageTopic,
    LaneNode,
    Message,
    Observations,
    Transform,
    Transforms,
)
from lane_seg_ros.doctor.records import ImageRecord, InfoRecord, StatusRecord, message_of
from lane_seg_ros.doctor.udp_probe import with_probes
from lane_seg_ros.middleware import prepare_middleware

if TYPE_CHECKING:
    pass

__all__ = ['Wanted', 'observe']

_LOOK_EVERY_S = 0.25
_SPIN_S = 0.1
# By default Fast DDS announces a participant every 3 s, and the first time often goes unheard.
_DISCOVERY_S = 3.5
_NAMES_COME_WITHIN_S = 1.0


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    Attributes:
        seconds: how long to look.
        images: image topics; empty: all that are there.
        labels: topics that carry semantic tags.
        camera_info: of the first image topic; '': the one beside each image.
    """

    seconds: float
    images: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    camera_info: str = ''


def observe(wanted: Wanted) -> Observations:
    """Look at the graph of this process's ROS domain.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    settings = tuple(os.environ.items())
    prepare_middleware()
    context = Context()
    rclpy.init(context=context)
    observer = None
    try:
        observer = _Observer(wanted, context)
        observer.look()
        seen = observer.observations(settings)
    except ExternalShutdownException as error:
        raise KeyboardInterrupt from error
    finally:
        if observer is not None:
            observer.close()
        rclpy.try_shutdown(context=context)
    return seen


class _Observer:
    """A node that subscribes to whatever looks like a camera."""

    def __init__(self, wanted: Wanted, context: Context) -> None:
        self._wanted = wanted
        self._started_s = time.monotonic()
        self._node = rclpy.create_node(f'lane_seg_doctor_{os.getpid()}', context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._images: dict[str, ImageRecord] = {}
        self._infos: dict[str, InfoRecord] = {}
        self._subscribed_infos: set[str] = set()
        self._clock: list[Message] = []
        self._links: dict[str, Transform] = {}
        self._statuses = StatusRecord()
        self._subscribe(DiagnosticArray, '/diagnostics', self._statuses.take, undemanding_qos())
        self._subscribe(Clock, '/clock', self._take_clock, undemanding_qos(depth=100))
        self._unreadable = self._subscribe_to_tf()

    def close(self) -> None:
        """End this participant."""
        self._executor.shutdown()
        self._node.destroy_node()

    def look(self) -> None:
        """Spin for the wanted time, counted from when the publishers have been found."""
        found_s = None
        look_s = 0.0
        while True:
            now_s = time.monotonic()
            if now_s >= look_s:
                self._subscribe_to_cameras()
                look_s = now_s + _LOOK_EVERY_S
            is_over = now_s - self._started_s > _DISCOVERY_S
            if found_s is None and (is_over or self._has_publishers()):
                found_s = now_s
            if found_s is not None and now_s - found_s >= self._wanted.seconds:
                return
            self._executor.spin_once(timeout_sec=_SPIN_S)

    def _has_publishers(self) -> bool:
        return bool(self._images) and all(map(self._node.count_publishers, self._images))

    def observations(self, settings: Sequence[tuple[str, str]]) -> Observations:
        """What has been seen so far, with what must be looked up at the end."""
        segments = segments_in()
        own_gid = self._own_gid()
        images = [
            self._image_topic(name, record, own_gid, segments)
            for name, record in self._images.items()
        ]
        return Observations(
            seconds=self._wanted.seconds,
            images=with_probes(images, own_gid),
            camera_infos=tuple(
                CameraInfoTopic(
                    name,
                    record.image,
                    self._publishers(name, own_gid, segments),
                    tuple(record.messages),
                    record.intrinsics,
                )
                for name, record in self._infos.items()
            ),
            clock=ClockTopic(self._publishers('/clock', own_gid, segments), tuple(self._clock)),
            transforms=Transforms(tuple(self._links.values()), self._unreadable),
            lane_nodes=self._lane_nodes(),
            environment=environment_of(
                settings,
                middleware=rclpy.get_rmw_implementation_identifier(),
                segments=segments,
            ),
            gid=own_gid,
            other_image_topics=tuple(
                name for name in self._published_images() if name not in self._images
            ),
        )

    def _subscribe(
        self, kind: type, topic: str, callback: Callable[..., None], qos: QoSProfile
    ) -> None:
        """Subscribe; rclpy hands over as many arguments as the callback takes."""
        self._node.create_subscription(kind, topic, callback, qos)

    def _subscribe_to_cameras(self) -> None:
        asked = (*self._wanted.images, *self._wanted.labels)
        for topic in asked or self._published_images():
            name = self._node.resolve_topic_name(topic)
            if name in self._images:
                continue
            record = self._images[name] = ImageRecord()
            self._subscribe(Image, name, record.take, undemanding_qos())
            info = f'{name.rpartition("/")[0]}/camera_info'
            if self._wanted.camera_info and len(self._images) == 1:
                info = self._node.resolve_topic_name(self._wanted.camera_info)
            self._infos.setdefault(info, InfoRecord(image=name))
        for name, info_record in self._infos.items():
            publishers = self._node.get_publishers_info_by_topic(name)
            if publishers and name not in self._subscribed_infos:
                self._subscribed_infos.add(name)
                self._subscribe(CameraInfo, name, info_record.take, qos_for(publishers))

    def _published_images(self) -> list[str]:
        """Image topics with a publisher, without what lane_seg_node makes of them."""
        names = [
            name for name, types in self._node.get_topic_names_and_types() if IMAGE_TYPE in types
        ]
        made = tuple(f'{node}/' for node in self._mask_nodes())
        return sorted(name for name in names if not name.startswith(made) and self._is_known(name))

    def _is_known(self, name: str) -> bool:
        """Whether a topic has a publisher whose node is known, or will not be any more.

        The name of a node comes a moment after its topics; through a shared memory that is none
        it never comes.
        """
        publishers = self._node.get_publishers_info_by_topic(name)
        is_late = time.monotonic() - self._started_s > _NAMES_COME_WITHIN_S
        return bool(publishers) and (is_late or all(map(node_name_of, publishers)))

    def _mask_nodes(self) -> set[str]:
        """Full names of nodes that publish a ~/mask, or one of each camera: ~/front/mask."""
        return {
            node
            for name, types in self._node.get_topic_names_and_types()
            if IMAGE_TYPE in types and name.endswith('/mask')
            for node in map(node_name_of, self._node.get_publishers_info_by_topic(name))
            if node and name.startswith(f'{node}/')
        }

    def _image_topic(
        self, name: str, record: ImageRecord, own_gid: bytes, segments: Sequence[Segment]
    ) -> ImageTopic:
        types = dict(self._node.get_topic_names_and_types()).get(name, [])
        publishers = self._publishers(name, own_gid, segments)
        published = {info.topic_type for info in self._node.get_publishers_info_by_topic(name)}
        subscribers = tuple(
            endpoint_of(info, own_gid, segments)
            for info in self._node.get_subscriptions_info_by_topic(name)
            if gid_of(info)[:12] != own_gid[:12]
        )
        labels = map(self._node.resolve_topic_name, self._wanted.labels)
        return ImageTopic(
            name=name,
            # Our own subscription makes every name an image topic.
            types=tuple(sorted(published)) or tuple(types),
            publishers=publishers,
            subscribers=subscribers,
            messages=tuple(record.messages),
            formats=dict(record.formats),
            refusals=dict(record.refusals),
            samples=tuple(record.samples),
            is_label=name in labels,
        )

    def _publishers(
        self, name: str, own_gid: bytes, segments: Sequence[Segment]
    ) -> tuple[Endpoint, ...]:
        infos = self._node.get_publishers_info_by_topic(name)
        return tuple(endpoint_of(info, own_gid, segments) for info in infos)

    def _own_gid(self) -> bytes:
        for info in self._node.get_subscriptions_info_by_topic('/diagnostics'):
            if info.node_name == self._node.get_name():
                return gid_of(info)
        return b''

    def _lane_nodes(self) -> tuple[LaneNode, ...]:
        names = self._mask_nodes() | set(self._statuses.last)
        return tuple(LaneNode(name, *self._statuses.last.get(name, ())) for name in sorted(names))

    def _take_clock(self, msg: Clock, info: dict[str, int | None]) -> None:
        self._clock.append(message_of(msg.clock, info))

    def _subscribe_to_tf(self) -> str:
        """Read tf if its messages are installed; say why not otherwise."""
        try:
            message = importlib.import_module('tf2_msgs.msg').TFMessage
        except ImportError as error:
            return f'tf was not read: {error} (Debian package ros-<distro>-tf2-msgs)'
        self._subscribe(message, '/tf', self._take_tf, undemanding_qos(depth=100))
        self._subscribe(message, '/tf_static', self._take_tf, kept_qos(depth=100))
        return ''

    def _take_tf(self, msg: object) -> None:
        for link in msg.transforms:  # type: ignore[attr-defined]
            q = link.transform.rotation
            self._links[link.child_frame_id] = Transform(
                link.header.frame_id, link.child_frame_id, (q.x, q.y, q.z, q.w)
            )
