"""What contact sheets show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg_cli.main import main
from lane_seg_train.config import AugmentConfig
from lane_seg_train.data_tools.contact_sheet import SHEET_WIDTH, notice, shortened
from lane_seg_train.data_tools.label_painting import LabelPainter
from lane_seg_train.data_tools.preview import augmented_sheet, chosen_pairs, preview_sheet
from lane_seg_train.label_sets import LabelTable
from lane_seg_train.report.text import text_alpha
from tests.lane_seg_train.data_tools.road_sets import (
    data_set,
    open_recipe,
    picture,
    recipe,
    write_sets,
)

CLASSES = ('background', 'road', 'lane_marking')
COLOURS = ((0, 0, 0), (0, 200, 0), (0, 0, 250))
TABLE = LabelTable.from_config(
    {
        0: 'background',
        1: 'road',
        2: 'lane_marking',
        3: ['road', 'lane_marking'],
        4: ['background', 'road'],
        255: 'any',
    },
    CLASSES,
)
PAPER = np.full((60, 90, 3), 100, np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sets(tmp_path, train=7, val=2)
    return tmp_path


def drawn(target: int) -> np.ndarray:
    ids = np.full(PAPER.shape[:2], target, np.uint8)
    return LabelPainter(TABLE, COLOURS).draw(PAPER, ids, PAPER.shape[:2]).astype(int)


def run_preview(root: Path, *words: object) -> int:
    words = (root / 'recipe.yaml', '--data', root, '--output', root / 'out', *words)
    return main(['data', 'preview', *map(str, words)])


def test_a_class_takes_its_colour_and_a_black_one_leaves_the_image() -> None:
    road, background = drawn(1), drawn(0)
    assert np.ptp(road, axis=(0, 1)).tolist() == [0, 0, 0]
    assert road[0, 0, 1] > 150 > 60 > road[0, 0, 0]
    assert np.ptp(background) == 0


def test_a_choice_of_classes_is_striped_in_their_colours() -> None:
    stripes = drawn(3)
    green = stripes[..., 1] > stripes[..., 2] + 60
    red = stripes[..., 2] > stripes[..., 1] + 60
    assert 0.35 < green.mean() < 0.65
    assert 0.35 < red.mean() < 0.65


def test_a_choice_with_background_is_fainter_than_the_class_alone() -> None:
    strongest = drawn(4)[..., 1].max()
    assert drawn(0)[..., 1].max() + 10 < strongest < drawn(1)[..., 1].max() - 50


def test_ignored_pixels_are_hatched_without_colour() -> None:
    hatched = drawn(255)
    assert np.ptp(hatched, axis=2).max() == 0
    assert np.ptp(hatched) > 50


def test_a_line_of_one_pixel_stays_visible_in_a_small_panel() -> None:
    image = np.full((400, 800, 3), 100, np.uint8)
    target = np.zeros((400, 800), np.uint8)
    target[:, 401] = 2
    small = LabelPainter(TABLE, COLOURS).draw(image, target, (100, 200)).astype(int)
    assert (small[..., 2] - small[..., 1] > 20).any(axis=1).all()


def test_pairs_are_spread_evenly_or_drawn_by_a_seed_in_order(root: Path) -> None:
    pairs = open_recipe(recipe(root))[1][0][1].pairs
    assert [pair.name for pair in chosen_pairs(pairs, 3)] == ['a0', 'a2', 'a4']
    drawn_pairs = [chosen_pairs(pairs, 3, seed=seed) for seed in range(8)]
    assert chosen_pairs(pairs, 3, seed=5) == drawn_pairs[5]
    assert len({tuple(pair.name for pair in choice) for choice in drawn_pairs}) > 2
    assert all(choice == sorted(choice, key=pairs.index) for choice in drawn_pairs)
    assert chosen_pairs(pairs, 99, seed=1) == pairs


def test_a_sheet_grows_with_its_pairs_and_shows_the_images(root: Path) -> None:
    ((chosen, data), _) = open_recipe(recipe(root))[1]
    two = preview_sheet(chosen, data, data.pairs[:2], COLOURS)
    six = preview_sheet(chosen, data, data.pairs[:6], COLOURS)
    assert two.shape[1] == six.shape[1] == SHEET_WIDTH
    assert six.shape[0] > two.shape[0] + 300
    # The first image, shrunk back out of the sheet: only the label's half is painted.
    place = cv2.matchTemplate(two, cv2.resize(picture(0), (390, 195)), cv2.TM_CCOEFF_NORMED)
    assert place.max() > 0.95


def test_a_broken_pair_is_drawn_as_the_reason_and_the_others_are_drawn(root: Path) -> None:
    (root / 'train' / 'images' / 'a0.png').write_bytes(b'')
    ((chosen, data), _) = open_recipe(recipe(root))[1]
    sheet = preview_sheet(chosen, data, data.pairs[:2], COLOURS)
    again = augmented_sheet(chosen, data, data.pairs[:2], COLOURS, AugmentConfig(), count=2)
    assert sheet.shape[1] == again.shape[1] == SHEET_WIDTH
    whole = preview_sheet(chosen, data, data.pairs[1:3], COLOURS)
    assert not np.array_equal(sheet[-100:], whole[-100:])


def test_augmentation_on_a_sheet_is_that_of_its_seed(root: Path) -> None:
    ((chosen, data), _) = open_recipe(recipe(root))[1]
    first, same, other = (
        augmented_sheet(
            chosen, data, data.pairs[:2], COLOURS, AugmentConfig(), count=2, seed=seed
        )
        for seed in (1, 1, 2)
    )  # fmt: skip
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_without_augmentation_every_column_is_the_original(root: Path) -> None:
    still = AugmentConfig(
        flip=0, scale=(1.0, 1.0), stretch=0, rotate_deg=0, brightness=0, contrast=0, colour=0,
        gamma=0, blur=0, noise=0, shadow=0,
    )  # fmt: skip
    ((chosen, data), _) = open_recipe(recipe(root))[1]
    sheet = augmented_sheet(chosen, data, data.pairs[:1], COLOURS, still, count=1)
    panels = sheet[-300:-60]
    left, right = panels[:, 20:532], panels[:, 20 + 512 + 16 : 20 + 1024 + 16]
    assert np.ptp(left) > 100
    assert np.array_equal(left, right)


def test_sheets_are_written_for_each_set_and_augmented_ones_for_training_only(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root, [data_set('train', name='my streets')])
    assert run_preview(root, '--augmented', 1, '--count', 2) == 0
    names = sorted(path.name for path in (root / 'out').iterdir())
    assert names == ['train_my_streets.jpg', 'train_my_streets_augmented.jpg', 'val_streets.jpg']
    assert cv2.imread(str(root / 'out' / names[0])).shape[1] == SHEET_WIDTH
    assert all(name in capsys.readouterr().out for name in ['val_streets.jpg'])


@pytest.mark.parametrize('words', [('--count', 0), ('--augmented', 99), ('--augmented', -1)])
def test_numbers_out_of_range_are_refused(
    root: Path, words: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root)
    assert run_preview(root, *words) == 1
    assert 'expected --count of 1 or more and --augmented of 0 to 12' in capsys.readouterr().err


def test_long_text_is_shortened_in_the_middle_and_wrapped_in_a_notice() -> None:
    name = 'a_very_long_name_of_a_file_' * 6 + 'end'
    short = shortened(name, 300, 13)
    assert text_alpha(short, 13, False).shape[1] <= 300
    assert short.startswith('a_very')
    assert short.endswith('end')
    assert shortened('short', 300, 13) == 'short'
    panel = notice('one two three four five six seven eight nine ten', (100, 120))
    lines = (panel.max(axis=(1, 2)) > 150).astype(int)
    assert (np.diff(lines) == 1).sum() > 2
