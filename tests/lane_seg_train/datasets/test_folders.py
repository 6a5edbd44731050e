"""Images in one folder, label PNGs in another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import open_reader, pairs_of
from tests.lane_seg_train.datasets.files import (
    HEIGHT,
    WIDTH,
    columns_of,
    config,
    data,
    halves,
    indexed_png,
    picture,
    write_pairs,
    write_picture,
)

PALETTE = {'road': (128, 64, 128), 'line': (255, 255, 255), 'rest': (0, 0, 0)}
PALETTE_LABELS = {'road': 'road', 'line': 'lane_marking', 'rest': 'background'}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pairs(tmp_path)
    return tmp_path


def test_pairs_are_listed_in_natural_order_with_their_labels(root: Path) -> None:
    write_picture(root / 'i/frame_10.png', picture())
    write_picture(root / 'm/frame_10.png', halves(0))
    pairs = pairs_of(config(), root)
    assert [pair.name for pair in pairs] == [f'frame_{n}' for n in (0, 1, 2, 3, 10)]
    assert pairs[4].image == root / 'i/frame_10.png'
    assert pairs[4].label == root / 'm/frame_10.png'


def test_files_that_are_no_images_and_hidden_ones_are_passed_over(root: Path) -> None:
    (root / 'i/notes.txt').write_text('x')
    (root / 'i/._frame_1.png').write_bytes(b'of another system')
    assert len(pairs_of(config(), root)) == 4


def test_a_jpeg_has_its_label_in_a_png(root: Path) -> None:
    (root / 'i/frame_0.png').unlink()
    write_picture(root / 'i/frame_0.JPG', picture())
    assert pairs_of(config(), root)[0].image.name == 'frame_0.JPG'


def test_names_of_letters_that_the_path_has_too_are_kept(tmp_path: Path) -> None:
    # S0 took 'i/' away with lstrip, and the first letters of such names with it.
    write_pairs(tmp_path, 2, pattern='ii_im{}_png')
    assert [pair.name for pair in pairs_of(config(), tmp_path)] == ['ii_im0_png', 'ii_im1_png']


def test_two_images_of_one_name_are_refused(root: Path) -> None:
    write_picture(root / 'i/frame_1.jpg', picture())
    with pytest.raises(LaneSegError, match=r'one file for each name, found .*frame_1\.'):
        pairs_of(config(), root)


def test_an_image_without_its_label_is_named(root: Path) -> None:
    (root / 'm/frame_2.png').unlink()
    with pytest.raises(LaneSegError, match=r'for 1 of 4, for example .*frame_2\.png'):
        pairs_of(config(), root)


def test_images_that_are_not_selected_need_no_label(root: Path) -> None:
    (root / 'm/frame_3.png').unlink()
    assert len(pairs_of(config(before='frame_3'), root)) == 3


def test_a_label_saved_as_jpeg_is_found_out_where_it_is_missed(root: Path) -> None:
    (root / 'm/frame_2.png').unlink()
    write_picture(root / 'm/frame_2.jpg', halves(0, 1))
    with pytest.raises(LaneSegError, match=r'found frame_2\.jpg, but only \.png is read'):
        pairs_of(config(), root)


def test_a_label_without_an_image_is_told_and_an_error_only_when_asked(root: Path) -> None:
    (root / 'i/frame_2.png').unlink()
    assert len(pairs_of(config(), root)) == 3
    assert open_reader(config(), root).orphans() == [root / 'm/frame_2.png']
    with pytest.raises(LaneSegError, match=r'none for 1, for example .*m/frame_2\.png'):
        pairs_of(config(strict=True), root)


@pytest.mark.parametrize('folder', ['i', 'm'])
def test_a_missing_folder_is_named_with_the_option_to_change(root: Path, folder: str) -> None:
    (root / folder).rename(root / 'away')
    with pytest.raises(LaneSegError, match=f'expected a folder {root / folder}.*--data'):
        pairs_of(config(), root)


def test_an_empty_folder_is_an_error(root: Path) -> None:
    (root / 'empty').mkdir()
    with pytest.raises(LaneSegError, match=f'in {root / "empty"}, found none'):
        pairs_of(config(images='empty'), root)


def test_a_label_value_may_stand_in_one_channel_of_a_colour_png(root: Path) -> None:
    for number in range(4):
        label = np.dstack([halves(9, 9), halves(7, 8), halves(1, 2)])
        write_picture(root / f'm/frame_{number}.png', label)
    _, target = next(data(root, channel='red').originals())
    assert columns_of(target) == [1, 2]
    with pytest.raises(LaneSegError, match=r'frame_0\.png: expected one value .* "channel"'):
        next(data(root).originals())


def test_an_unknown_channel_is_refused_at_once(root: Path) -> None:
    with pytest.raises(LaneSegError, match="data set 'a': .*'red'\\), found 'grey'"):
        data(root, channel='grey')


def test_colours_are_read_by_the_names_of_the_palette(root: Path) -> None:
    for number in range(4):
        label = halves(PALETTE['rest'], PALETTE['line'], PALETTE['road'])
        write_picture(root / f'm/frame_{number}.png', label)
    _, target = next(data(root, palette=PALETTE, labels=PALETTE_LABELS).originals())
    assert columns_of(target) == [0, 2, 1]


def test_an_unknown_colour_is_an_error_even_with_other(root: Path) -> None:
    write_picture(root / 'm/frame_0.png', halves((128, 64, 128), (200, 0, 0)))
    labels = {'road': 'road', 'other': 'background'}
    with pytest.raises(LaneSegError, match=r"frame_0\.png: .* 200,0,0 in 2304 pixels; .*'road'"):
        next(data(root, palette=PALETTE, labels=labels).originals())


def test_a_name_that_the_palette_has_not_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(LaneSegError, match="data set 'a': .*'lines'; did you mean 'line'"):
        data(root, palette=PALETTE, labels={'lines': 'road'})


def test_channel_and_palette_exclude_each_other(root: Path) -> None:
    with pytest.raises(LaneSegError, match='expected "channel" or "palette", found both'):
        data(root, palette=PALETTE, channel='red')


def test_of_a_png_with_a_palette_the_indices_are_read(root: Path) -> None:
    colours = [(0, 0, 0), (128, 64, 128), (255, 255, 255)]
    indexed_png(root / 'm/frame_0.png', halves(2, 1), colours)
    _, target = next(data(root).originals())
    assert columns_of(target) == [2, 1]
    _, target = next(data(root, palette=PALETTE, labels=PALETTE_LABELS).originals())
    assert columns_of(target) == [2, 1]


@pytest.mark.parametrize('folder', ['i', 'm'])
@pytest.mark.parametrize('kept', [0.0, 0.7])
def test_a_damaged_file_is_named(root: Path, folder: str, kept: float) -> None:
    path = root / folder / 'frame_1.png'
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(LaneSegError, match=f'{path}: expected a'):
        list(data(root).originals())


def test_a_label_of_another_size_is_named_with_both_sizes(root: Path) -> None:
    path = write_picture(root / 'm/frame_1.png', np.zeros((HEIGHT, WIDTH + 1), np.uint8))
    with pytest.raises(LaneSegError, match=f'{path}: expected a label of 96x48 .*, found 97x48'):
        list(data(root).originals())


def test_a_label_of_sixteen_bits_is_named(root: Path) -> None:
    path = write_picture(root / 'm/frame_1.png', np.full((HEIGHT, WIDTH), 300, np.uint16))
    with pytest.raises(LaneSegError, match=f'{path}: expected a label of 8 bits'):
        list(data(root).originals())


def test_an_unknown_label_value_is_named_with_its_file(root: Path) -> None:
    path = write_picture(root / 'm/frame_1.png', halves(77))
    with pytest.raises(LaneSegError, match=f'{path}: expected label values 0, 1, 2, found 77'):
        list(data(root).originals())


def test_a_recipe_without_a_folder_of_labels_is_refused(root: Path) -> None:
    with pytest.raises(LaneSegError, match='expected "masks", the folder of label PNGs'):
        data(root, masks='')


def test_an_unknown_format_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(LaneSegError, match="found 'cityscape'; did you mean 'cityscapes'"):
        data(root, format='cityscape')
