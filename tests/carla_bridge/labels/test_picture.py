"""The picture for people."""

from __future__ import annotations

import numpy as np
import pytest

from carla_bridge.labels.frame_labels import LANE_MARKING, UNLABELED, FrameLabels, SeenBorder
from carla_bridge.labels.picture import draw_labels
from lane_seg.errors import LaneSegError


def labels(*instances: int, area: bool = False) -> FrameLabels:
    """One column of paint for each border, and one that is unlabeled."""
    label, lanes = np.zeros((60, 400), np.uint8), np.zeros((60, 400), np.uint8)
    for number in range(1, len(instances) + 1):
        label[:, 10 * number], lanes[:, 10 * number] = LANE_MARKING, number
    label[:, 200] = UNLABELED
    borders = tuple(
        SeenBorder(line, 4, 0, -1, 'broken', 'white', 'left', 60) for line in instances
    )
    areas = np.zeros((60, 400), np.uint8)
    areas[:, 300:] = 1
    return FrameLabels(label, lanes, borders, areas if area else None)


def test_a_line_has_its_own_colour_wherever_it_stands_in_the_list() -> None:
    image = np.zeros((60, 400, 3), np.uint8)
    one = draw_labels(image, labels(7, 8), legend=False)
    other = draw_labels(image, labels(8, 7), legend=False)
    assert (one[:, 10] == other[:, 20]).all()
    assert (one[:, 20] == other[:, 10]).all()
    assert (one[0, 10] != one[0, 20]).any()
    assert not one[:, 5].any()
    assert not image.any()


def test_what_is_unlabeled_is_hatched() -> None:
    picture = draw_labels(np.zeros((60, 400, 3), np.uint8), labels(1), legend=False)
    drawn = picture[:, 200].any(axis=1)
    assert drawn.any()
    assert not drawn.all()


def test_areas_are_a_tint_and_the_picture_stays_visible() -> None:
    image = np.random.default_rng(0).integers(0, 255, (60, 400, 3)).astype(np.uint8)
    picture = draw_labels(image, labels(1, area=True), legend=False)
    assert (picture[:, 300:] != image[:, 300:]).any()
    assert np.corrcoef(picture[:, 300:].ravel(), image[:, 300:].ravel())[0, 1] > 0.8
    assert (picture[:, 250:300] == image[:, 250:300]).all()


def test_the_legend_adds_rows_below() -> None:
    image = np.zeros((60, 400, 3), np.uint8)
    few = draw_labels(image, labels(1))
    many = draw_labels(image, labels(1, 2, 3, 4, 5, area=True))
    assert many.shape[1:] == (400, 3)
    assert many.shape[0] > few.shape[0] > 60
    assert many[60:].std() > 10


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(LaneSegError, match='the image of the same frame'):
        draw_labels(np.zeros((61, 400, 3), np.uint8), labels(1))
