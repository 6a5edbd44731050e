"""Pictures and semantic pictures in ROS bags, paired by their stamps.

Bags of ROS 1 and ROS 2 are read by the `rosbags` package, without a ROS installation. Both cameras
of a simulator are stamped with its time, so that a pair has exactly the same stamp.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import cv2
import numpy as np

from carla_bridge.existing.frames import ExistingFrame, FramePair, usable
from lane_seg.errors import ImageError, LaneSegError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rosbags.highlevel import AnyReader
    from rosbags.interfaces import Connection

__all__ = ['BagSource', 'bags_at']

_IMAGE_TYPES: Final = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
_SEG_WORDS: Final = re.compile(r'semantic|segmentation')
_RGB_WORDS: Final = re.compile(r'rgb|image_color|camera_front')
_NS: Final = 1_000_000_000


class _Compressed(Protocol):
    """A message of sensor_msgs/CompressedImage."""

    format: str
    data: NDArray[np.uint8]


def bags_at(path: Path) -> list[Path]:
    """Return the bags that a path names: a .bag file, a rosbag2 folder, or a folder of .bag files.

    Returns:
        None of them if it is something else.
    """
    if path.is_file():
        return [path] if path.suffix == '.bag' else []
    if (path / 'metadata.yaml').is_file():
        return [path]
    return sorted(path.glob('*.bag'))


class BagSource:
    """Pairs of messages of one recording.

    Args:
        paths: one rosbag2 folder, or .bag files.
        rgb: pattern of the topic of pictures; None goes by words in names.
        seg: the same of semantic pictures.

    Raises:
        LaneSegError: the bag cannot be read, topics are not clear, or no two stamps are the same.
    """

    def __init__(self, paths: Sequence[Path], *, rgb: str | None, seg: str | None) -> None:
        self.notes: list[str] = []
        self._paths = list(paths)
        with self._opened() as reader:
            image_topic, label_topic = _topics(reader, rgb, seg)
            self._topics = image_topic, label_topic
            images, labels = (self._stamps(reader, topic) for topic in self._topics)
        common = sorted(images.keys() & labels.keys())
        if not common:
            raise LaneSegError(_no_common_stamp(image_topic, label_topic, images, labels))
        for topic, stamps in ((image_topic, images), (label_topic, labels)):
            if alone := len(stamps) - len(common):
                self.notes.append(f'{alone} messages of {topic} have no partner: left out')
        group = self._paths[0].stem
        self.frames: list[ExistingFrame] = []
        self._of_stamp: dict[int, ExistingFrame] = {}
        self._received: dict[str, int] = {}
        for index, stamp in enumerate(common):
            facts: dict[str, object] = {
                'source': f'{group}:{image_topic}',
                'semantic_source': f'{group}:{label_topic}',
                'group': group,
                'timestamp': stamp / _NS,
                'stamp_ns': stamp,
            }
            frame = ExistingFrame(f'{usable(group)}_{index:06d}', group, facts)
            self.frames.append(frame)
            self._of_stamp[stamp] = frame
            self._received[frame.name] = labels[stamp]

    def semantic(self, frame: ExistingFrame) -> NDArray[np.uint8]:
        """Read the semantic picture of one frame.

        Raises:
            ImageError: it cannot be decoded.
        """
        received = self._received[frame.name]
        with self._opened() as reader:
            for connection, _, data in reader.messages(
                _connections(reader, self._topics[1]), start=received, stop=received + 1
            ):
                if self._of_stamp.get(_stamp(data, is_ros2=reader.is2)) is frame:
                    return _decoded(reader, connection, data, lossless=True)
        raise ImageError(f'{frame.name}: the bag does not give the message again', cause='type')

    def pairs(self, wanted: Collection[str]) -> Iterator[FramePair | ImageError]:
        """Read frames in the order in which both messages are there."""
        waiting: dict[int, tuple[str, bytes, Connection]] = {}
        with self._opened() as reader:
            both = [each for topic in self._topics for each in _connections(reader, topic)]
            for connection, _, data in reader.messages(both):
                stamp = _stamp(data, is_ros2=reader.is2)
                frame = self._of_stamp.get(stamp)
                if frame is None or frame.name not in wanted:
                    continue
                other = waiting.pop(stamp, None)
                if other is None or other[0] == connection.topic:  # the latter: sent twice
                    waiting[stamp] = connection.topic, data, connection
                    continue
                found = {connection.topic: (connection, data), other[0]: (other[2], other[1])}
                try:
                    yield FramePair(
                        frame,
                        _decoded(reader, *found[self._topics[0]], lossless=False),
                        _decoded(reader, *found[self._topics[1]], lossless=True),
                    )
                except ImageError as error:
                    yield ImageError(f'{frame.name}: {error}', cause=error.cause)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[AnyReader]:
        """Open the bags."""
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore

        named = ', '.join(map(str, self._paths))
        try:
            # Bags of ROS 2 before Jazzy do not carry the definitions of their messages.
            reader = AnyReader(self._paths, default_typestore=get_typestore(Stores.ROS2_HUMBLE))
            reader.open()
        except (AnyReaderError, OSError, ValueError) as error:
            raise LaneSegError(
                f'{named}: expected a ROS bag that can be read, found: {error}; `rosbag reindex` '
                '(ROS 1) or `ros2 bag reindex` mends one that was not closed'
            ) from error
        try:
            yield reader
        finally:
            reader.close()

    @staticmethod
    def _stamps(reader: AnyReader, topic: str) -> dict[int, int]:
        """{stamp: time of reception} of a topic, both in nanoseconds."""
        return {
            _stamp(data, is_ros2=reader.is2): received
            for _, received, data in reader.messages(_connections(reader, topic))
        }


def _connections(reader: AnyReader, topic: str) -> list[Connection]:
    return [each for each in reader.connections if each.topic == topic]


def _topics(reader: AnyReader, rgb: str | None, seg: str | None) -> tuple[str, str]:
    """Choose the topic of pictures and that of semantic pictures."""
    known = sorted({each.topic for each in reader.connections if each.msgtype in _IMAGE_TYPES})
    listed = ''.join(f'\n  {topic}' for topic in known) or ' none'
    chosen = []
    for option, pattern, words in (('rgb', rgb, _RGB_WORDS), ('seg', seg, _SEG_WORDS)):
        if pattern is not None:
            found = [topic for topic in known if fnmatch.fnmatchcase(topic, pattern)]
        else:
            found = [
                topic
                for topic in known
                if words.search(topic)
                and (option == 'seg' or not re.search(r'semantic|segmentation|depth', topic))
            ]
        if len(found) != 1:
            raise LaneSegError(
                f'expected one topic of images for {option}, found {len(found)}; name it: '
                f'--{option} TOPIC, out of{listed}'
            )
        chosen.append(found[0])
    return chosen[0], chosen[1]


def _stamp(data: bytes, *, is_ros2: bool) -> int:
    """Read a message's stamp, in nanoseconds, without decoding the rest.

    A ROS 1 header begins with the sequence number, a CDR message with four bytes that say how
    numbers are coded; then come seconds and nanoseconds.
    """
    order = 'big' if is_ros2 and data[1] % 2 == 0 else 'little'
    seconds = int.from_bytes(data[4:8], order, signed=is_ros2)  # type: ignore[arg-type]
    return seconds * _NS + int.from_bytes(data[8:12], order)  # type: ignore[arg-type]


def _decoded(
    reader: AnyReader, connection: Connection, data: bytes, *, lossless: bool
) -> NDArray[np.uint8]:
    """Return the picture of a message, (H, W, 3) uint8 BGR or what a compressed one holds.

    Raises:
        ImageError: it cannot be decoded, or not without a loss where that matters.
    """
    message = reader.deserialize(data, connection.msgtype)
    if connection.msgtype == _IMAGE_TYPES[0]:
        from lane_seg_ros.image_messages import image_from_msg

        return image_from_msg(message)
    compressed = cast('_Compressed', message)
    if lossless and 'png' not in compressed.format:
        raise ImageError(
            f'{connection.topic}: expected semantic pictures without loss, found '
            f'{compressed.format!r}; record the raw topic',
            cause='encoding',
        )
    image = cv2.imdecode(np.asarray(compressed.data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f'{connection.topic}: a message holds no picture', cause='type')
    return np.asarray(image, np.uint8)


def _no_common_stamp(
    image_topic: str, label_topic: str, images: Collection[int], labels: Collection[int]
) -> str:
    """Say that no two messages are of one moment, and how near they come."""
    what = (
        f'expected messages of {image_topic} and {label_topic} with the same stamp, found '
        f'{len(images)} and {len(labels)} without any'
    )
    if not images or not labels:
        return f'{what}; record both topics'
    times = np.sort(np.fromiter(images, np.int64))
    other = np.fromiter(labels, np.int64)
    place = np.clip(np.searchsorted(times, other), 1, max(1, len(times) - 1))
    nearest = min(
        int(np.abs(times[np.clip(place - 1, 0, None)] - other).min()),
        int(np.abs(times[np.clip(place, 0, len(times) - 1)] - other).min()),
    )
    return (
        f'{what}, the nearest {nearest / 1e6:.3f} ms apart; let the simulator run in '
        'synchronous mode, in which both cameras see the same moment'
    )
