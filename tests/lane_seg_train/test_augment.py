"""Random changes keep image and label together, and come from one generator."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.preprocess import LETTERBOX_GREY
from lane_seg_train.augment import augment
from lane_seg_train.config import AugmentConfig

IGNORE = 0b111
NOTHING = AugmentConfig(
    flip=0.0, scale=(1.0, 1.0), stretch=0.0, rotate_deg=0.0, brightness=0.0, contrast=0.0,
    colour=0.0, gamma=0.0, blur=0.0, noise=0.0, shadow=0.0,
)  # fmt: skip
GEOMETRY = replace(NOTHING, flip=0.5, scale=(0.7, 1.8), stretch=0.2, rotate_deg=5.0)


def example(height: int = 48, width: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A bright square on dark ground; its label is 4 inside and 3 outside."""
    image = np.full((height, width, 3), 40, np.uint8)
    bits = np.full((height, width), 3, np.uint8)
    image[15:35, 30:60] = 220
    bits[15:35, 30:60] = 4
    return image, bits


def augmented(config: AugmentConfig, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return augment(*example(), config, np.random.default_rng(seed), ignore_bits=IGNORE)


def test_with_everything_off_nothing_changes() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 96, 3), np.uint8)
    _, bits = example()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        new_image, new_bits = augment(image, bits, NOTHING, rng, ignore_bits=IGNORE)
        assert np.array_equal(new_image, image)
        assert np.array_equal(new_bits, bits)


def test_the_same_generator_gives_the_same_example() -> None:
    for seed in range(5):
        first, second = augmented(AugmentConfig(), seed), augmented(AugmentConfig(), seed)
        assert np.array_equal(first[0], second[0])
        assert np.array_equal(first[1], second[1])
    assert not np.array_equal(augmented(AugmentConfig(), 0)[0], augmented(AugmentConfig(), 1)[0])


def test_the_example_itself_is_not_changed() -> None:
    image, bits = example()
    image.flags.writeable = bits.flags.writeable = False
    augment(image, bits, AugmentConfig(), np.random.default_rng(0), ignore_bits=IGNORE)


@settings(max_examples=100)
@given(st.integers(0, 1 << 32))
def test_no_set_appears_that_was_not_there(seed: int) -> None:
    image, bits = augmented(AugmentConfig(), seed)
    assert image.shape == (48, 96, 3)
    assert image.dtype == bits.dtype == np.uint8
    assert set(np.unique(bits)) <= {3, 4, IGNORE}


@settings(max_examples=100)
@given(st.integers(0, 1 << 32))
def test_the_square_stays_on_its_label(seed: int) -> None:
    image, bits = augmented(GEOMETRY, seed)
    # Half way between dark and bright is the edge; the two round it in their own ways.
    bright = image[..., 0] > 130
    wrong = bright != (bits == 4)
    wrong[bits == IGNORE] = False
    assert wrong.sum() <= 0.06 * (bits == 4).sum() + 8


def test_image_and_label_are_not_shifted_against_each_other() -> None:
    offsets = []
    for seed in range(300):
        image, bits = augmented(GEOMETRY, seed)
        light = np.clip((image[..., 0].astype(float) - 40) / 180, 0, 1)
        rows, columns = np.nonzero(bits == 4)
        if (bits == IGNORE).any() or not rows.size or rows.min() == 0 or rows.max() == 47:
            continue
        if columns.min() == 0 or columns.max() == 95:
            continue
        offsets.append(
            [
                (light.sum(axis=1) @ np.arange(48)) / light.sum() - rows.mean(),
                (light.sum(axis=0) @ np.arange(96)) / light.sum() - columns.mean(),
            ]
        )
    assert len(offsets) > 20
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1


def test_what_lies_outside_the_picture_is_grey_and_ignored() -> None:
    for seed in range(20):
        image, bits = augmented(replace(NOTHING, scale=(0.5, 0.5)), seed)
        outside = bits == IGNORE
        assert 0.7 < outside.mean() < 0.8
        # Away from the seam, where the image is half picture and half grey.
        inner = cv2.erode(outside.astype(np.uint8), np.ones((3, 3))) == 1
        assert inner.any()
        assert (image[inner] == LETTERBOX_GREY).all()


def test_a_flip_with_probability_1_mirrors_every_column_and_with_0_none() -> None:
    image, bits = example()
    for seed in range(5):
        flipped, flipped_bits = augmented(replace(NOTHING, flip=1.0), seed)
        assert np.array_equal(flipped, image[:, ::-1])
        assert np.array_equal(flipped_bits, bits[:, ::-1])
        same, same_bits = augmented(NOTHING, seed)
        assert np.array_equal(same, image)
        assert np.array_equal(same_bits, bits)


@pytest.mark.parametrize(('zoom', 'margin'), [(2.0, 24), (3.0, 32)])
def test_zooming_is_about_the_middle_on_average(zoom: float, margin: int) -> None:
    """The part that is shown, averaged over many draws, is the middle of the picture."""
    height, width = 48, 96
    columns = np.broadcast_to(np.arange(width, dtype=np.uint8), (height, width))
    image = np.repeat(columns[..., None], 3, axis=2).copy()
    _, bits = example()
    config = replace(NOTHING, scale=(zoom, zoom))
    means = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        moved, _ = augment(image, bits, config, rng, ignore_bits=IGNORE)
        means.append(moved.mean())
    assert abs(np.mean(means) - (width - 1) / 2) < 0.15 * margin
    assert min(means) < (width - 1) / 2 - 0.7 * margin
    assert max(means) > (width - 1) / 2 + 0.7 * margin


def test_noise_is_in_every_channel() -> None:
    grey = np.full((48, 96, 3), 128, np.uint8)
    _, bits = example()
    config = replace(NOTHING, noise=40.0)
    spreads = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        noisy, _ = augment(grey, bits, config, rng, ignore_bits=IGNORE)
        spreads.append(noisy.std(axis=(0, 1)))
    assert np.all(np.mean(spreads, axis=0) > 10)
    assert np.allclose(np.max(spreads, axis=1), np.min(spreads, axis=1), rtol=0.1)


def test_a_shadow_darkens_and_never_brightens() -> None:
    image, bits = example()
    darker = 0
    for seed in range(10):
        shaded, new_bits = augmented(replace(NOTHING, shadow=1.0), seed)
        assert np.array_equal(new_bits, bits)
        assert (shaded <= image).all()
        darker += bool((shaded < image).any())
    assert darker >= 8


def test_light_changes_leave_the_label_alone() -> None:
    image, bits = example()
    config = replace(NOTHING, brightness=40.0, contrast=0.4, colour=0.1, gamma=0.4, blur=1.0)
    changed, new_bits = augmented(config)
    assert not np.array_equal(changed, image)
    assert np.array_equal(new_bits, bits)
