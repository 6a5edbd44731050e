"""Image messages: round trips, every encoding against a slow reference, every broken message."""

from __future__ import annotations

import sys
from array import array
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('sensor_msgs')

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from lane_seg.errors import ImageError
from lane_seg_ros.image_messages import SUPPORTED_ENCODINGS, image_from_msg, msg_from_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixel = tuple[float, float, float]
    PixelOf = Callable[[bytes, int, int], Pixel]

# name -> (bytes per pixel, (row bytes, x, is big endian) -> (blue, green, red)).
POINTWISE: dict[str, tuple[int, PixelOf]] = {
    'bgr8': (3, lambda row, x, _: (row[3 * x], row[3 * x + 1], row[3 * x + 2])),
    '8UC3': (3, lambda row, x, _: (row[3 * x], row[3 * x + 1], row[3 * x + 2])),
    'rgb8': (3, lambda row, x, _: (row[3 * x + 2], row[3 * x + 1], row[3 * x])),
    'bgra8': (4, lambda row, x, _: (row[4 * x], row[4 * x + 1], row[4 * x + 2])),
    '8UC4': (4, lambda row, x, _: (row[4 * x], row[4 * x + 1], row[4 * x + 2])),
    'rgba8': (4, lambda row, x, _: (row[4 * x + 2], row[4 * x + 1], row[4 * x])),
    'mono8': (1, lambda row, x, _: (row[x],) * 3),
    '8UC1': (1, lambda row, x, _: (row[x],) * 3),
    'mono16': (2, lambda row, x, big: (row[2 * x] if big else row[2 * x + 1],) * 3),
}
YUV = {'yuv422': 'UYVY', 'uyvy': 'UYVY', 'yuv422_yuy2': 'YUYV', 'yuyv': 'YUYV'}
# The colour under each pixel of the first two rows, as the ROS names say it.
BAYER = {
    'bayer_rggb8': 'rggb',
    'bayer_bggr8': 'bggr',
    'bayer_gbrg8': 'gbrg',
    'bayer_grbg8': 'grbg',
}


def image_msg(
    encoding: str,
    height: int,
    width: int,
    row_bytes: int,
    *,
    padding: int = 0,
    big_endian: bool = False,
    seed: int = 0,
) -> Image:
    """A message of random bytes, padding included."""
    step = row_bytes + padding
    noise = np.random.default_rng(seed).integers(0, 256, height * step, dtype=np.uint8)
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=step,
        data=array('B', noise.tobytes()),
    )


def row_of(msg: Image, y: int) -> bytes:
    return bytes(msg.data[y * msg.step : (y + 1) * msg.step])


def pointwise_reference(msg: Image) -> NDArray[np.uint8]:
    _, pixel = POINTWISE[msg.encoding]
    rows = [
        [pixel(row_of(msg, y), x, msg.is_bigendian) for x in range(msg.width)]
        for y in range(msg.height)
    ]
    return np.array(rows, np.uint8)


