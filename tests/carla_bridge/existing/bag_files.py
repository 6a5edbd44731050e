"""Bags as ros-bridge leaves them, written by the real `rosbags` library."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

IMAGE = 'sensor_msgs/msg/Image'
RGB_TOPIC = '/carla/ego_vehicle/rgb_front/image'
SEG_TOPIC = '/carla/ego_vehicle/semantic_segmentation_front/image'
NS = 1_000_000_000

# Topic, stamp in nanoseconds, encoding, picture.
Message = tuple[str, int, str, NDArray[np.uint8]]


def write_bag(path: Path, messages: Iterable[Message]) -> Path:
    """Write a bag, of ROS 1 if it is called .bag and of ROS 2 otherwise."""
    from rosbags.rosbag1 import Writer as Writer1
    from rosbags.rosbag2 import Writer as Writer2
    from rosbags.typesys import Stores, get_typestore

    ros1 = path.suffix == '.bag'
    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_HUMBLE)
    types = store.types
    with Writer1(path) if ros1 else Writer2(path, version=8) as writer:
        connections = {}
        for number, (topic, stamp, encoding, image) in enumerate(messages):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, IMAGE, typestore=store)
            time = types['builtin_interfaces/msg/Time'](stamp // NS, stamp % NS)
            sequence = {'seq': number} if ros1 else {}
            height, width = image.shape[:2]
            message = types[IMAGE](
                header=types['std_msgs/msg/Header'](stamp=time, frame_id='ego', **sequence),
                height=height,
                width=width,
                encoding=encoding,
                is_bigendian=0,
                step=image[0].size,
                data=np.ascontiguousarray(image).ravel(),
            )
            serialize = store.serialize_ros1 if ros1 else store.serialize_cdr
            # Received a little later than it was stamped, and in the order of sending.
            received = 1_700_000_000 * NS + number * 1_000_000
            writer.write(connections[topic], received, bytes(serialize(message, IMAGE)))
    return path
