"""A mask comes back to where its image was taken from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.fit import FITS, Fit, placement
from lane_seg.postprocess import UNLABELED_ID, confidence_from_output, mask_from_output
from lane_seg.preprocess import tensor_from_image

SIZE = (48, 96)
sides = st.integers(1, 2000)


def centres(count: int) -> np.ndarray:
    """Middles of `count` equal parts of 0..1."""
    return (np.arange(count) + 0.5) / count


@settings(max_examples=100)
@given(st.sampled_from(FITS), sides, sides)
def test_each_pixel_gets_the_class_found_where_it_was_seen(
    fit: Fit, height: int, width: int
) -> None:
    place = placement(fit, (height, width), SIZE)
    rows, columns = place.image.slices
    for axis in (0, 1):
        # The output names its own row (or column), so the mask tells where each pixel came from.
        output = np.broadcast_to(
            np.arange(SIZE[axis], dtype=np.uint8).reshape((-1, 1) if axis == 0 else (1, -1)), SIZE
        )
        mask = mask_from_output(output, (height, width), fit)
        assert mask.shape == (height, width)
        seen = mask[rows, columns]
        source = place.tensor.top if axis == 0 else place.tensor.left
        count = (place.tensor.height, place.tensor.width)[axis]
        wanted = source + centres(seen.shape[axis]) * count
        found = (seen[:, 0] if axis == 0 else seen[0]) + 0.5
        assert np.abs(found - wanted).max() <= 0.51
        outside = np.ones(mask.shape, bool)
        outside[rows, columns] = False
        assert (mask[outside] == UNLABELED_ID).all()


@settings(max_examples=40)
@given(st.sampled_from(FITS), st.integers(48, 1000), st.integers(96, 1000))
def test_what_the_image_shows_lies_in_the_mask_at_the_same_place(
    fit: Fit, height: int, width: int
) -> None:
    """A bright left and lower part goes through both directions and comes back."""
    bright = np.zeros((height, width), bool)
    bright[:, : width // 2] = True
    bright[2 * height // 3 :] = True
    image = np.repeat(np.where(bright, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    tensor = tensor_from_image(image, SIZE, fit)
    mask = mask_from_output((tensor[..., 0] >= 128).astype(np.uint8), (height, width), fit)
    place = placement(fit, (height, width), SIZE)
    rows, columns = place.image.slices
    wrong = mask[rows, columns] != bright[rows, columns]
    # Along the two edges, up to the size of a tensor's pixel.
    pixel_rows = -(-wrong.shape[0] // place.tensor.height)
    pixel_columns = -(-wrong.shape[1] // place.tensor.width)
    assert wrong.sum() <= pixel_rows * wrong.shape[1] + pixel_columns * wrong.shape[0]


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('image_hw', [(37, 200), (200, 37), SIZE, (1, 1)])
def test_a_given_buffer_is_filled_whole(fit: Fit, image_hw: tuple[int, int]) -> None:
    output = np.random.default_rng(0).integers(0, 3, SIZE, np.uint8)
    buffer = np.full(image_hw, 99, np.uint8)
    assert mask_from_output(output, image_hw, fit, out=buffer) is buffer
    assert np.array_equal(buffer, mask_from_output(output, image_hw, fit))
    assert set(np.unique(buffer)) <= {0, 1, 2, UNLABELED_ID}


def test_no_class_appears_that_the_model_did_not_name() -> None:
    output = np.where(np.random.default_rng(0).random(SIZE) < 0.5, 0, 2).astype(np.uint8)
    assert set(np.unique(mask_from_output(output, (720, 1280)))) == {0, 2}


def test_the_output_of_an_engine_may_be_read_only() -> None:
    output = np.ones(SIZE, np.uint8)
    output.flags.writeable = False
    assert mask_from_output(output, (10, 10)).all()


@settings(max_examples=100)
@given(st.sampled_from(FITS), sides, sides)
def test_confidence_is_mixed_where_it_was_seen_and_0_elsewhere(
    fit: Fit, height: int, width: int
) -> None:
    place = placement(fit, (height, width), SIZE)
    rows, columns = place.image.slices
    for axis in (0, 1):
        # It rises by 2 from pixel to pixel along one axis; bilinear scaling keeps that slope.
        ramp = 2 * np.arange(1, SIZE[axis] + 1, dtype=np.uint8)
        output = np.broadcast_to(ramp.reshape((-1, 1) if axis == 0 else (1, -1)), SIZE)
        confidence = confidence_from_output(output, (height, width), fit)
        assert (confidence.shape, confidence.dtype) == ((height, width), np.uint8)
        seen = confidence[rows, columns]
        first = (place.tensor.top, place.tensor.left)[axis]
        count = (place.tensor.height, place.tensor.width)[axis]
        wanted = 2 * (first + 0.5 + centres(seen.shape[axis]) * count)
        wanted = np.clip(wanted, ramp[first], ramp[first + count - 1])
        found = seen[:, 0] if axis == 0 else seen[0]
        assert np.abs(found - wanted).max() <= 1
        outside = np.ones(confidence.shape, bool)
        outside[rows, columns] = False
        assert not confidence[outside].any()


@pytest.mark.parametrize('fit', FITS)
def test_confidence_goes_into_the_buffer_that_is_given(fit: Fit) -> None:
    output = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    out = np.full((300, 500), 77, np.uint8)
    assert confidence_from_output(output, (300, 500), fit, out=out) is out
    assert np.array_equal(out, confidence_from_output(output, (300, 500), fit))
