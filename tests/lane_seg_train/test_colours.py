"""Each class has one colour, everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.colours import class_colours, default_colours
from tests.lane_seg_train.tiny_training import tiny_config


def test_classes_differ_in_colour() -> None:
    assert len(set(default_colours(64))) == 64


def test_the_first_colours_do_not_depend_on_how_many_classes_there_are() -> None:
    assert default_colours(40)[:3] == default_colours(3)


def test_the_recipe_names_colours_as_red_green_blue() -> None:
    config = replace(tiny_config(), colours={'road': (1, 2, 3)})
    colours = class_colours(config.classes, config)
    assert colours[1] == (3, 2, 1)
    assert colours[2] == default_colours(3)[2]


@pytest.mark.parametrize('colours', [{'kerb': (1, 2, 3)}, {'road': (1, 2, 256)}])
def test_a_colour_that_cannot_be_is_refused(colours: dict[str, tuple[int, int, int]]) -> None:
    config = replace(tiny_config(), colours=colours)
    with pytest.raises(LaneSegError, match='colours: expected R, G, B of 0..255'):
        class_colours(config.classes, config)
