"""Pairs of messages in ROS bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carla_bridge.existing.bags import BagSource, bags_at
from carla_bridge.existing.convert import ConvertOptions, convert
from carla_bridge.existing.frames import FramePair
from lane_seg.errors import ImageError, LaneSegError
from tests.carla_bridge.existing.bag_files import RGB_TOPIC, SEG_TOPIC, Message, write_bag
from tests.carla_bridge.existing.files import coloured, picture, read, red, street

pytest.importorskip('rosbags.highlevel', reason='needs rosbags: pip install rosbags')
pytest.importorskip('sensor_msgs', reason='needs the messages of ROS: pip install ros-sensor-msgs')

KINDS = ('drive.bag', 'drive')
TICK_NS = 50_000_000


def opaque(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


def moment(index: int, *, palette: bool = True) -> tuple[Message, Message]:
    """Both messages of a tick: with colours as ros-bridge sends them, or with raw tags."""
    tags = street('0.9.14', index, extra='Bicycle')
    semantic = opaque(coloured(tags, '0.9.14')) if palette else red(tags)
    stamp = index * TICK_NS
    return (
        (RGB_TOPIC, stamp, 'bgra8', opaque(picture(index))),
        (SEG_TOPIC, stamp, 'bgra8', semantic),
    )


@pytest.mark.parametrize('name', KINDS)
@pytest.mark.parametrize('palette', [True, False])
def test_a_bag_is_converted(tmp_path: Path, name: str, palette: bool) -> None:
    messages = [message for index in range(8) for message in moment(index, palette=palette)]
    bag = write_bag(tmp_path / name, messages)
    summary = convert(ConvertOptions(bag, tmp_path / 'out', block=4, gap=0))
    assert (summary.version, summary.new) == ('0.9.14', 8)
    for index in range(8):
        (path,) = (tmp_path / 'out').glob(f'seg/*/drive_{index:06d}.png')
        assert np.array_equal(read(path), street('0.9.14', index, extra='Bicycle'))
        rgb = Path(str(path).replace('/seg/', '/rgb/'))
        assert np.array_equal(read(rgb), picture(index))
    again = convert(ConvertOptions(bag, tmp_path / 'out', block=4, gap=0))
    assert (again.new, again.counts.total()) == (0, 8)


@pytest.mark.parametrize('name', KINDS)
def test_messages_are_paired_by_stamp_however_they_arrive(tmp_path: Path, name: str) -> None:
    pairs = [moment(index) for index in range(6)]
    late_labels = [pair[0] for pair in pairs] + [pair[1] for pair in reversed(pairs)]
    alone = (SEG_TOPIC, 99 * TICK_NS, 'bgra8', pairs[0][1][3])
    source = BagSource([write_bag(tmp_path / name, [*late_labels, alone])], rgb=None, seg=None)
    assert [frame.facts['timestamp'] for frame in source.frames] == [
        pytest.approx(index * 0.05) for index in range(6)
    ]
    assert source.notes == [f'1 messages of {SEG_TOPIC} have no partner: left out']
    wanted = {frame.name for frame in source.frames[2:4]}
    read_pairs = list(source.pairs(wanted))
    assert {pair.frame.name for pair in read_pairs if isinstance(pair, FramePair)} == wanted
    for pair in read_pairs:
        assert isinstance(pair, FramePair)
        index = source.frames.index(pair.frame)
        assert np.array_equal(pair.image, picture(index))
        assert np.array_equal(pair.semantic, source.semantic(pair.frame))


def test_a_stamp_beyond_a_billion_seconds_is_exact(tmp_path: Path) -> None:
    stamp = 1_700_000_123 * 1_000_000_000 + 987_654_321
    rgb, seg = moment(0)
    messages = [(topic, stamp, encoding, image) for topic, _, encoding, image in (rgb, seg)]
    for name in KINDS:
        source = BagSource([write_bag(tmp_path / name, messages)], rgb=None, seg=None)
        assert [frame.facts['stamp_ns'] for frame in source.frames] == [stamp]


def test_several_bags_of_ros_1_are_one_drive(tmp_path: Path) -> None:
    for part in range(2):
        messages = [message for index in range(3) for message in moment(part * 3 + index)]
        write_bag(tmp_path / f'part{part}.bag', messages)
    assert len(bags_at(tmp_path)) == 2
    assert len(BagSource(bags_at(tmp_path), rgb=None, seg=None).frames) == 6


def test_topics_that_are_not_clear_are_asked_for(tmp_path: Path) -> None:
    rear = RGB_TOPIC.replace('front', 'rear')
    rgb, seg = moment(0)
    bag = write_bag(tmp_path / 'drive', [rgb, (rear, *rgb[1:]), seg])
    with pytest.raises(LaneSegError, match='(?s)found 2; name it: --rgb TOPIC, out of.*rgb_rear'):
        BagSource([bag], rgb=None, seg=None)
    assert BagSource([bag], rgb='*rgb_front*', seg=None).frames[0].facts['source'] == (
        f'drive:{RGB_TOPIC}'
    )
    with pytest.raises(LaneSegError, match='one topic of images for seg, found 0'):
        BagSource([bag], rgb=RGB_TOPIC, seg='/nothing')


def test_cameras_that_never_see_the_same_moment_are_refused(tmp_path: Path) -> None:
    rgb, seg = moment(1)
    shifted = (seg[0], seg[1] + 2_000_000, *seg[2:])
    with pytest.raises(LaneSegError, match=r'the nearest 2\.000 ms apart; .*synchronous mode'):
        BagSource([write_bag(tmp_path / 'drive', [rgb, shifted])], rgb=None, seg=None)


def test_a_picture_of_an_encoding_nobody_knows_is_left_out_with_its_reason(tmp_path: Path) -> None:
    messages = [message for index in range(5) for message in moment(index)]
    topic, stamp, _, image = messages[4]
    messages[4] = (topic, stamp, 'strange8', image)
    source = BagSource([write_bag(tmp_path / 'drive', messages)], rgb=None, seg=None)
    pairs = list(source.pairs({frame.name for frame in source.frames}))
    (error,) = (pair for pair in pairs if isinstance(pair, ImageError))
    assert "drive_000002: encoding 'strange8' is not supported" in str(error)
    assert len(pairs) == 5


@pytest.mark.parametrize('content', [b'', b'#ROSBAG V2.0\n', b'not a bag'])
def test_a_bag_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    bag = tmp_path / 'drive.bag'
    bag.write_bytes(content)
    with pytest.raises(LaneSegError, match='expected a ROS bag that can be read.*reindex'):
        BagSource([bag], rgb=None, seg=None)


def test_a_bag_that_was_cut_short_is_refused_or_read_up_to_there(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / 'drive.bag', [m for index in range(5) for m in moment(index)])
    bag.write_bytes(bag.read_bytes()[:-2000])
    with pytest.raises(LaneSegError, match='reindex'):
        BagSource([bag], rgb=None, seg=None)
