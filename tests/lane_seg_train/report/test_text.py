"""Text on pictures stands where it should, and is cut off at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from lane_seg_train.report.text import draw_text, text_alpha


def inked(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.nonzero(image.any(axis=2))


def test_it_stands_about_its_row_from_its_column_on() -> None:
    image = np.zeros((40, 200, 3), np.uint8)
    width = draw_text(image, 'lane_marking', (20, 30), colour=(0, 0, 255), size=14)
    rows, columns = inked(image)
    assert 30 <= columns.min() < 34
    assert 30 + width - 4 < columns.max() < 30 + width
    assert abs((rows.min() + rows.max()) / 2 - 20) < 4
    assert not image[..., :2].any()


def test_a_right_end_is_where_it_was_asked_for() -> None:
    image = np.zeros((40, 200, 3), np.uint8)
    draw_text(image, '3.1 %', (20, 190), colour=(255, 255, 255), right=True)
    assert 184 < inked(image)[1].max() < 190


@pytest.mark.parametrize('place', [(0, -20), (39, 195), (-50, 10), (20, 500)])
def test_what_does_not_fit_is_cut_off(place: tuple[int, int]) -> None:
    image = np.zeros((40, 200, 3), np.uint8)
    draw_text(image, 'a long line of text', place, colour=(255, 255, 255), size=20)
    assert image.shape == (40, 200, 3)


@pytest.mark.parametrize('text', ['', '$x$', '<b>', 'Straße 道', 'a\tb'])
def test_any_text_can_be_written(text: str) -> None:
    assert text_alpha(text, 12, False).dtype == np.uint8


def test_bold_is_heavier() -> None:
    assert text_alpha('road', 16, True).sum() > 1.1 * text_alpha('road', 16, False).sum()
