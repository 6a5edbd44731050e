"""Class colours blended over an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg.bundle import ClassInfo
from lane_seg.errors import ImageError
from lane_seg.overlay import Painter, draw_mask

CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'road', (0, 160, 0)),
    ClassInfo(2, 'lane_marking', (10, 20, 255)),
    ClassInfo(3, 'hood', (0, 0, 0)),
)
MANY = (CLASSES[0], *(ClassInfo(i, f'class {i}', (40 * i, 9, 255 - i)) for i in range(1, 7)))
COLOURED = (ClassInfo(0, 'background', (200, 0, 100)), *CLASSES[1:])


def slow_overlay(
    image: np.ndarray, mask: np.ndarray, classes: tuple[ClassInfo, ...], alpha: float
) -> np.ndarray:
    result = image.astype(float)
    for info in classes:
        if any(info.colour_bgr):
            chosen = mask == info.id
            result[chosen] = (1 - alpha) * result[chosen] + alpha * np.array(info.colour_bgr)
    return result


def picture(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=60)
@given(
    st.data(),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0, 1),
    st.sampled_from([CLASSES, COLOURED, MANY]),
)
def test_it_equals_the_slow_definition_within_one_level(
    data: st.DataObject, size: tuple[int, int], alpha: float, classes: tuple[ClassInfo, ...]
) -> None:
    image = data.draw(npst.arrays(np.uint8, (*size, 3)))
    mask = data.draw(npst.arrays(np.uint8, size, elements=st.sampled_from([0, 1, 2, 3, 6, 255])))
    overlay = draw_mask(image, mask, classes, alpha=alpha)
    assert np.abs(overlay - slow_overlay(image, mask, classes, alpha)).max() <= 1


@settings(max_examples=30)
@given(npst.arrays(np.uint8, (12, 9), elements=st.sampled_from([0, 1, 2, 3, 4, 255])))
def test_pixels_of_classes_without_a_colour_do_not_change(mask: np.ndarray) -> None:
    image = picture(12, 9)
    overlay = draw_mask(image, mask, CLASSES)
    undrawn = ~np.isin(mask, (1, 2))
    assert np.array_equal(overlay[undrawn], image[undrawn])


def test_alpha_0_shows_the_image_and_alpha_1_the_colours() -> None:
    image = picture()
    mask = np.full(image.shape[:2], 2, np.uint8)
    assert np.array_equal(draw_mask(image, mask, CLASSES, alpha=0.0), image)
    assert (draw_mask(image, mask, CLASSES, alpha=1.0) == (10, 20, 255)).all()


def test_a_background_with_a_colour_is_drawn_too() -> None:
    image = picture()
    overlay = draw_mask(image, np.zeros(image.shape[:2], np.uint8), COLOURED, alpha=1.0)
    assert (overlay == (200, 0, 100)).all()


def test_neither_image_nor_mask_is_changed() -> None:
    image, mask = picture(), np.ones((20, 30), np.uint8)
    image.flags.writeable = mask.flags.writeable = False
    draw_mask(image, mask, CLASSES)


def test_a_painter_keeps_its_buffer_and_nothing_of_the_last_frame() -> None:
    painter = Painter(CLASSES)
    first = painter.draw(picture(), np.full((20, 30), 1, np.uint8))
    clear = np.zeros((20, 30), np.uint8)
    second = painter.draw(picture(), clear)
    assert second is first
    assert np.array_equal(second, picture())


def test_a_painter_follows_a_change_of_size_and_of_alpha() -> None:
    painter = Painter(CLASSES, alpha=0.0)
    for size in ((20, 30), (3, 50), (20, 30)):
        image, mask = picture(*size), np.full(size, 1, np.uint8)
        painter.alpha = 1.0
        assert (painter.draw(image, mask) == (0, 160, 0)).all()
        painter.alpha = 0.0
        assert np.array_equal(painter.draw(image, mask), image)


def test_padded_rows_are_drawn_like_their_copy() -> None:
    image, mask = picture(20, 40)[:, :30], np.ones((20, 40), np.uint8)[:, :30]
    expected = draw_mask(image.copy(), mask.copy(), CLASSES)
    assert np.array_equal(draw_mask(image, mask, CLASSES), expected)


@pytest.mark.parametrize('shape', [(20, 29), (19, 30), (20, 30, 1)])
def test_a_mask_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r'expected a mask of the image.s shape \(20, 30\)'):
        draw_mask(picture(), np.zeros(shape, np.uint8), CLASSES)


def test_what_is_not_an_image_is_refused() -> None:
    with pytest.raises(ImageError, match='expected a uint8 image'):
        draw_mask(picture().astype(np.float32), np.zeros((20, 30), np.uint8), CLASSES)