def yuv_reference(msg: Image) -> NDArray[np.float64]:
    """BT.601 with limited range; two neighbours share U and V."""
    order = YUV[msg.encoding]
    bgr = np.zeros((msg.height, msg.width, 3))
    for y in range(msg.height):
        row = row_of(msg, y)
        for x in range(msg.width):
            pair = row[4 * (x // 2) : 4 * (x // 2) + 4]
            luma = pair[[i for i, letter in enumerate(order) if letter == 'Y'][x % 2]]
            u, v = pair[order.index('U')] - 128, pair[order.index('V')] - 128
            grey = 1.164383 * max(luma - 16, 0)
            bgr[y, x] = (
                grey + 2.017232 * u,
                grey - 0.391762 * u - 0.812968 * v,
                grey + 1.596027 * v,
            )
    return np.clip(bgr, 0, 255)


def bayer_reference(msg: Image) -> NDArray[np.float64]:
    """Each colour as the mean of its nearest samples; only inner pixels have all neighbours."""
    pattern = BAYER[msg.encoding]
    raw = np.array([list(row_of(msg, y)[: msg.width]) for y in range(msg.height)], float)
    inner = np.zeros((msg.height - 2, msg.width - 2, 3))
    for y in range(1, msg.height - 1):
        for x in range(1, msg.width - 1):
            for channel, colour in enumerate('bgr'):
                samples: dict[int, list[float]] = {}
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        if pattern[2 * ((y + dy) % 2) + (x + dx) % 2] == colour:
                            samples.setdefault(dy * dy + dx * dx, []).append(raw[y + dy, x + dx])
                nearest = samples[min(samples)]
                inner[y - 1, x - 1, channel] = sum(nearest) / len(nearest)
    return inner


SIDES = st.integers(1, 13)
PADDING = st.sampled_from([0, 0, 1, 2, 5, 64])
SEEDS = st.integers(0, 2**16)


@given(st.sampled_from(sorted(POINTWISE)), SIDES, SIDES, PADDING, SEEDS, st.booleans())
def test_an_image_equals_the_reference_in_every_pointwise_encoding(
    encoding: str, height: int, width: int, padding: int, seed: int, big_endian: bool
) -> None:
    row_bytes = width * POINTWISE[encoding][0]
    msg = image_msg(
        encoding, height, width, row_bytes, padding=padding, big_endian=big_endian, seed=seed
    )
    image = image_from_msg(msg)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, pointwise_reference(msg))


@given(st.sampled_from(sorted(YUV)), SIDES, st.integers(1, 7), PADDING, SEEDS)
def test_an_image_equals_the_reference_in_every_yuv_encoding(
    encoding: str, height: int, pairs: int, padding: int, seed: int
) -> None:
    msg = image_msg(encoding, height, 2 * pairs, 4 * pairs, padding=padding, seed=seed)
    image = image_from_msg(msg)
    assert image.shape == (height, 2 * pairs, 3)
    # OpenCV calculates in fixed point: two levels off at most.
    np.testing.assert_allclose(image.astype(float), yuv_reference(msg), atol=2)


@given(st.sampled_from(sorted(BAYER)), st.integers(3, 12), st.integers(3, 12), PADDING, SEEDS)
def test_an_image_equals_the_reference_in_every_bayer_pattern(
    encoding: str, height: int, width: int, padding: int, seed: int
) -> None:
    msg = image_msg(encoding, height, width, width, padding=padding, seed=seed)
    image = image_from_msg(msg)
    assert image.shape == (height, width, 3)
    np.testing.assert_allclose(image[1:-1, 1:-1].astype(float), bayer_reference(msg), atol=0.51)


def test_every_supported_encoding_has_a_reference() -> None:
    assert set(SUPPORTED_ENCODINGS) == {*POINTWISE, *YUV, *BAYER}


def test_a_red_surface_is_red_in_every_bayer_pattern() -> None:
    for encoding, pattern in BAYER.items():
        tile = np.array([255 if colour == 'r' else 0 for colour in pattern], np.uint8)
        mosaic = np.tile(tile.reshape(2, 2), (4, 4))
        msg = Image(
            height=8, width=8, encoding=encoding, step=8, data=array('B', mosaic.tobytes())
        )
        assert image_from_msg(msg)[4, 4].tolist() == [0, 0, 255], encoding


@given(
    st.sampled_from(['bgr8', 'mono8']), SIDES, SIDES, SEEDS, st.integers(0, 2**31 - 1), st.text()
)
def test_an_image_comes_back_from_its_message_unchanged(
    encoding: str, height: int, width: int, seed: int, sec: int, frame_id: str
) -> None:
    shape = (height, width, 3) if encoding == 'bgr8' else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    header = Header(stamp=Time(sec=sec, nanosec=seed), frame_id=frame_id)
    msg = msg_from_image(image, encoding=encoding, header=header)
    assert msg.header == header
    assert (msg.height, msg.width, msg.step) == (
        height,
        width,
        width * (image.size // height // width),
    )
    assert isinstance(msg.data, array)
    back = image_from_msg(msg)
    np.testing.assert_array_equal(back if encoding == 'bgr8' else back[:, :, 1], image)


def test_a_view_of_a_larger_array_becomes_a_compact_message() -> None:
    whole = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    msg = msg_from_image(whole[2:5, 1:4], encoding='bgr8', header=Header())
    assert msg.step == 9
    np.testing.assert_array_equal(image_from_msg(msg), whole[2:5, 1:4])


def test_an_unpadded_bgr_image_is_a_view_of_the_message() -> None:
    msg = image_msg('bgr8', 4, 5, 15)
    image = image_from_msg(msg)
    msg.data[0] ^= 255
    assert image[0, 0, 0] == msg.data[0]


def test_a_padded_image_comes_out_unpadded() -> None:
    msg = image_msg('bgr8', 3, 5, 15, padding=17)
    image = image_from_msg(msg)
    assert image.shape == (3, 5, 3)
    assert image.flags.c_contiguous


def test_more_data_than_needed_is_accepted() -> None:
    msg = image_msg('mono8', 2, 2, 2)
    msg.data.extend([1, 2, 3])
    assert image_from_msg(msg).shape == (2, 2, 3)


@pytest.mark.parametrize(('height', 'width'), [(0, 4), (4, 0), (0, 0)])
def test_a_zero_size_is_refused(height: int, width: int) -> None:
    with pytest.raises(ImageError, match=f'{height} x {width}') as caught:
        image_from_msg(Image(height=height, width=width, encoding='bgr8', step=3 * width))
    assert caught.value.cause == 'size'


@pytest.mark.parametrize('encoding', sorted(YUV))
def test_an_odd_width_is_refused_where_two_pixels_share_a_colour(encoding: str) -> None:
    with pytest.raises(ImageError, match='must be even') as caught:
        image_from_msg(image_msg(encoding, 4, 5, 10))
    assert caught.value.cause == 'size'


@pytest.mark.parametrize('encoding', sorted(BAYER))
def test_a_mosaic_too_small_to_interpolate_is_refused(encoding: str) -> None:
    with pytest.raises(ImageError, match='at least 3') as caught:
        image_from_msg(image_msg(encoding, 2, 8, 8))
    assert caught.value.cause == 'size'


@given(st.sampled_from(sorted(POINTWISE)), SIDES, SIDES, st.data())
def test_a_step_smaller_than_a_row_is_refused(
    encoding: str, height: int, width: int, data: st.DataObject
) -> None:
    row_bytes = width * POINTWISE[encoding][0]
    msg = image_msg(encoding, height, width, row_bytes)
    msg.step = data.draw(st.integers(0, row_bytes - 1))
    with pytest.raises(ImageError, match=f'step is {msg.step} bytes') as caught:
        image_from_msg(msg)
    assert caught.value.cause == 'step'


@given(st.sampled_from(sorted(POINTWISE)), SIDES, SIDES, PADDING, st.data())
def test_data_shorter_than_its_rows_is_refused(
    encoding: str, height: int, width: int, padding: int, data: st.DataObject
) -> None:
    msg = image_msg(encoding, height, width, width * POINTWISE[encoding][0], padding=padding)
    msg.data = msg.data[: data.draw(st.integers(0, len(msg.data) - 1))]
    with pytest.raises(ImageError, match='cut short') as caught:
        image_from_msg(msg)
    assert caught.value.cause == 'truncated'


@pytest.mark.parametrize('encoding', ['', 'jpeg', '16UC1', '32FC1', 'BGR8', 'nv21'])
def test_an_unknown_encoding_is_refused_and_the_known_ones_are_named(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    with pytest.raises(ImageError) as caught:
        image_from_msg(image_msg(encoding, 2, 2, 8))
    assert caught.value.cause == 'encoding'
    for text in (repr(encoding), 'bgr8', 'bayer_grbg8', 'cv_bridge'):
        assert text in str(caught.value)


def cv_bridge_that(convert: Callable[[Image, str], NDArray[np.uint8]]) -> ModuleType:
    """A stand-in for cv_bridge, whose binary part cannot be installed from PyPI."""

    class CvBridge:
        def imgmsg_to_cv2(self, msg: Image, desired_encoding: str) -> NDArray[np.uint8]:
            return convert(msg, desired_encoding)

    module = ModuleType('cv_bridge')
    module.__dict__['CvBridge'] = CvBridge
    return module


def test_an_unknown_encoding_goes_through_cv_bridge_where_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = np.full((2, 2, 3), 7, np.uint8)
    asked: list[str] = []

    def convert(msg: Image, encoding: str) -> NDArray[np.uint8]:
        asked.append(f'{msg.encoding} to {encoding}')
        return image

    monkeypatch.setitem(sys.modules, 'cv_bridge', cv_bridge_that(convert))
    np.testing.assert_array_equal(image_from_msg(image_msg('nv21', 2, 2, 8)), image)
    assert asked == ['nv21 to bgr8']


def test_a_failure_of_cv_bridge_is_an_image_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def convert(msg: Image, encoding: str) -> NDArray[np.uint8]:
        raise TypeError('no way from here to there')

    monkeypatch.setitem(sys.modules, 'cv_bridge', cv_bridge_that(convert))
    with pytest.raises(ImageError, match='no way from here to there') as caught:
        image_from_msg(image_msg('nv21', 2, 2, 8))
    assert caught.value.cause == 'encoding'


@pytest.mark.parametrize(
    ('image', 'encoding', 'cause'),
    [
        (np.zeros((2, 2), np.uint8), 'bgr8', 'type'),
        (np.zeros((2, 2, 3), np.uint8), 'mono8', 'type'),
        (np.zeros((2, 2, 4), np.uint8), 'bgr8', 'type'),
        (np.zeros((2, 2), np.float32), 'mono8', 'type'),
        (np.zeros((2, 2, 3), np.uint8), 'rgb8', 'encoding'),
    ],
)
def test_an_array_that_does_not_fit_the_encoding_is_refused(
    image: NDArray[np.uint8], encoding: str, cause: str
) -> None:
    with pytest.raises(ImageError) as caught:
        msg_from_image(image, encoding=encoding, header=Header())
    assert caught.value.cause == cause
