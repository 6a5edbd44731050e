"""Images as bytes, against rclpy's own serialization in both directions."""

from __future__ import annotations

import struct
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError
from lane_seg_ros.image_cdr import cdr_from_image, image_from_cdr, rclpy_agrees
from lane_seg_ros.image_messages import SUPPORTED_ENCODINGS, image_from_msg

FRAME_IDS = st.text(st.characters(exclude_characters='\x00', exclude_categories=['Cs']))
STAMPS = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=st.integers(0, 2**32 - 1))
HEADERS = st.builds(Header, stamp=STAMPS, frame_id=FRAME_IDS)
# Any message whatever, whether its sizes fit together or not.
MESSAGES = st.builds(
    Image,
    header=HEADERS,
    height=st.integers(0, 2**32 - 1),
    width=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from(SUPPORTED_ENCODINGS) | FRAME_IDS,
    is_bigendian=st.integers(0, 255),
    step=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=64).map(lambda data: array('B', data)),
)
FIELDS = ('height', 'width', 'encoding', 'is_bigendian', 'step')


def big_endian(msg: Image) -> bytes:
    """The same message in the other byte order, written field by field."""

    def text(value: str) -> bytes:
        content = value.encode() + b'\0'
        return struct.pack('>I', len(content)) + content

    def pad(head: bytes) -> bytes:
        return head + bytes(-len(head) % 4)

    body = struct.pack('>iI', msg.header.stamp.sec, msg.header.stamp.nanosec)
    body = pad(body + text(msg.header.frame_id)) + struct.pack('>II', msg.height, msg.width)
    body = pad(body + text(msg.encoding) + bytes([msg.is_bigendian]))
    return b'\0\0\0\0' + body + struct.pack('>II', msg.step, len(msg.data)) + bytes(msg.data)


def test_the_middleware_of_this_process_writes_as_we_do() -> None:
    assert rclpy_agrees()


@given(MESSAGES, st.booleans(), st.binary(max_size=3))
def test_what_rclpy_writes_is_read(msg: Image, swapped: bool, padding: bytes) -> None:
    buffer = big_endian(msg) if swapped else bytes(serialize_message(msg))
    found = image_from_cdr(buffer + padding)
    assert {name: getattr(found, name) for name in FIELDS} == {
        name: getattr(msg, name) for name in FIELDS
    }
    assert found.header == msg.header
    assert bytes(found.data) == bytes(msg.data)


@given(
    st.sampled_from([('bgr8', 3), ('mono8', 1)]),
    st.integers(1, 9),
    st.integers(1, 9),
    STAMPS,
    FRAME_IDS,
    st.integers(1, 3),
)
def test_what_we_write_rclpy_reads_and_writes_as_long(
    kind: tuple[str, int], height: int, width: int, stamp: Time, frame_id: str, stride: int
) -> None:
    encoding, channels = kind
    noise = np.random.default_rng(height).integers(0, 256, (height, width * stride, channels))
    pixels = noise.astype(np.uint8)[:, ::stride]
    image = pixels if channels > 1 else pixels[..., 0]
    ours = cdr_from_image(
        image, encoding=encoding, sec=stamp.sec, nanosec=stamp.nanosec, frame_id=frame_id
    )
    msg = deserialize_message(ours, Image)
    assert msg.header == Header(stamp=stamp, frame_id=frame_id)
    assert (msg.height, msg.width, msg.step) == (height, width, width * channels)
    assert (msg.encoding, msg.is_bigendian) == (encoding, 0)
    assert bytes(msg.data) == pixels.tobytes()
    assert len(serialize_message(msg)) == len(ours)


@pytest.mark.parametrize('encoding', SUPPORTED_ENCODINGS)
def test_the_picture_is_the_same_by_either_way(encoding: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 6 * 40, dtype=np.uint8)
    msg = Image(height=6, width=8, encoding=encoding, step=40, data=noise.tobytes())
    raw = image_from_cdr(bytes(serialize_message(msg)))
    np.testing.assert_array_equal(image_from_msg(raw), image_from_msg(msg))


def test_pixels_are_not_copied_on_the_way_in() -> None:
    msg = Image(height=2, width=3, encoding='bgr8', step=9, data=bytes(18))
    buffer = bytes(serialize_message(msg))
    image = image_from_msg(image_from_cdr(buffer))
    assert np.shares_memory(image, np.frombuffer(buffer, np.uint8))


def test_a_frame_id_that_is_no_text_goes_out_as_it_came_in() -> None:
    msg = Image(header=Header(frame_id='cam_ra'), height=1, width=1, encoding='mono8', step=1)
    found = image_from_cdr(bytes(serialize_message(msg)).replace(b'cam_ra', b'cam\xff\xfea'))
    out = cdr_from_image(
        np.zeros((1, 1), np.uint8), encoding='mono8', sec=0, nanosec=0, frame_id=found.frame_id
    )
    assert b'cam\xff\xfea\0' in out


@given(MESSAGES, st.data())
def test_a_message_that_ends_early_is_refused(msg: Image, data: st.DataObject) -> None:
    buffer = bytes(serialize_message(msg))
    length = data.draw(st.integers(0, len(buffer) - 1))
    with pytest.raises(ImageError) as caught:
        image_from_cdr(buffer[:length])
    assert caught.value.cause == 'truncated'


@settings(max_examples=1000)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b'\0\1\0\0' + rest))
def test_any_bytes_give_an_image_or_a_clear_error(buffer: bytes) -> None:
    try:
        found = image_from_cdr(buffer)
    except ImageError as error:
        assert error.cause in ('truncated', 'encoding')
    else:
        assert len(found.data) <= len(buffer)


@pytest.mark.parametrize('kind', [b'\0\2\0\0', b'\0\7\0\0', b'\1\0\0\0'])
def test_another_representation_is_refused(kind: bytes) -> None:
    with pytest.raises(ImageError, match='fast_path:=false') as caught:
        image_from_cdr(kind + bytes(100))
    assert caught.value.cause == 'encoding'


@pytest.mark.parametrize(
    ('image', 'encoding', 'cause'),
    [
        (np.zeros((2, 2), np.uint8), 'bgr8', 'type'),
        (np.zeros((2, 2, 3), np.uint8), 'mono8', 'type'),
        (np.zeros((2, 2, 3), np.float32), 'bgr8', 'type'),
        (np.zeros((2, 2, 3), np.uint8), 'rgb8', 'encoding'),
    ],
)
def test_what_cannot_be_written_is_named(image: np.ndarray, encoding: str, cause: str) -> None:
    with pytest.raises(ImageError) as caught:
        cdr_from_image(image, encoding=encoding, sec=0, nanosec=0, frame_id='')
    assert caught.value.cause == cause
