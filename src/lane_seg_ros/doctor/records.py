"""What comes on a topic, kept message by message; the callbacks of the doctor's subscriptions."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from lane_seg.errors import ImageError
from lane_seg_ros.doctor.observations import ImageFormat, Intrinsics, Message
from lane_seg_ros.image_messages import image_from_msg

__all__ = ['ImageRecord', 'InfoRecord', 'StatusRecord', 'message_of']

# Each image is looked at in the beginning, then every tenth.
_LOOKED_AT_FIRST = 10
_LOOKED_AT_EVERY = 10
_SAMPLES = 3
# Ends the name of a lane_seg_node's status.
_PIPELINE = ': pipeline'


@dataclass
class ImageRecord:
    """What has come on one image topic."""

    messages: list[Message] = field(default_factory=list)
    formats: Counter[ImageFormat] = field(default_factory=Counter)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    samples: deque[NDArray[np.uint8]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def take(self, msg: Image, info: dict[str, int | None]) -> None:
        """Note an image."""
        self.messages.append(message_of(msg.header.stamp, info))
        self.formats[
            ImageFormat(
                height=msg.height,
                width=msg.width,
                encoding=msg.encoding,
                step=msg.step,
                data_bytes=len(msg.data),
                frame_id=msg.header.frame_id,
            )
        ] += 1
        count = len(self.messages)
        if count > _LOOKED_AT_FIRST and count % _LOOKED_AT_EVERY:
            return
        try:
            # A copy: the array may be a view of the message.
            self.samples.append(image_from_msg(msg).copy())
        except ImageError as error:
            refused, first = self.refusals.get(error.cause, (0, str(error)))
            self.refusals[error.cause] = (refused + 1, first)


@dataclass
class InfoRecord:
    """What has come on one CameraInfo topic."""

    image: str
    messages: list[Message] = field(default_factory=list)
    intrinsics: Intrinsics | None = None

    def take(self, msg: CameraInfo, info: dict[str, int | None]) -> None:
        """Note a message; the last one counts."""
        self.messages.append(message_of(msg.header.stamp, info))
        self.intrinsics = Intrinsics(
            msg.height, msg.width, tuple(msg.k), tuple(msg.p), msg.header.frame_id
        )


@dataclass
class StatusRecord:
    """What lane_seg_nodes say of themselves: {full node name: (level, message)}."""

    last: dict[str, tuple[int, str]] = field(default_factory=dict)

    def take(self, msg: DiagnosticArray) -> None:
        """Note the statuses that are of a lane_seg_node: no other names a model."""
        for status in msg.status:
            if status.name.endswith(_PIPELINE) and any(
                item.key == 'model_sha256' for item in status.values
            ):
                name = '/' + status.name.removesuffix(_PIPELINE).lstrip('/')
                # A byte field is bytes to rclpy.
                level = status.level[0] if isinstance(status.level, bytes) else status.level
                self.last[name] = (int(level), status.message)


def message_of(stamp: Time, info: dict[str, int | None]) -> Message:
    """The times of a message that comes just now."""
    return Message(
        arrived_ns=time.time_ns(),
        stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
        sequence=info.get('publication_sequence_number'),
    )
