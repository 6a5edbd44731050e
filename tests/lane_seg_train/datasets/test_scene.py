"""Frames of the procedural scene as a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from tests.lane_seg_train.datasets.files import CLASSES, SIZE, config

LABELS = {'background': 'background', 'road': 'road', 'lane_marking': 'lane_marking'}


def scene(**changes: object) -> LaneData:
    asked = {'images': 'scene', 'masks': '', 'labels': LABELS, 'scene_seeds': (5, 2)}
    return LaneData(config(**{**asked, 'scene_frames': 2, **changes}), CLASSES, SIZE, Path())


def test_the_scene_gives_the_same_frames_each_time() -> None:
    data = scene()
    assert data.names == ['scene_5_0', 'scene_5_1', 'scene_6_0', 'scene_6_1']
    assert len(data) == len(data.examples) == 4
    for (image, target), (again, same) in zip(data.examples, scene().examples, strict=True):
        assert image.shape == (*SIZE, 3)
        assert target.shape == SIZE
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(target, same)


def test_a_frame_does_not_depend_on_which_others_are_taken() -> None:
    (alone,) = scene(first='scene_6_1').examples
    np.testing.assert_array_equal(alone[0], scene().examples[3][0])


def test_originals_have_twice_the_models_size() -> None:
    image, _ = next(scene().originals())
    assert image.shape == (2 * SIZE[0], 2 * SIZE[1], 3)


def test_the_format_may_be_named_as_well() -> None:
    assert scene(images='', format='scene').names == scene().names


@pytest.mark.parametrize('seeds', [(0, 0), (-3, 1)])
def test_seeds_that_give_no_frame_are_refused(seeds: tuple[int, int]) -> None:
    found = rf'found \[{seeds[0]}, {seeds[1]}\] and 2'
    with pytest.raises(LaneSegError, match=f"data set 'a': expected scene_seeds .*{found}"):
        scene(scene_seeds=seeds)


def test_a_scene_that_is_too_small_to_draw_is_refused() -> None:
    with pytest.raises(LaneSegError, match='expected a scene that can be drawn'):
        next(LaneData(scene().config, CLASSES, (8, 8), Path()).originals())
