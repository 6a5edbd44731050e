"""From a camera image to the model's input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.errors import ImageError
from lane_seg.fit import FITS, Fit, placement
from lane_seg.preprocess import LETTERBOX_GREY, check_image, tensor_from_image

SIZE = (64, 128)


def ramp(height: int, width: int) -> np.ndarray:
    """Blue rises from left to right and green from top to bottom, 0 to 255; red is 77."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.rint((np.arange(width) + 0.5) / width * 255)
    image[..., 1] = np.rint((np.arange(height) + 0.5) / height * 255)[:, None]
    image[..., 2] = 77
    return image


@settings(max_examples=60)
@given(st.sampled_from(FITS), st.integers(1, 2000), st.integers(1, 2000))
def test_an_image_of_any_size_becomes_a_tensor(fit: Fit, height: int, width: int) -> None:
    image = np.full((height, width, 3), (10, 90, 200), np.uint8)
    tensor = tensor_from_image(image, SIZE, fit)
    assert tensor.shape == (*SIZE, 3)
    assert tensor.dtype == np.uint8
    assert tensor.flags.c_contiguous
    place = placement(fit, (height, width), SIZE).tensor
    assert (tensor[place.slices] == (10, 90, 200)).all()
    bars = np.ones(SIZE, bool)
    bars[place.slices] = False
    assert (tensor[bars] == LETTERBOX_GREY).all()


@settings(max_examples=60)
@given(st.integers(128, 2000), st.integers(256, 2000))
def test_shrinking_moves_nothing(height: int, width: int) -> None:
    image = ramp(height, width)
    tensor = tensor_from_image(image, SIZE).astype(int)
    assert np.abs(tensor - ramp(*SIZE))[2:-2, 2:-2].max() <= 3
    # A shift would show as a difference from the mirrored image, twice as large; rounding, which
    # goes upwards in both, does not. A quarter of a pixel to one side is 1 level, 2 in height.
    mirrored = tensor_from_image(image[::-1, ::-1], SIZE).astype(int)[::-1, ::-1]
    shift = (tensor - mirrored)[2:-2, 2:-2].mean(axis=(0, 1))
    assert (np.abs(shift) < (1.1, 2.2, 0.1)).all()


def test_an_image_of_the_models_size_is_copied_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    tensor = tensor_from_image(image, SIZE)
    assert np.array_equal(tensor, image)
    assert not np.shares_memory(tensor, image)


@pytest.mark.parametrize('image_hw', [(720, 1280), (1080, 1920), (1080, 800), (376, 1241)])
@pytest.mark.parametrize('axis', [0, 1])
def test_a_bright_line_one_pixel_thin_is_never_lost(image_hw: tuple[int, int], axis: int) -> None:
    for place in range(20, image_hw[axis] - 20, 7):
        image = np.zeros((*image_hw, 3), np.uint8)
        image[(slice(None),) * axis + (place,)] = 255
        assert tensor_from_image(image, SIZE).max(axis=axis).all()


def test_shrinking_twice_is_the_exact_mean_of_four_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (2 * SIZE[0], 2 * SIZE[1], 3), np.uint8)
    mean = image.reshape(SIZE[0], 2, SIZE[1], 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(tensor_from_image(image, SIZE) - mean).max() <= 0.5


@pytest.mark.parametrize('fit', FITS)
def test_padded_rows_and_reversed_channels_read_as_their_copy_does(fit: Fit) -> None:
    padded = np.random.default_rng(0).integers(0, 256, (200, 330, 3), np.uint8)
    for view in (padded[:, :300], padded[..., ::-1], padded[::2], padded[:, ::-1]):
        assert not view.flags.c_contiguous
        expected = tensor_from_image(np.ascontiguousarray(view), SIZE, fit)
        assert np.array_equal(tensor_from_image(view, SIZE, fit), expected)


@pytest.mark.parametrize('fit', FITS)
def test_a_given_buffer_is_filled_whole_again_and_again(fit: Fit) -> None:
    buffer = np.empty((*SIZE, 3), np.uint8)
    for image in (ramp(720, 1280), ramp(333, 90), ramp(*SIZE), ramp(1, 1)):
        assert tensor_from_image(image, SIZE, fit, out=buffer) is buffer
        assert np.array_equal(buffer, tensor_from_image(image, SIZE, fit))


def test_an_image_that_may_not_be_written_to_is_read() -> None:
    image = ramp(100, 100)
    image.flags.writeable = False
    tensor_from_image(image, SIZE)


@pytest.mark.parametrize(
    'buffer',
    [
        np.empty((64, 64, 3), np.uint8),
        np.empty((128, 256, 3), np.uint8),
        np.empty((*SIZE, 3), np.float32),
        np.empty((64, 130, 3), np.uint8)[:, :128],
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(buffer: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r'expected a contiguous uint8 buffer \(64, 128, 3\)'):
        tensor_from_image(ramp(100, 100), SIZE, out=buffer)


@pytest.mark.parametrize(
    ('image', 'cause', 'text'),
    [
        (np.zeros((4, 4, 3), np.float32), 'type', 'found float32'),
        (None, 'type', 'found NoneType'),
        (np.zeros((4, 4), np.uint8), 'type', r'found \(4, 4\)'),
        (np.zeros((4, 4, 4), np.uint8), 'type', r'found \(4, 4, 4\)'),
        (np.zeros((0, 4, 3), np.uint8), 'size', 'found 4x0'),
        (np.zeros((4, 0, 3), np.uint8), 'size', 'found 0x4'),
    ],
)
def test_what_is_not_an_image_is_refused_with_its_cause(
    image: np.ndarray, cause: str, text: str
) -> None:
    with pytest.raises(ImageError, match=text) as caught:
        check_image(image)
    assert caught.value.cause == cause
    with pytest.raises(ImageError, match='expected'):
        tensor_from_image(image, SIZE)
