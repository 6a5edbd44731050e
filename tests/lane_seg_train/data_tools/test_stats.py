"""Numbers of data sets, compared with numbers counted by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg_cli.main import main
from lane_seg_train.data_tools.stats import SetStats, class_weights, meanings_of, set_stats
from tests.lane_seg_train.data_tools.road_sets import (
    HEIGHT,
    WIDTH,
    data_set,
    label,
    open_recipe,
    picture,
    recipe,
    write_pair,
    write_sets,
)

PIXELS = HEIGHT * WIDTH
PAINT = 96  # pixels of lane marking in a label
LANES_ONLY = {0: ['background', 'road'], 1: ['background', 'road'], 2: 'lane_marking'}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sets(tmp_path, train=4, val=2)
    return tmp_path


def stats(path: Path) -> list[SetStats]:
    return set_stats(open_recipe(path)[1], workers=1)


def run_stats(root: Path, *words: object) -> int:
    return main(
        ['data', 'stats', str(root / 'recipe.yaml'), '--data', str(root), *map(str, words)]
    )


def test_shares_of_pixels_and_numbers_of_images_are_those_of_the_labels(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(9), np.zeros((HEIGHT, WIDTH), np.uint8))
    train = stats(recipe(root))[0]
    paint = 4 * PAINT / (5 * PIXELS)
    assert [train.pixel_share(target) for target in (0, 1, 2)] == pytest.approx(
        [0.6, 0.4 - paint, paint]
    )
    assert [train.image_count(target) for target in (0, 1, 2)] == [5, 4, 4]
    assert train.foreground_shares.tolist() == [0.5, 0.5, 0.5, 0.5, 0.0]


def test_choices_of_classes_are_counted_as_such_and_are_no_foreground(root: Path) -> None:
    (train, val) = stats(recipe(root, [data_set('train', labels=LANES_ONLY)]))
    assert list(meanings_of([train])) == ['lane_marking', 'background or road']
    assert train.pixel_share(3) == pytest.approx(1 - PAINT / PIXELS)
    assert train.foreground_shares.tolist() == pytest.approx([PAINT / PIXELS] * 4)
    assert list(meanings_of([train, val])) == [
        'background', 'road', 'lane_marking', 'background or road',
    ]  # fmt: skip


def test_colours_and_brightness_are_those_of_the_images(root: Path) -> None:
    train = stats(recipe(root))[0]
    pixels = np.stack([picture(index) for index in range(4)]).reshape(-1, 3).astype(np.float64)
    assert train.channel_means == pytest.approx(pixels.mean(axis=0))
    assert train.channel_deviations == pytest.approx(pixels.std(axis=0))
    grey = cv2.cvtColor(picture(1), cv2.COLOR_BGR2GRAY)
    assert train.images[1].mean_brightness == pytest.approx(grey.mean())
    assert train.brightness.sum() == pytest.approx(1)


def test_images_of_several_sizes_count_by_their_pixels(root: Path) -> None:
    bright = np.full((2 * HEIGHT, 2 * WIDTH, 3), 255, np.uint8)
    dark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    write_pair(root / 'odd', '0', bright, cv2.resize(label(), (2 * WIDTH, 2 * HEIGHT)))
    write_pair(root / 'odd', '1', dark)
    odd = stats(recipe(root, [data_set('odd')]))[0]
    assert odd.channel_means == pytest.approx([204.0] * 3)
    assert [image.size for image in odd.images] == [(96, 192), (48, 96)]


def test_class_weights_are_median_frequency_over_frequency(root: Path) -> None:
    write_pair(root / 'train', 'a9', picture(9), np.zeros((HEIGHT, WIDTH), np.uint8))
    weights = class_weights(stats(recipe(root)))
    # Background is 0.6 of five images; road and paint count in their own four images only.
    road, paint = 0.5 - PAINT / PIXELS, PAINT / PIXELS
    assert weights == {
        'background': float(f'{road / 0.6:.3g}'),
        'road': 1.0,
        'lane_marking': float(f'{road / paint:.3g}'),
    }


def test_class_weights_count_choices_only_among_all_pixels_and_ignored_ones_nowhere(
    root: Path,
) -> None:
    labels = {0: 'any', 1: ['road', 'background'], 2: 'lane_marking'}
    only_paint = class_weights(stats(recipe(root, [data_set('train', labels=labels)])))
    assert only_paint == {'lane_marking': 1.0}
    both = [data_set('train', labels=labels), data_set('val', name='full', repeat=0.5)]
    weights = class_weights(stats(recipe(root, both)))
    # Paint: 4 images of half a picture and 2 whole ones at half the weight.
    paint = (4 * PAINT + 0.5 * 2 * PAINT) / (4 * PIXELS / 2 + 0.5 * 2 * PIXELS)
    frequencies = {
        'background': 0.5,
        'road': 0.5 - PAINT / PIXELS,
        'lane_marking': paint,
    }
    assert weights == {
        name: float(f'{frequencies["road"] / value:.3g}') for name, value in frequencies.items()
    }


def test_validation_sets_do_not_change_the_weights(root: Path) -> None:
    for index in range(5):
        write_pair(root / 'val', f'c{index}', picture(index), np.ones((HEIGHT, WIDTH), np.uint8))
    path = recipe(root)
    assert class_weights(stats(path)) == class_weights(stats(path)[:1])
    assert class_weights(stats(path)[1:]) == {}


def test_pairs_that_cannot_be_read_are_left_out_and_counted(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / 'train' / 'images' / 'a1.png').write_bytes(b'broken')
    recipe(root)
    assert run_stats(root) == 1
    text = capsys.readouterr().out
    assert '1 pairs could not be read' in text
    assert 'a1.png' in text


def test_a_set_of_which_nothing_can_be_read_gives_a_chart_all_the_same(root: Path) -> None:
    for path in (root / 'train' / 'images').iterdir():
        path.write_bytes(b'broken')
    recipe(root)
    assert run_stats(root, '--plot', root / 'stats.png', '--json', root / 'stats.json') == 1
    assert (root / 'stats.png').is_file()
    train = json.loads((root / 'stats.json').read_text(encoding='utf-8'))['sets'][0]
    assert (train['images'], train['unreadable']) == (0, 4)


def test_the_table_of_images_has_a_row_for_each_and_empty_cells_for_what_cannot_be(
    root: Path,
) -> None:
    recipe(root, [data_set('train', labels=LANES_ONLY)])
    assert run_stats(root, '--csv', root / 'images.csv') == 0
    with (root / 'images.csv').open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['name'] for row in rows] == ['a0', 'a1', 'a2', 'a3', 'b0', 'b1']
    assert (rows[0]['set'], rows[0]['height'], rows[0]['width']) == ('train/streets', '48', '96')
    assert (rows[0]['road'], rows[4]['background or road']) == ('', '')
    assert float(rows[0]['lane_marking']) == pytest.approx(PAINT / PIXELS, abs=1e-6)
    for row in rows:
        shares = [row[name] for name in list(row)[6:] if row[name]]
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-5)


def test_numbers_are_written_as_json(root: Path) -> None:
    recipe(root)
    assert run_stats(root, '--json', root / 'stats.json', '--set-name', 'train') == 0
    content = json.loads((root / 'stats.json').read_text(encoding='utf-8'))
    (train,) = content['sets']
    assert [item['class_ids'] for item in train['labels']] == [[0], [1], [2]]
    assert train['sizes'] == [{'height': HEIGHT, 'width': WIDTH, 'images': 4}]
    assert content['class_weights']['road'] == 1.0


def test_the_chart_is_a_picture_with_a_row_for_each_set(root: Path) -> None:
    sets = [data_set('train', name=name, labels=LANES_ONLY) for name in 'abcde']
    colours = {'road': [1, 200, 3]}
    recipe(root, sets, colours=colours)
    assert run_stats(root, '--plot', root / 'many.png') == 0
    recipe(root, colours=colours)
    assert run_stats(root, '--plot', root / 'few.png') == 0
    many, few = (cv2.imread(str(root / name)) for name in ('many.png', 'few.png'))
    assert many.shape[0] > few.shape[0]
    # The recipe's own colour is in the bars.
    assert (few == np.array([3, 200, 1], np.uint8)).all(axis=2).sum() > 1000
