"""Sheets of predictions: the error map follows its definition, the drawing its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.label_sets import ANY_ID, LabelTable
from lane_seg_train.report.error_map import (
    CONFUSED,
    ERRORS,
    FOUND,
    IGNORED,
    INVENTED,
    MISSED,
    NOTHING,
    error_map,
    wrong_share,
)
from lane_seg_train.report.snapshots import snapshot_sheet, write_snapshot

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ('background', 'road', 'lane_marking')
FULL = LabelTable.from_config({0: 'background', 1: 'road', 2: 'lane_marking', 9: 'any'}, CLASSES)
LANES = LabelTable.from_config({255: 'lane_marking', 0: ['background', 'road']}, CLASSES)
ROADS = LabelTable.from_config({3: ['road', 'lane_marking'], 11: 'any', 0: 'background'}, CLASSES)


def kind(table: LabelTable, label: int, predicted: str) -> int:
    target = table.target_from_label(np.full((1, 1), label, np.uint8))
    mask = np.full((1, 1), table.classes.index(predicted), np.uint8)
    return int(error_map(target, mask, table)[0, 0])


@pytest.mark.parametrize(
    ('table', 'label', 'predicted', 'expected'),
    [
        (FULL, 0, 'background', NOTHING),
        (FULL, 0, 'road', INVENTED),
        (FULL, 1, 'road', FOUND),
        (FULL, 1, 'background', MISSED),
        (FULL, 1, 'lane_marking', CONFUSED),
        (FULL, 2, 'road', CONFUSED),
        (FULL, 9, 'road', IGNORED),
        # Where only lanes were drawn, road is as good as background.
        (LANES, 255, 'lane_marking', FOUND),
        (LANES, 255, 'road', MISSED),
        (LANES, 255, 'background', MISSED),
        (LANES, 0, 'road', NOTHING),
        (LANES, 0, 'background', NOTHING),
        (LANES, 0, 'lane_marking', INVENTED),
        # Where paint was labelled as road, both are right.
        (ROADS, 3, 'road', FOUND),
        (ROADS, 3, 'lane_marking', FOUND),
        (ROADS, 3, 'background', MISSED),
        (ROADS, 0, 'lane_marking', INVENTED),
        (ROADS, 11, 'lane_marking', IGNORED),
    ],
)
def test_every_pair_of_label_and_prediction_has_its_kind(
    table: LabelTable, label: int, predicted: str, expected: int
) -> None:
    assert kind(table, label, predicted) == expected


def test_of_two_classes_the_first_is_the_background() -> None:
    cells = LabelTable.from_config({0: 'membrane', 255: 'cell'}, ('cell', 'membrane'))
    assert kind(cells, 0, 'cell') == MISSED
    assert kind(cells, 255, 'membrane') == INVENTED


def test_without_a_background_there_is_only_right_and_wrong() -> None:
    table = LabelTable.from_config({0: 'sky', 1: 'tree', 2: 'car'}, ('sky', 'tree', 'car'))
    assert kind(table, 0, 'sky') == FOUND
    assert kind(table, 0, 'car') == CONFUSED


@settings(max_examples=30)
@given(st.sampled_from([FULL, LANES, ROADS]), st.integers(0, 2**32 - 1))
def test_the_map_agrees_with_the_share_of_wrong_pixels(table: LabelTable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.flatnonzero(table.sets.any(axis=1)).astype(np.uint8)
    target = rng.choice(ids, (5, 7))
    mask = rng.integers(0, 3, (5, 7)).astype(np.uint8)
    labelled = target != ANY_ID
    wrong = ~table.sets[target, mask]
    share = wrong_share(target, mask, table)
    assert share is None if not labelled.any() else share == wrong.sum() / labelled.sum()
    assert np.array_equal(error_map(target, mask, table) == IGNORED, ~labelled)


def test_pixels_that_the_model_does_not_see_miss_what_is_there() -> None:
    target = np.array([[0, 1, 2, ANY_ID]], np.uint8)
    kinds = error_map(target, np.full((1, 4), 255, np.uint8), FULL)
    assert kinds.tolist() == [[NOTHING, MISSED, MISSED, IGNORED]]
    assert wrong_share(target, np.full((1, 4), 255, np.uint8), FULL) == 2 / 3


def test_nothing_labelled_is_no_share_at_all() -> None:
    target = np.full((2, 2), ANY_ID, np.uint8)
    assert wrong_share(target, np.zeros_like(target), FULL) is None


def example(
    table: LabelTable, label: np.ndarray, size: tuple[int, int]
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    image = np.full((*size, 3), 128, np.uint8)
    return [image], [table.target_from_label(label)], [np.zeros(size, np.uint8)]


def panels(sheet: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Cut the four panels of the first row out of a sheet, by the grey image at the left."""
    top = 36 + 34
    return [
        sheet[top : top + size[0], 14 + index * (size[1] + 6) :][:, : size[1]]
        for index in range(4)
    ]


