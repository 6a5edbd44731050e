"""Images to compare on, and pictures of those that differ most."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.errors import LaneSegError
from lane_seg_train.compare.accuracy import SeenFrame
from lane_seg_train.compare.frames import (
    FrameSet,
    folder_frames,
    labelled_frames,
    scene_frames,
    timed_tensors,
)
from lane_seg_train.compare.pictures import DIFFERENT, chosen, difference, write_pictures
from tests.lane_seg_train.tiny_training import CLASSES, HEIGHT, WIDTH, tiny_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lane_seg_train.compare.conftest import Models

SIZE = (HEIGHT, WIDTH)


def test_labelled_frames_are_those_of_the_recipe_and_limited_evenly(models: Models) -> None:
    (frames,) = labelled_frames(tiny_config(), CLASSES, SIZE, models.data, 2)
    assert frames.names == ('000', '002')
    image, target = frames.read(1)
    assert np.array_equal(image, cv2.imread(str(models.data / 'images' / '002.png')))
    assert target is not None
    expected = cv2.imread(str(models.data / 'labels' / '002.png'), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(target, expected)


def test_a_folder_gives_its_images_without_labels(models: Models) -> None:
    (frames,) = folder_frames(models.data / 'images', 3)
    assert frames.names == ('000.png', '001.png', '002.png')
    assert [frames.read(index)[1] for index in range(3)] == [None] * 3
    image = cv2.imread(str(models.data / 'images' / '001.png'))
    assert np.array_equal(frames.read(1)[0], image)


def test_a_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.avi'
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    film.write(np.zeros((64, 64, 3), np.uint8))
    film.release()
    with pytest.raises(LaneSegError, match='expected a folder of images, found a video'):
        folder_frames(path, 0)


def test_the_scene_gives_the_same_frames_in_any_order() -> None:
    (frames,) = scene_frames(2)
    assert len(frames.names) == 2
    first, second = frames.read(0)[0], frames.read(1)[0]
    assert first.shape == (720, 1280, 3)
    assert not np.array_equal(first, second)
    assert np.array_equal(frames.read(0)[0], first)


def test_timed_tensors_are_images_as_the_model_takes_them(models: Models) -> None:
    sets = folder_frames(models.data / 'images', 0)
    tensors = timed_tensors(sets, ModelBundle.load(models.int8))
    assert tensors.shape == (4, HEIGHT, WIDTH, 3)
    assert np.array_equal(tensors[3], sets[0].read(3)[0])


def seen(models: Models, agreements: list[float]) -> list[SeenFrame]:
    image = cv2.imread(str(models.data / 'images' / '000.png'))
    frames = FrameSet('set', tuple('abcdefgh'), lambda _index: (image, None))
    mine = np.zeros(SIZE, np.uint8)
    other = mine.copy()
    other[:4, :8] = 2
    masks = zlib.compress(mine.tobytes()), zlib.compress(other.tobytes())
    return [SeenFrame(frames, index, value, masks) for index, value in enumerate(agreements)]


def test_the_worst_come_first_then_those_in_the_middle(models: Models) -> None:
    frames = seen(models, [0.9, 0.99, 0.5, 0.95, 0.97, 0.6, 0.98, 0.96])
    assert [one.agreement for one in chosen(frames, 3)] == [0.5, 0.6, 0.9, 0.95, 0.96]
    assert [one.agreement for one in chosen(frames[:2], 3)] == [0.9, 0.99]
    assert chosen(frames, 0) == []
    assert chosen([], 3) == []


def test_pixels_that_differ_are_marked_and_no_others() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    mine = np.zeros((8, 8), np.uint8)
    other = mine.copy()
    other[2, 3] = 1
    marked = difference(image, mine, other)
    is_marked = (marked == DIFFERENT).all(axis=2)
    assert np.argwhere(is_marked).tolist() == [[2, 3]]
    assert (marked[0, 0] == 100).all()


def test_pictures_show_four_panels_and_replace_older_ones(models: Models, tmp_path: Path) -> None:
    bundle = ModelBundle.load(models.int8)
    frames = seen(models, [0.9, 0.8])
    write_pictures(frames, ('float', 'int8'), bundle, tmp_path)
    mine = tmp_path / 'pictures' / 'mine.jpg'
    mine.touch()
    (path,) = write_pictures(frames[1:], ('float', 'int8'), bundle, tmp_path)
    assert sorted((tmp_path / 'pictures').iterdir()) == [path, mine]
    assert path.name == '01_set_b.jpg'
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 4 * 480 + 3 * 6
    # The upper left corner of the last panel is where the masks differ.
    blue, green, red = picture[34 + 8, 3 * 486 + 10].astype(int)
    assert (blue < 80, green > 170, red > 170) == (True, True, True)
