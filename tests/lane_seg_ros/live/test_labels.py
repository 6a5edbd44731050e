"""The coding of a label topic is told by its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip('rclpy')

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg.carla_tags import palette_of, tags_of
from lane_seg.errors import LaneSegError
from lane_seg_ros.image_messages import msg_from_image
from lane_seg_ros.live.labels import CODINGS, LabelReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSIONS = ('0.9.13', '0.9.16')
TABLES = {'0.9.13': 'tags-0.9.13', '0.9.16': 'tags-0.9.14'}


def street(version: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Tags of a street below a sky, and the label that they should become."""
    tags, label = np.zeros((2, 40, 60), np.uint8)
    number = tags_of(version)
    tags[:20] = number['Sky']
    tags[15:20, :20] = number['Buildings']
    tags[10:30, 50] = number['Poles']
    tags[20:], label[20:] = number['Roads'], 1
    tags[20:, 30:32], label[20:, 30:32] = number['RoadLines'], 2
    tags[38:, :10], label[38:, :10] = number['TrafficLight'], 0
    return tags, label


def as_mono(tags: NDArray[np.uint8]) -> Image:
    return msg_from_image(tags, encoding='mono8', header=Header())


def as_red(tags: NDArray[np.uint8]) -> Image:
    picture = np.zeros((*tags.shape, 3), np.uint8)
    picture[..., 2] = tags
    return msg_from_image(picture, encoding='bgr8', header=Header())


def as_bgra(picture: NDArray[np.uint8]) -> Image:
    """What ros-bridge sends."""
    bgra = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    height, width = bgra.shape[:2]
    return Image(height=height, width=width, encoding='bgra8', step=4 * width, data=bgra.tobytes())


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('form', [as_mono, as_red])
def test_tags_of_either_table_are_told_apart(version: str, form: type[Image]) -> None:
    tags, label = street(version)
    reader = LabelReader('/label')
    assert np.array_equal(reader.read(form(tags)), label)
    assert reader.coding == TABLES[version]


@pytest.mark.parametrize('version', VERSIONS)
def test_the_colours_of_either_palette_give_the_same_classes(version: str) -> None:
    tags, label = street(version)
    picture = palette_of(version)[tags][..., ::-1]
    reader = LabelReader('/label')
    assert np.array_equal(reader.read(as_bgra(np.ascontiguousarray(picture))), label)
    assert reader.coding == 'palette'


@given(hnp.arrays(np.uint8, (6, 8), elements=st.sampled_from([0, 1, 2, 255])))
def test_class_ids_are_known_after_some_pictures(label: NDArray[np.uint8]) -> None:
    reader = LabelReader('/label')
    found = [reader.read(as_mono(label)) for _ in range(20)]
    assert found[:19] == [None] * 19
    assert np.array_equal(found[-1], label)


def test_a_view_of_road_alone_is_not_taken_for_class_ids() -> None:
    reader = LabelReader('/label')
    assert reader.read(as_mono(np.full((6, 8), tags_of('0.9.16')['Roads'], np.uint8))) is None
    tags, label = street('0.9.16')
    assert np.array_equal(reader.read(as_mono(tags)), label)


def test_tags_without_any_road_wait_for_one_and_are_refused_in_the_end() -> None:
    reader = LabelReader('/label')
    walls = as_mono(np.full((6, 8), tags_of('0.9.16')['Sky'], np.uint8))
    with pytest.raises(LaneSegError, match=r'/label.*no road.*--label-coding'):
        for _ in range(1000):
            assert reader.read(walls) is None


@pytest.mark.parametrize(
    ('picture', 'words'),
    [
        (np.random.default_rng(0).integers(1, 255, (20, 20, 3), np.uint8), 'not in the palette'),
        (np.full((20, 20), 77, np.uint8), 'the value 77'),
    ],
)
def test_what_is_no_label_is_refused_in_words_that_help(
    picture: NDArray[np.uint8], words: str
) -> None:
    encoding = 'mono8' if picture.ndim == 2 else 'bgr8'
    with pytest.raises(LaneSegError, match=words) as caught:
        LabelReader('/camera').read(msg_from_image(picture, encoding=encoding, header=Header()))
    assert '/camera' in str(caught.value) and '--label' in str(caught.value)


def test_a_coding_that_was_named_is_not_guessed() -> None:
    tags, label = street('0.9.13')
    assert np.array_equal(LabelReader('/label', 'tags-0.9.13').read(as_mono(tags)), label)
    with pytest.raises(LaneSegError, match='one channel'):
        LabelReader('/label', 'palette').read(as_mono(tags))


def test_the_command_offers_every_coding() -> None:
    from carla_bridge.evaluate import command

    assert ('auto', *CODINGS) == command._CODINGS
