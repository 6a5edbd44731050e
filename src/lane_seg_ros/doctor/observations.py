"""What the doctor has seen, as plain values: the checks need no ROS to judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = [
    'CameraInfoTopic',
    'ClockTopic',
    'Endpoint',
    'Environment',
    'ImageFormat',
    'ImageTopic',
    'Intrinsics',
    'LaneNode',
    'Message',
    'Observations',
    'ProbeResult',
    'ProcessFacts',
    'Transform',
    'Transforms',
]


@dataclass(frozen=True)
class ProcessFacts:
    """The process behind an endpoint, as far as this one may look at it.

    Attributes:
        pid: its number.
        command: program and arguments, cut short.
        uid: user that it runs as.
        same_shared_memory: whether its /dev/shm is ours; None: not visible.
        segments_bytes: sizes of the Fast DDS shared-memory segments that it owns.
    """

    pid: int
    command: str
    uid: int
    same_shared_memory: bool | None = None
    segments_bytes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Endpoint:
    """A publisher or a subscriber.

    Attributes:
        node: full name, or '' where the middleware has not told it.
        gid: identity given by the middleware.
        reliability: 'reliable', 'best_effort' or 'unknown'.
        durability: 'volatile', 'transient_local' or 'unknown'.
        process: found through the gid; None: not on this machine, hidden, or not Fast DDS.
    """

    node: str
    gid: bytes = b''
    reliability: str = 'reliable'
    durability: str = 'volatile'
    process: ProcessFacts | None = None


@dataclass(frozen=True)
class Message:
    """When one message came.

    Attributes:
        arrived_ns: system clock of this machine.
        stamp_ns: header stamp.
        sequence: number that the publisher gave it; None where the middleware does not tell.
    """

    arrived_ns: int
    stamp_ns: int
    sequence: int | None = None


@dataclass(frozen=True)
class ImageFormat:
    """Size and layout of an image message."""

    height: int
    width: int
    encoding: str
    step: int
    data_bytes: int
    frame_id: str


@dataclass(frozen=True)
class ProbeResult:
    """What a second subscriber received that uses UDP over the loopback interface alone.

    Attributes:
        received: number of messages.
        lost: gaps in the publisher's sequence numbers; None where they are not told.
        seconds: how long it listened.
        error: why it could not; '' where it could.
    """

    received: int
    seconds: float
    lost: int | None = None
    error: str = ''


@dataclass(frozen=True)
class ImageTopic:
    """An image topic.

    Attributes:
        name: resolved.
        types: message types under this name, none if nobody knows it.
        publishers: of the topic.
        subscribers: of the topic, without the doctor.
        messages: in the order of their arrival.
        formats: {format: number of messages}.
        refusals: {cause: (messages refused by image_from_msg, text of the first)}.
        samples: a few images, each (H, W, 3) uint8 BGR.
        is_label: the user says that it carries semantic tags.
        probe: of a topic with no or few messages; None: not needed or not possible.
    """

    name: str
    types: tuple[str, ...] = ('sensor_msgs/msg/Image',)
    publishers: tuple[Endpoint, ...] = ()
    subscribers: tuple[Endpoint, ...] = ()
    messages: tuple[Message, ...] = ()
    formats: Mapping[ImageFormat, int] = field(default_factory=lambda: MappingProxyType({}))
    refusals: Mapping[str, tuple[int, str]] = field(default_factory=lambda: MappingProxyType({}))
    samples: tuple[NDArray[np.uint8], ...] = ()
    is_label: bool = False
    probe: ProbeResult | None = None

    @property
    def format(self) -> ImageFormat | None:
        """The format of most messages."""
        return max(self.formats, key=lambda kind: self.formats[kind], default=None)


@dataclass(frozen=True)
class Intrinsics:
    """The content of a CameraInfo message that matters here; k is 3 x 3, p 3 x 4, by rows."""

    height: int
    width: int
    k: tuple[float, ...]
    p: tuple[float, ...]
    frame_id: str


@dataclass(frozen=True)
class CameraInfoTopic:
    """A CameraInfo topic and the image topic that it belongs to."""

    name: str
    image: str
    publishers: tuple[Endpoint, ...] = ()
    messages: tuple[Message, ...] = ()
    intrinsics: Intrinsics | None = None


@dataclass(frozen=True)
class ClockTopic:
    """/clock: simulation time. `messages` carry the time as their stamp."""

    publishers: tuple[Endpoint, ...] = ()
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Transform:
    """One link of the tf tree; the quaternion (x, y, z, w) turns child into parent axes."""

    parent: str
    child: str
    rotation: tuple[float, float, float, float]


@dataclass(frozen=True)
class Transforms:
    """The tf tree; `unreadable` says why it could not be read, '' where it could."""

    links: tuple[Transform, ...] = ()
    unreadable: str = ''


@dataclass(frozen=True)
class LaneNode:
    """A lane_seg_node and its last word on /diagnostics ('' and -1: it has said nothing)."""

    name: str
    level: int = -1
    message: str = ''


@dataclass(frozen=True)
class Environment:
    """Of the doctor's own process and machine.

    Attributes:
        settings: environment variables that steer ROS and Fast DDS.
        middleware: identifier of the RMW implementation in use.
        uid: user of this process.
        shm_total_bytes: size of /dev/shm; None: there is none.
        shm_free_bytes: what is free of it.
        dead_segments: Fast DDS files in /dev/shm whose owner no longer lives.
        dead_bytes: what these take.
        cv_bridge_error: why cv_bridge, which is installed, cannot be imported; '' otherwise.
        missing_files: {variable: path} of profile files that do not exist.
    """

    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    middleware: str = 'rmw_fastrtps_cpp'
    uid: int = 0
    shm_total_bytes: int | None = None
    shm_free_bytes: int = 0
    dead_segments: int = 0
    dead_bytes: int = 0
    cv_bridge_error: str = ''
    missing_files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Observations:
    """Everything; `gid` is the doctor's own identity."""

    seconds: float
    images: tuple[ImageTopic, ...] = ()
    camera_infos: tuple[CameraInfoTopic, ...] = ()
    clock: ClockTopic = ClockTopic()
    transforms: Transforms = Transforms()
    lane_nodes: tuple[LaneNode, ...] = ()
    environment: Environment = Environment()
    gid: bytes = b''
    other_image_topics: tuple[str, ...] = ()
