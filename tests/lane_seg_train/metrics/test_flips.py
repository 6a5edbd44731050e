"""Flicker is counted between consecutive frames, apart from the motion of the camera."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg_train.metrics import FlipRate

GREY = np.full((8, 10, 3), 120, np.uint8)


def rates(*frames: tuple[np.ndarray, np.ndarray]) -> FlipRate:
    flips = FlipRate()
    for image, mask in frames:
        flips.add(image, mask)
    return flips


def mask(*columns: int) -> np.ndarray:
    found = np.zeros((8, 10), np.uint8)
    found[:, list(columns)] = 2
    return found


@settings(max_examples=50, deadline=None)
@given(npst.arrays(np.uint8, (5, 4, 6), elements=st.integers(0, 2)))
def test_the_rate_is_the_share_of_changes_over_all_pairs(masks: np.ndarray) -> None:
    image = np.full((4, 6, 3), 120, np.uint8)
    flips = rates(*((image, one) for one in masks))
    assert flips.frame_pairs == 4
    assert flips.rate == pytest.approx(float((masks[1:] != masks[:-1]).mean()))
    assert flips.still_rate == flips.rate
    assert flips.still_share == 1.0


def test_a_mask_that_the_next_frame_overwrites_is_remembered() -> None:
    flips, buffer = FlipRate(), mask(1)
    flips.add(GREY, buffer)
    buffer[:] = mask(2)
    flips.add(GREY, buffer)
    assert flips.rate == 2 / 10


def test_what_moves_with_the_picture_is_no_flicker_of_a_still_pixel() -> None:
    def picture(column: int) -> np.ndarray:
        image = GREY.copy()
        image[:, column] = 255
        return image

    wide = [np.repeat(np.repeat(picture(column), 4, 0), 4, 1) for column in (1, 4)]
    masks = [np.repeat(np.repeat(mask(column), 4, 0), 4, 1) for column in (1, 4)]
    flips = rates(*zip(wide, masks, strict=True))
    assert flips.rate == 2 / 10
    assert flips.still_rate == 0
    assert 0.5 < flips.still_share < 0.9


def test_noise_of_the_camera_leaves_pixels_still() -> None:
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(120, 4, (2, 40, 50, 3)), 0, 255).astype(np.uint8)
    nothing = np.zeros((40, 50), np.uint8)
    assert rates(*((image, nothing) for image in images)).still_share > 0.99


def test_frames_on_both_sides_of_a_cut_are_not_compared() -> None:
    flips = rates((GREY, mask(1)))
    flips.cut()
    flips.add(GREY, mask(2))
    assert flips.frame_pairs == 0
    flips.add(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))  # another size
    assert math.isnan(flips.rate)
    assert math.isnan(flips.still_rate)
    assert math.isnan(flips.still_share)
