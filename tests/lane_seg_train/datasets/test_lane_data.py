"""A data set as training sees it."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lane_seg.errors import LaneSegError
from lane_seg.preprocess import tensor_from_image
from lane_seg.sources import image_from_file
from lane_seg_train.datasets import open_data, resized
from tests.lane_seg_train.datasets.files import (
    CLASSES,
    HEIGHT,
    LABELS,
    SIZE,
    WIDTH,
    columns_of,
    config,
    data,
    halves,
    picture,
    write_pairs,
    write_picture,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pairs(tmp_path)
    return tmp_path


def test_examples_have_the_models_size_and_targets(root: Path) -> None:
    (opened,) = open_data([config()], CLASSES, SIZE, root)
    assert len(opened) == len(opened.examples) == 4
    assert opened.names == ['frame_0', 'frame_1', 'frame_2', 'frame_3']
    image, target = opened.examples[3]
    assert image.shape == (*SIZE, 3)
    assert (image == 30).all()
    assert target.shape == SIZE
    assert target.dtype == np.uint8
    assert (target[:, : SIZE[1] // 2] == 0).all()
    assert (target[:, SIZE[1] // 2 :] == 1).all()
    assert opened.nbytes == sum(image.nbytes + target.nbytes for image, target in opened.examples)


def test_originals_keep_their_own_size(root: Path) -> None:
    image, target = next(data(root).originals())
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert target.shape == (HEIGHT, WIDTH)


def test_training_sees_an_image_bit_for_bit_as_the_car_does(root: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT * 5, WIDTH * 5, 3), np.uint8)
    for suffix in ('.png', '.jpg'):
        (root / 'i/frame_0.png').unlink(missing_ok=True)
        path = write_picture(root / f'i/frame_0{suffix}', noise)
        write_picture(root / 'm/frame_0.png', np.zeros(noise.shape[:2], np.uint8))
        image, _ = data(root).examples[0]
        np.testing.assert_array_equal(image, tensor_from_image(image_from_file(path), SIZE))


def test_images_shrink_by_means_and_not_by_leaving_pixels_out(root: Path) -> None:
    stripes = picture()
    stripes[:, ::2] = 200  # finer than the model's pixels at half the size
    write_picture(root / 'i/frame_0.png', stripes)
    image, _ = data(root).examples[0]
    assert abs(float(image.mean()) - 100) < 2


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_resizing_a_target_makes_no_new_value(target: np.ndarray, size: tuple[int, int]) -> None:
    image = np.zeros((*target.shape, 3), np.uint8)
    _, small = resized(image, target, size)
    assert small.shape == size
    assert set(np.unique(small)) <= set(np.unique(target))


def test_a_target_lies_on_its_image_after_resizing() -> None:
    target = np.zeros((90, 160), np.uint8)
    target[30:60, 40:120] = 255
    image, small = resized(np.dstack([target] * 3), target, (32, 64))
    assert np.array_equal(image[..., 0] > 127, small > 127)


def test_target_ids_do_not_depend_on_which_images_are_taken(root: Path) -> None:
    labels = {2: ['road', 'lane_marking'], 0: ['background', 'road'], 1: 'road'}
    every = data(root, labels=labels)
    one = data(root, labels=labels, limit=1, first='frame_2')
    np.testing.assert_array_equal(every.examples[2][1], one.examples[0][1])
    assert every.table.composites == one.table.composites == ((1, 2), (0, 1))


def test_images_are_chosen_by_their_share_of_foreground(root: Path) -> None:
    write_picture(root / 'm/frame_1.png', halves(0, 1, 1, 1))
    write_picture(root / 'm/frame_2.png', halves(0))

    def names(low: float, high: float, limit: int = 0) -> list[str]:
        share = {'foreground': ('road',), 'foreground_share': (low, high)}
        return data(root, **share, limit=limit).names

    assert names(0.01, 1.0) == ['frame_0', 'frame_1', 'frame_3']
    assert names(0.6, 1.0) == ['frame_1']
    assert names(0.0, 0.5, limit=2) == ['frame_0', 'frame_2']
    with pytest.raises(LaneSegError, match=r'of road of 0\.9 to 1\.0, found shares of 0\.0000 to'):
        names(0.9, 1.0)


def test_a_set_of_classes_counts_as_foreground_if_all_of_it_does(root: Path) -> None:
    labels = {0: ['background', 'road'], 1: ['road', 'lane_marking']}
    share = {'labels': labels, 'foreground_share': (0.5, 1.0)}
    assert len(data(root, **share, foreground=('road', 'lane_marking'))) == 4
    with pytest.raises(LaneSegError, match=r'found shares of 0\.0000 to 0\.0000'):
        len(data(root, **share, foreground=('road',)))


def test_a_share_needs_the_classes_to_count(root: Path) -> None:
    with pytest.raises(LaneSegError, match='data set \'a\': expected "foreground"'):
        data(root, foreground_share=(0.5, 1.0))
    with pytest.raises(LaneSegError, match="found \\['raod'\\]; did you mean 'road'"):
        data(root, foreground=('raod',), foreground_share=(0.5, 1.0))


def test_a_limit_takes_images_spread_over_all(root: Path) -> None:
    assert data(root, limit=2).names == ['frame_0', 'frame_2']


def test_a_label_that_says_nothing_of_the_data_set_is_refused_with_its_name(root: Path) -> None:
    with pytest.raises(LaneSegError, match="data set 'a': expected class names .*'kerb'"):
        data(root, labels={0: 'kerb'})


def test_more_than_eight_classes_fit(root: Path) -> None:
    classes = tuple(f'class{index}' for index in range(20))
    labels = {0: 'class19', 1: list(classes[:19])}
    opened = data(root, classes, labels=labels)
    assert columns_of(opened.examples[0][1]) == [19, 20]
    assert opened.table.sets[20].tolist() == [True] * 19 + [False]


def test_a_data_set_can_be_sent_to_another_process(root: Path) -> None:
    opened = pickle.loads(pickle.dumps(data(root)))
    assert len(opened.examples) == 4


def test_no_file_is_touched(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    opened = data(root, foreground=('road',), foreground_share=(0.1, 1.0), limit=2)
    assert len(opened.examples) == 2
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'part': (0.5, 0.5)}, r'part: expected .* found \[0.5, 0.5\]'),
        ({'part': (-0.1, 0.5)}, 'part: expected'),
        ({'part': (0.0, float('nan'))}, 'part: expected'),
        ({'foreground_share': (0.5, 0.2)}, 'foreground_share: expected'),
        ({'blocks': 0}, 'blocks: expected at least 1, found 0'),
        ({'thickness': 0}, 'thickness: expected at least 1'),
        ({'limit': -1}, 'limit: expected at least 0'),
        ({'repeat': -1.0}, 'repeat: expected at least 0'),
    ],
)
def test_values_that_cannot_be_are_refused_with_the_data_set(
    changes: dict[str, object], found: str
) -> None:
    with pytest.raises(LaneSegError, match=f"data set 'a': {found}"):
        config(**changes)


def test_a_photo_of_a_camera_held_sideways_is_upright(root: Path) -> None:
    # As in the car; its label lies on the upright picture.
    lying = write_picture(root / 'lying.jpg', picture(90)).read_bytes()
    entry = b'\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00'
    body = b'Exif\0\0II*\0\x08\0\0\0\x01\0' + entry + b'\0\0\0\0'
    exif = b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body
    (root / 'i/frame_0.png').unlink()
    (root / 'i/frame_0.jpg').write_bytes(lying[:2] + exif + lying[2:])
    write_picture(root / 'm/frame_0.png', cv2.rotate(halves(0, 1), cv2.ROTATE_90_CLOCKWISE))
    image, target = next(data(root, labels=LABELS).originals())
    assert image.shape == (WIDTH, HEIGHT, 3)
    assert target.shape == (WIDTH, HEIGHT)
