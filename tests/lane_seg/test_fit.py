"""Where an image of any size goes in the model's input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.fit import FITS, Fit, Region, placement

sizes = st.tuples(st.integers(1, 2000), st.integers(1, 2000))
fits = st.sampled_from(FITS)


def inside(region: Region, size: tuple[int, int]) -> bool:
    return (
        region.top >= 0
        and region.left >= 0
        and region.height >= 1
        and region.width >= 1
        and region.top + region.height <= size[0]
        and region.left + region.width <= size[1]
    )


@given(fits, sizes, sizes)
def test_both_parts_hold_a_pixel_and_lie_inside(
    fit: Fit, image_hw: tuple[int, int], tensor_hw: tuple[int, int]
) -> None:
    place = placement(fit, image_hw, tensor_hw)
    assert inside(place.image, image_hw)
    assert inside(place.tensor, tensor_hw)


@given(fits, sizes)
def test_an_image_of_the_models_size_fills_it(fit: Fit, size: tuple[int, int]) -> None:
    whole = Region(0, 0, *size)
    place = placement(fit, size, size)
    assert (place.image, place.tensor) == (whole, whole)


@given(st.sampled_from(['crop', 'letterbox']), sizes, sizes)
def test_crop_and_letterbox_keep_the_aspect_ratio_to_a_pixel(
    fit: Fit, image_hw: tuple[int, int], tensor_hw: tuple[int, int]
) -> None:
    place = placement(fit, image_hw, tensor_hw)
    # What is a whole number of pixels may differ from what was asked for by half a pixel,
    # or by more where that would be less than one.
    part, frame = (place.image, place.tensor) if fit == 'crop' else (place.tensor, place.image)
    exact_height = part.width * frame.height / frame.width
    exact_width = part.height * frame.width / frame.height
    assert min(abs(part.height - exact_height), abs(part.width - exact_width)) <= 1


def test_stretch_uses_everything_whatever_the_aspect_ratio() -> None:
    place = placement('stretch', (720, 1280), (256, 512))
    assert place.image == Region(0, 0, 720, 1280)
    assert place.tensor == Region(0, 0, 256, 512)


def test_crop_takes_the_bottom_of_a_tall_image() -> None:
    place = placement('crop', (720, 1280), (256, 512))
    assert place.image == Region(80, 0, 640, 1280)
    assert place.tensor == Region(0, 0, 256, 512)


def test_crop_takes_the_middle_of_a_wide_image() -> None:
    assert placement('crop', (376, 1241), (256, 512)).image == Region(0, 244, 376, 752)


def test_letterbox_centres_the_image_between_its_bars() -> None:
    place = placement('letterbox', (720, 1280), (256, 512))
    assert place.image == Region(0, 0, 720, 1280)
    assert place.tensor == Region(0, 28, 256, 455)


@pytest.mark.parametrize('fit', FITS)
def test_a_single_pixel_and_a_strip_have_a_place(fit: Fit) -> None:
    for image_hw in ((1, 1), (1, 5000), (5000, 1)):
        assert inside(placement(fit, image_hw, (256, 512)).image, image_hw)
