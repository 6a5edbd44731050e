"""The recorder hears every camera, reliable or not, whatever its stamps are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('rclpy')

import rclpy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg_ros.image_messages import msg_from_image
from lane_seg_ros.live.labels import LabelReader
from lane_seg_ros.live.recorder import Recorder
from lane_seg_ros.live.score import LABEL_IDS, LabelScore
from lane_seg_ros.live.topics import Topics
from lane_seg_ros.qos import image_qos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rclpy.node import Node

PATIENCE_S = 30.0
TOPICS = Topics('/test/image', '', '/test/node/mask', '/test/label')


@pytest.fixture
def publisher_node() -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = rclpy.create_node('test_publisher', context=context, use_global_arguments=False)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def wait_until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.mark.ros
@pytest.mark.parametrize('reliability', ['best_effort', 'reliable'])
def test_publishers_of_either_reliability_are_heard(
    publisher_node: Node, reliability: str
) -> None:
    qos = image_qos(reliability, depth=5)
    names = (TOPICS.image, TOPICS.label, TOPICS.mask)
    image, label, mask = (publisher_node.create_publisher(Image, one, qos) for one in names)
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    score, reader = LabelScore(LABEL_IDS, unlabeled_id=255), LabelReader('/test/label', 'classes')
    with Recorder(TOPICS, score=score, labels=reader, check=lambda: None) as recorder:
        wait_until(lambda: all(map(recorder.publishers_of, names)))
        recorder.subscribe(pictures=True)
        wait_until(lambda: all(one.get_subscription_count() for one in (image, label, mask)))
        recorder.begin()
        for number in range(5):
            header = Header()
            header.stamp.sec = number  # a simulator's, forty times as fast as the wall clock
            picture = np.zeros((2, 2, 3), np.uint8)
            image.publish(msg_from_image(picture, encoding='bgr8', header=header))
            label.publish(msg_from_image(ids, encoding='mono8', header=header))
            if number != 2:
                mask.publish(msg_from_image(ids, encoding='mono8', header=header))
            recorder.listen(
                lambda number=number: recorder.heard.images > number, timeout_s=PATIENCE_S
            )
        recorder.listen(lambda: recorder.heard.masks == 4, timeout_s=PATIENCE_S)
        found = recorder.end()
        assert recorder.album.size == 4
    assert (found.losses.camera, found.losses.masks, found.losses.somewhere) == (5, 4, 1)
    assert [frame.latency_ms is None for frame in found.frames] == [
        number == 2 for number in range(5)
    ]
    assert found.scored == 4 and found.ious == {'road': 1.0, 'lane_marking': 1.0}
    assert found.simulated_s == 4.0 and found.real_time_factor > 1
    assert found.latency_ms.max_ms < 1e3 * PATIENCE_S
