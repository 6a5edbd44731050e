"""Small islands go to what surrounds them, large ones stay."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from lane_seg.specks import remove_specks

MASKS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)
)


def road() -> NDArray[np.uint8]:
    mask = np.zeros((40, 60), np.uint8)
    mask[20:] = 1
    return mask


def areas(mask: NDArray[np.uint8], class_id: int) -> list[int]:
    own = (mask == class_id).astype(np.uint8)
    return sorted(cv2.connectedComponentsWithStats(own, connectivity=8)[2][1:, 4].tolist())


def test_a_speck_becomes_what_surrounds_it() -> None:
    mask = road()
    mask[30:32, 10:12] = 2  # on the road
    mask[5, 5] = 2  # in the sky
    mask[30:38, 40:43] = 2  # a line
    expected = road()
    expected[30:38, 40:43] = 2
    np.testing.assert_array_equal(remove_specks(mask, (2,), 5), expected)


def test_an_area_of_the_smallest_size_stays() -> None:
    mask = road()
    mask[30, 10:15] = 2
    assert remove_specks(mask, (2,), 5) is mask
    assert not (remove_specks(mask, (2,), 5.01) == 2).any()


def test_pixels_that_touch_at_a_corner_belong_together() -> None:
    mask = np.zeros((8, 8), np.uint8)
    np.fill_diagonal(mask, 2)
    assert remove_specks(mask, (2,), 8) is mask


def test_a_mask_that_is_one_speck_altogether_has_no_rim_and_becomes_background() -> None:
    mask = np.full((2, 2), 2, np.uint8)
    assert not remove_specks(mask, (2,), 100).any()


@given(MASKS, st.integers(0, 20))
def test_nothing_small_is_left_and_nothing_large_is_lost(
    mask: NDArray[np.uint8], min_area: int
) -> None:
    before = mask.copy()
    cleaned = remove_specks(mask, (2,), min_area)
    np.testing.assert_array_equal(mask, before)
    assert areas(cleaned, 2) == [area for area in areas(mask, 2) if area >= min_area]
    np.testing.assert_array_equal(cleaned[mask != 2], mask[mask != 2])
