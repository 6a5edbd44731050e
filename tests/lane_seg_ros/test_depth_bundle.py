"""Four messages under one stamp, whichever of mask and depth comes first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from lane_seg_ros.depth_bundle import BundleOutputs, DepthBundle, restamped
from lane_seg_ros.outputs import ImageOutput
from lane_seg_ros.pictures import Picture

MS = 10**6


@dataclass
class Heard:
    """In place of a publisher: what was published."""

    messages: list[object] = field(default_factory=list)

    def publish(self, msg: object) -> None:
        self.messages.append(deserialize_message(msg, Image) if isinstance(msg, bytes) else msg)

    def get_subscription_count(self) -> int:
        return 1


def bundle(tolerance_ms: float = 1.0) -> tuple[DepthBundle, BundleOutputs]:
    outputs = BundleOutputs(ImageOutput(Heard(), fast=True), Heard(), Heard(), Heard())
    return DepthBundle(outputs, tolerance_ns=round(tolerance_ms * MS)), outputs


def picture(stamp_ns: int) -> Picture:
    sec, nanosec = divmod(stamp_ns, 10**9)
    return Picture(sec, nanosec, 'camera', np.zeros((2, 3, 3), np.uint8))


def depth(stamp_ns: int, level: int = 0) -> bytes:
    sec, nanosec = divmod(stamp_ns, 10**9)
    msg = Image(
        header=Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='depth_camera'),
        height=1,
        width=2,
        encoding='32FC1',
        step=8,
        data=bytes([level] * 8),
    )
    return bytes(serialize_message(msg))


MASK = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


@pytest.mark.parametrize('depth_first', [True, False])
def test_mask_and_depth_go_out_together_with_both_infos(depth_first: bool) -> None:
    pair, outputs = bundle()
    pair.on_depth_info(CameraInfo(header=Header(frame_id='depth_camera'), width=2))
    steps = [
        lambda: pair.on_depth(depth(5_000 * MS + MS // 2, level=7)),
        lambda: pair.on_mask(picture(5_000 * MS), MASK, CameraInfo(width=3)),
    ]
    for step in steps if depth_first else reversed(steps):
        assert not any(output.messages for output in outputs.all)
        step()
    (mask,), (info,), (depths,), (depth_info,) = (output.messages for output in outputs.all)
    assert {item.header.stamp.sec for item in (mask, info, depths, depth_info)} == {5}
    assert {item.header.stamp.nanosec for item in (mask, info, depths, depth_info)} == {0}
    assert bytes(mask.data) == MASK.tobytes()
    assert (depths.header.frame_id, bytes(depths.data)) == ('depth_camera', bytes([7] * 8))
    assert (info.width, depth_info.width) == (3, 2)


def test_a_mask_that_waits_is_not_changed_by_the_next_frame() -> None:
    pair, outputs = bundle()
    buffer = MASK.copy()
    pair.on_mask(picture(0), buffer, None)
    buffer[:] = 9
    pair.on_depth(depth(0))
    assert bytes(outputs.mask.publisher.messages[0].data) == MASK.tobytes()
    assert not outputs.camera_info.messages  # nobody has sent one


def test_stamps_too_far_apart_make_no_bundle() -> None:
    pair, outputs = bundle(tolerance_ms=1.0)
    pair.on_depth(depth(0))
    pair.on_mask(picture(2 * MS), MASK, None)
    assert not outputs.mask.publisher.messages


def test_the_nearest_depth_is_taken_and_only_once() -> None:
    pair, outputs = bundle(tolerance_ms=20.0)
    for stamp_ms, level in ((0, 1), (10, 2), (19, 3)):
        pair.on_depth(depth(stamp_ms * MS, level))
    pair.on_mask(picture(12 * MS), MASK, None)
    pair.on_mask(picture(12 * MS), MASK, None)
    assert [item.data[0] for item in outputs.depth.messages] == [2, 3]


def test_what_never_finds_its_counterpart_is_forgotten() -> None:
    pair, outputs = bundle()
    for number in range(100):
        pair.on_depth(depth(number * 100 * MS))
    pair.on_mask(picture(0), MASK, None)
    assert not outputs.mask.publisher.messages
    pair.on_mask(picture(99 * 100 * MS), MASK, None)
    assert len(outputs.mask.publisher.messages) == 1


def test_a_broken_depth_image_harms_nobody() -> None:
    pair, outputs = bundle()
    pair.on_depth(b'\x00\x01')
    pair.on_depth(depth(0))
    pair.on_mask(picture(0), MASK, None)
    assert len(outputs.depth.messages) == 1


@given(
    st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1), st.text(max_size=9), st.booleans()
)
def test_only_the_stamp_changes(sec: int, nanosec: int, frame_id: str, as_bytes: bool) -> None:
    msg = deserialize_message(depth(3, level=4), Image)
    msg.header.frame_id = frame_id.replace('\x00', '')
    payload = bytes(serialize_message(msg)) if as_bytes else msg
    out = restamped(payload, sec=sec, nanosec=nanosec)
    found = deserialize_message(out, Image) if isinstance(out, bytes) else out
    assert found.header.stamp == Time(sec=sec, nanosec=nanosec)
    msg.header.stamp = Time(sec=sec, nanosec=nanosec)
    assert found == msg
