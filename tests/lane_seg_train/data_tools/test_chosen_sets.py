"""Which sets of a recipe are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.config_file import load_config
from lane_seg_train.data_tools.chosen_sets import chosen_sets, file_name
from tests.lane_seg_train.data_tools.road_sets import data_set, recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ('names', 'keys'),
    [
        ([], ['train/a', 'train/b', 'val/a']),
        (['a'], ['train/a', 'val/a']),
        (['val/a'], ['val/a']),
        (['train'], ['train/a', 'train/b']),
        (['val', 'b'], ['train/b', 'val/a']),
    ],
)
def test_sets_are_found_by_name_and_part_in_the_order_of_the_recipe(
    tmp_path: Path, names: list[str], keys: list[str]
) -> None:
    sets = [data_set('train', name=name) for name in 'ab']
    config = load_config(recipe(tmp_path, sets, [data_set('val', name='a')]))
    assert [item.key for item in chosen_sets(config, names)] == keys


def test_a_name_that_the_recipe_has_not_is_answered_with_the_nearest(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path))
    with pytest.raises(LaneSegError, match="'streeets'; did you mean 'streets'"):
        chosen_sets(config, ['streeets'])


def test_file_names_have_neither_spaces_nor_slashes() -> None:
    assert file_name('train/my set: 1') == 'train_my_set_1'