def test_a_row_holds_image_label_prediction_and_errors() -> None:
    size = (200, 400)
    label = np.zeros(size, np.uint8)
    label[100:] = 1
    parts = example(FULL, label, size)
    parts[2][0][:100] = 2
    sheet = snapshot_sheet(*parts, FULL, ['one'], colours=[(0, 0, 0), (0, 255, 0), (0, 0, 255)])
    image, labels, prediction, errors = panels(sheet, size)
    assert np.array_equal(image, parts[0][0])
    # Green dominates where road is labelled, grey shows where there is nothing.
    assert labels[150, 200].argmax() == 1
    assert len(set(labels[50, 200].tolist())) == 1
    assert prediction[50, 200].argmax() == 2
    assert abs(errors[50, 200].astype(int) - ERRORS[INVENTED].colour).max() < 12
    assert abs(errors[150, 200].astype(int) - ERRORS[MISSED].colour).max() < 12


def test_a_choice_of_classes_is_striped_in_their_colours_and_void_is_hatched() -> None:
    size = (200, 400)
    label = np.full(size, 3, np.uint8)
    label[:100] = 11
    parts = example(ROADS, label, size)
    red_and_green = [(0, 0, 0), (0, 255, 0), (0, 0, 255)]
    sheet = snapshot_sheet(*parts, ROADS, ['one'], colours=red_and_green)
    labels = panels(sheet, size)[1]
    striped = labels[120:180, 20:380].reshape(-1, 3)
    shares = np.bincount(striped.argmax(axis=1), minlength=3) / len(striped)
    assert shares[1] == pytest.approx(0.5, abs=0.05)
    assert shares[2] == pytest.approx(0.5, abs=0.05)
    hatched = labels[20:80, 20:380].reshape(-1, 3)
    assert len(np.unique(hatched, axis=0)) == 2
    assert (hatched[:, :1] == hatched).all()


@pytest.mark.parametrize('size', [(16, 24), (64, 128), (512, 512), (300, 1300)])
def test_panels_are_neither_tiny_nor_huge(size: tuple[int, int]) -> None:
    sheet = snapshot_sheet(*example(FULL, np.ones(size, np.uint8), size), FULL, ['one'])
    assert 4 * 320 <= sheet.shape[1] <= 4 * 480 + 100
    assert (sheet.dtype, sheet.ndim) == (np.uint8, 3)


def test_more_images_make_more_rows_and_twenty_classes_a_longer_legend() -> None:
    size = (64, 320)
    parts = example(FULL, np.ones(size, np.uint8), size)
    one = snapshot_sheet(*parts, FULL, ['one'])
    three = snapshot_sheet(*(3 * part for part in parts), FULL, ['one', 'two', 'three'])
    assert three.shape[0] == one.shape[0] + 2 * (64 + 34)
    names = ['background', *(f'some long class name {index}' for index in range(19))]
    many = LabelTable.from_config(dict(enumerate(names)), names)
    assert snapshot_sheet(*parts, many, ['one']).shape[0] > one.shape[0] + 30


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (lambda parts: ([], [], []), 'at least one, found 0, 0, 0 and 1'),
        (lambda parts: (parts[0], parts[1] * 2, parts[2]), 'found 1, 2, 1 and 1'),
        (lambda parts: (parts[0], [parts[1][0][1:]], parts[2]), 'one: expected .* of one size'),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: object, text: str) -> None:
    parts = example(FULL, np.ones((8, 8), np.uint8), (8, 8))
    with pytest.raises(LaneSegError, match=text):
        snapshot_sheet(*change(parts), FULL, ['one'])  # type: ignore[operator]


def test_the_sheet_is_written_as_jpeg_and_an_old_one_survives_a_failure(tmp_path: Path) -> None:
    size = (64, 320)
    sheet = snapshot_sheet(*example(FULL, np.ones(size, np.uint8), size), FULL, ['one'])
    path = write_snapshot(tmp_path / 'snapshots' / 'step_0000010.jpg', sheet)
    assert cv2.imread(str(path)).shape == sheet.shape
    before = path.read_bytes()
    with pytest.raises(cv2.error):
        write_snapshot(path, np.zeros((0, 0, 3), np.uint8))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]
