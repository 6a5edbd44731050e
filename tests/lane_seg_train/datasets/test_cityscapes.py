"""Cityscapes: images and labels by city, in three kinds of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from lane_seg_train.datasets.cityscapes import LABELS, TRAIN_CLASSES
from tests.lane_seg_train.datasets.files import (
    columns_of,
    data,
    halves,
    picture,
    write_picture,
)

IDS = {name: index for index, (name, _) in enumerate(LABELS)}
COLOURS = dict(LABELS)
SHOWN = ('road', 'car', 'ego vehicle', 'polegroup')


def frame(root: Path, city: str, number: int, split: str = 'train') -> str:
    name = f'{city}_{number:06}_000019'
    write_picture(root / f'cs/leftImg8bit/{split}/{city}/{name}_leftImg8bit.png', picture())
    stem = str(root / f'cs/gtFine/{split}/{city}/{name}_gtFine')
    ids = halves(*(IDS[shown] for shown in SHOWN))
    colours = halves(*(COLOURS[shown] for shown in SHOWN))
    train_ids = halves(0, 13, 255, 255)
    write_picture(Path(f'{stem}_labelIds.png'), ids)
    write_picture(Path(f'{stem}_labelTrainIds.png'), train_ids)
    # The colour images that are published have an alpha channel.
    write_picture(Path(f'{stem}_color.png'), np.dstack([colours, np.full_like(ids, 255)]))
    write_picture(Path(f'{stem}_instanceIds.png'), ids.astype(np.uint16) * 1000)
    return name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for city, number in (('bochum', 2), ('bochum', 10), ('aachen', 1)):
        frame(tmp_path, city, number)
    frame(tmp_path, 'ulm', 1, 'val')
    return tmp_path


def cityscapes(
    root: Path, classes: tuple[str, ...] = TRAIN_CLASSES, **changes: object
) -> LaneData:
    labels = {**{name: name for name in TRAIN_CLASSES}, 'void': 'any'}
    asked = {'format': 'cityscapes', 'images': 'cs', 'masks': '', 'split': 'train'}
    return data(root, classes, **{**asked, 'labels': labels, **changes})


def test_there_are_19_classes_and_34_ids() -> None:
    # The specification's own figures: 'road' is 7, 'bicycle' 33 and the last train id 18.
    assert len(TRAIN_CLASSES) == 19
    assert len(LABELS) == 34
    assert (IDS['road'], IDS['pole'], IDS['sky'], IDS['train'], IDS['bicycle']) == (
        7,
        17,
        23,
        31,
        33,
    )
    assert TRAIN_CLASSES.index('bicycle') == 18
    assert set(TRAIN_CLASSES) < set(IDS)


def test_images_of_all_cities_are_paired(root: Path) -> None:
    assert cityscapes(root).names == [
        'aachen_000001_000019',
        'bochum_000002_000019',
        'bochum_000010_000019',
    ]
    assert cityscapes(root, split='val').names == ['ulm_000001_000019']


@pytest.mark.parametrize('kind', ['', 'gtFine_labelIds', 'gtFine_labelTrainIds'])
def test_one_configuration_reads_both_numberings(root: Path, kind: str) -> None:
    _, target = cityscapes(root, masks=kind).examples[0]
    assert columns_of(target) == [0, 13, 255]


def test_colours_are_read_too_where_they_tell_classes_apart(root: Path) -> None:
    # polegroup has the colour of pole: only the ids tell them apart.
    _, target = cityscapes(root, masks='gtFine_color').examples[0]
    assert columns_of(target) == [0, 13, 255, TRAIN_CLASSES.index('pole')]
    with pytest.raises(LaneSegError, match="found 'polegroup'; did you mean 'pole'"):
        cityscapes(root, masks='gtFine_color', labels={'polegroup': 'pole'})


def test_classes_that_the_benchmark_leaves_out_can_be_named(root: Path) -> None:
    labels = {'road': 'road', 'ego vehicle': 'any', 'other': 'background'}
    _, target = cityscapes(root, ('background', 'road'), labels=labels).examples[0]
    assert columns_of(target) == [1, 0, 255, 0]


def test_the_test_split_is_refused_as_its_labels_are_not_public(root: Path) -> None:
    with pytest.raises(LaneSegError, match='not public'):
        cityscapes(root, split='test')


def test_colours_in_place_of_ids_are_refused(root: Path) -> None:
    label = root / 'cs/gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png'
    write_picture(label, halves(COLOURS['road']))
    with pytest.raises(LaneSegError, match=f'{label}: expected ids, found colours'):
        _ = cityscapes(root).examples


def test_an_unknown_kind_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(LaneSegError, match="did you mean 'gtFine_labelTrainIds'"):
        cityscapes(root, masks='gtFine_trainIds')


@pytest.mark.parametrize('split', ['', 'vall'])
def test_an_unknown_split_is_refused_with_those_that_are_there(root: Path, split: str) -> None:
    with pytest.raises(LaneSegError, match=r"\"split\" to one of \['train', 'val'\]"):
        len(cityscapes(root, split=split))


def test_missing_labels_and_labels_without_image_are_named(root: Path) -> None:
    (root / 'cs/leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png').unlink()
    frame(root, 'aachen', 2)
    label = 'cs/gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png'
    assert cityscapes(root).reader.orphans() == [root / label]
    (root / 'cs/gtFine/train/bochum/bochum_000002_000019_gtFine_labelIds.png').unlink()
    with pytest.raises(LaneSegError, match=r'for 1 of 3, for example .*bochum_000002.*labelIds'):
        len(cityscapes(root))
