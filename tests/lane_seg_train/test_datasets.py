"""Images and labels from folders, or from the procedural scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData, open_data, pairs_of

CLASSES = ('background', 'road', 'lane_marking')
LABELS = {0: ['background'], 1: ['road'], 2: ['lane_marking']}
SIZE = (32, 64)


def config(**changes: object) -> DataConfig:
    return DataConfig(**{'name': 'a', 'labels': LABELS, 'images': 'i', 'masks': 'm', **changes})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four pairs of 40x80, each grey as its number says, road in the lower half."""
    for folder in ('i', 'm'):
        (tmp_path / folder).mkdir()
    for number in range(4):
        label = np.zeros((40, 80), np.uint8)
        label[20:] = 1
        image = np.full((40, 80, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / 'i' / f'frame_{number}.png'), image)
        cv2.imwrite(str(tmp_path / 'm' / f'frame_{number}.png'), label)
    return tmp_path


def stems(data: DataConfig, root: Path) -> list[str]:
    return [pair.image.stem for pair in pairs_of(data, root)]


def test_pairs_are_listed_in_the_order_of_their_names(root: Path) -> None:
    assert stems(config(), root) == ['frame_0', 'frame_1', 'frame_2', 'frame_3']
    assert pairs_of(config(), root)[1].label == root / 'm' / 'frame_1.png'


def test_a_block_starts_with_first_and_ends_before_before(root: Path) -> None:
    assert stems(config(first='frame_2'), root) == ['frame_2', 'frame_3']
    assert stems(config(before='frame_2'), root) == ['frame_0', 'frame_1']
    assert stems(config(first='frame_1', before='frame_3'), root) == ['frame_1', 'frame_2']


def test_files_that_are_no_images_are_passed_over(root: Path) -> None:
    (root / 'i' / 'notes.txt').write_text('x', encoding='utf-8')
    assert len(pairs_of(config(), root)) == 4


def test_a_jpeg_has_its_label_in_a_png(root: Path) -> None:
    (root / 'i' / 'frame_0.png').unlink()
    cv2.imwrite(str(root / 'i' / 'frame_0.JPG'), np.zeros((40, 80, 3), np.uint8))
    assert stems(config(), root)[0] == 'frame_0'


def test_examples_have_the_models_size_and_admissible_sets(root: Path) -> None:
    (data,) = open_data([config()], CLASSES, SIZE, root)
    assert len(data) == len(data.examples) == 4
    image, bits = data.examples[3]
    assert image.shape == (*SIZE, 3)
    assert (image == 30).all()
    assert bits.dtype == np.uint8
    assert (bits[:16] == 0b001).all()
    assert (bits[16:] == 0b010).all()


def test_originals_keep_their_own_size(root: Path) -> None:
    image, bits = next(LaneData(config(), CLASSES, SIZE, root).originals())
    assert image.shape == (40, 80, 3)
    assert bits.shape == (40, 80)


def test_label_values_may_lie_in_one_channel_of_a_colour_png(root: Path) -> None:
    path = root / 'm' / 'frame_0.png'
    colour = np.full((40, 80, 3), 99, np.uint8)
    colour[..., 2] = 2  # red, as OpenCV orders them
    cv2.imwrite(str(path), colour)
    _, bits = next(LaneData(config(channel='red'), CLASSES, SIZE, root).originals())
    assert (bits == 0b100).all()
    with pytest.raises(LaneSegError, match=f'{path}: expected one 8-bit channel of 80x40'):
        next(LaneData(config(), CLASSES, SIZE, root).originals())


def test_an_unknown_channel_is_refused_at_once(root: Path) -> None:
    with pytest.raises(LaneSegError, match="'blue', 'green', 'red'.*found 'grey'"):
        LaneData(config(channel='grey'), CLASSES, SIZE, root)


def test_an_image_without_its_label_is_named(root: Path) -> None:
    (root / 'm' / 'frame_2.png').unlink()
    with pytest.raises(LaneSegError, match=r'for 1 of 4, for example frame_2\.png'):
        pairs_of(config(), root)


@pytest.mark.parametrize('folder', ['i', 'm'])
def test_a_missing_folder_is_named_with_the_option_to_change(root: Path, folder: str) -> None:
    (root / folder).rename(root / 'away')
    with pytest.raises(LaneSegError, match=f'expected a folder {root / folder}.*--data'):
        pairs_of(config(), root)


def test_an_empty_block_is_an_error_that_says_which(root: Path) -> None:
    with pytest.raises(LaneSegError, match=r"found none of 4 with first='g'"):
        pairs_of(config(first='g'), root)
    (root / 'empty').mkdir()
    with pytest.raises(LaneSegError, match='found none of 0'):
        pairs_of(config(images='empty'), root)


@pytest.mark.parametrize('folder', ['i', 'm'])
def test_a_corrupt_file_is_named(root: Path, folder: str) -> None:
    path = root / folder / 'frame_1.png'
    path.write_bytes(b'not a picture')
    with pytest.raises(LaneSegError, match=f'{path}: expected a readable image'):
        list(LaneData(config(), CLASSES, SIZE, root).originals())


def test_a_label_of_another_size_is_named(root: Path) -> None:
    path = root / 'm' / 'frame_1.png'
    cv2.imwrite(str(path), np.zeros((40, 81), np.uint8))
    with pytest.raises(LaneSegError, match=rf'{path}: .*found uint8 of shape \(40, 81\)'):
        list(LaneData(config(), CLASSES, SIZE, root).originals())


def test_a_label_of_sixteen_bits_is_named(root: Path) -> None:
    path = root / 'm' / 'frame_1.png'
    cv2.imwrite(str(path), np.full((40, 80), 300, np.uint16))
    with pytest.raises(LaneSegError, match=f'{path}: .*found uint16'):
        list(LaneData(config(), CLASSES, SIZE, root).originals())


def test_an_unknown_label_value_is_named_with_its_file(root: Path) -> None:
    path = root / 'm' / 'frame_1.png'
    cv2.imwrite(str(path), np.full((40, 80), 77, np.uint8))
    with pytest.raises(LaneSegError, match=rf'{path}: expected label values .* found \[77\]'):
        list(LaneData(config(), CLASSES, SIZE, root).originals())


def test_the_scene_gives_the_same_frames_each_time(root: Path) -> None:
    scene = config(images='scene', masks='', scene_seeds=(5, 1), scene_frames=2)
    data = LaneData(scene, CLASSES, SIZE, root)
    assert len(data) == len(data.examples) == 2
    again = LaneData(scene, CLASSES, SIZE, root).examples
    for (image, bits), (other_image, other_bits) in zip(data.examples, again, strict=True):
        assert image.shape == (*SIZE, 3)
        assert np.array_equal(image, other_image)
        assert np.array_equal(bits, other_bits)


def test_a_scene_without_frames_is_refused(root: Path) -> None:
    with pytest.raises(LaneSegError, match=r'scene_frames of at least 1, found \[0, 0\] and 4'):
        LaneData(config(images='scene'), CLASSES, SIZE, root)
