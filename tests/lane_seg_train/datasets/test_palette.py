"""Colours stand for label values, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets.palette import Palette

COLOURS = {'road': (128, 64, 129), 'sky': (70, 130, 180), 'void': (0, 0, 0)}
PALETTE = Palette.from_colours(COLOURS)


def bgr(*colours: tuple[int, int, int]) -> np.ndarray:
    return np.array([[colour[::-1] for colour in colours]], np.uint8)


def test_names_are_numbered_in_their_order() -> None:
    assert PALETTE.values == {'road': 0, 'sky': 1, 'void': 2}
    label = bgr((0, 0, 0), (128, 64, 129), (70, 130, 180), (128, 64, 129))
    values = PALETTE.values_from_colours(label, 'a.png')
    assert values.dtype == np.uint8
    assert values.tolist() == [[2, 0, 1, 0]]


def test_values_may_be_given() -> None:
    palette = Palette.from_colours(COLOURS, {'road': 7, 'sky': 255, 'void': 0, 'unused': 1})
    label = bgr((0, 0, 0), (128, 64, 129), (70, 130, 180))
    assert palette.values_from_colours(label, '').tolist() == [[0, 7, 255]]


def test_grey_counts_as_a_colour_of_equal_levels() -> None:
    palette = Palette.from_colours({'off': (0, 0, 0), 'on': (255, 255, 255)})
    assert palette.values_from_colours(np.array([[0, 255]], np.uint8), '').tolist() == [[0, 1]]


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=256, unique=True))
def test_every_colour_of_a_palette_is_told_from_the_others(
    colours: list[tuple[int, int, int]],
) -> None:
    palette = Palette.from_colours({str(index): rgb for index, rgb in enumerate(colours)})
    assert palette.values_from_colours(bgr(*colours), '').tolist() == [list(range(len(colours)))]


def test_an_unknown_colour_is_named_with_its_count_its_file_and_the_nearest_entry() -> None:
    label = bgr((128, 64, 128), (128, 64, 128), (0, 0, 0), (255, 255, 255))
    message = (
        'a.png: expected colours of the palette, found R,G,B 128,64,128 in 2 pixels and 1 other '
        "colours; the nearest entry is 'road' with 128,64,129; correct the label"
    )
    with pytest.raises(LaneSegError, match=message):
        PALETTE.values_from_colours(label, 'a.png')


def test_very_many_unknown_colours_point_to_blending() -> None:
    label = bgr(*[(level, level, level) for level in range(1, 40)])
    with pytest.raises(LaneSegError, match='scaled with blending or was once a JPEG'):
        PALETTE.values_from_colours(label, 'a.png')


@pytest.mark.parametrize(
    ('colours', 'found'),
    [
        ({}, 'expected a palette of 1 to 256 names, found 0'),
        ({'a': (0, 0, 256)}, r"0..255 for 'a', found \[0, 0, 256\]"),
        ({'a': (0, -1, 0)}, r"0..255 for 'a', found \[0, -1, 0\]"),
        ({'a': (1, 2, 3), 'b': (1, 2, 3)}, "found 1,2,3 for 'a' and 'b'"),
    ],
)
def test_a_palette_that_cannot_be_is_refused(
    colours: dict[str, tuple[int, int, int]], found: str
) -> None:
    with pytest.raises(LaneSegError, match=found):
        Palette.from_colours(colours)
