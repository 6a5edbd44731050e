"""CamVid: colours of 32 classes, or values of 11."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from lane_seg_train.datasets.camvid import CLASSES_11, COLOURS
from tests.lane_seg_train.datasets.files import (
    columns_of,
    data,
    halves,
    indexed_png,
    picture,
    write_picture,
)

LABELS_32 = {
    'Road': 'road', 'LaneMkgsDriv': 'lane_marking', 'Void': 'any', 'other': 'background',
}  # fmt: skip
LABELS_11 = {'Road': ['road', 'lane_marking'], 'Void': 'any', 'other': 'background'}


def camvid(root: Path, **changes: object) -> LaneData:
    return data(root, **{'format': 'camvid', 'labels': LABELS_32, **changes})


def coloured(root: Path) -> None:
    names = ('Sky', 'Road', 'LaneMkgsDriv', 'Void')
    for name in ('0001TP_006690', '0006R0_f00930'):
        write_picture(root / f'i/{name}.png', picture())
        write_picture(root / f'm/{name}_L.png', halves(*(COLOURS[shown] for shown in names)))


def valued(root: Path, images: str = 'i', masks: str = 'm') -> None:
    for name in ('0001TP_006690', '0006R0_f00930'):
        write_picture(root / images / f'{name}.png', picture())
        write_picture(root / masks / f'{name}.png', halves(0, 3, 11))


def test_there_are_32_classes_in_colour_and_11_in_values() -> None:
    assert len(COLOURS) == len(set(COLOURS.values())) == 32
    assert CLASSES_11.index('Void') == 11


def test_colours_of_32_classes_are_read(tmp_path: Path) -> None:
    coloured(tmp_path)
    opened = camvid(tmp_path)
    assert opened.names == ['0001TP_006690', '0006R0_f00930']
    assert opened.reader.found() == 'labels hold colours of 32 classes'
    assert columns_of(opened.examples[0][1]) == [0, 1, 2, 255]


def test_values_of_11_classes_are_read(tmp_path: Path) -> None:
    valued(tmp_path)
    opened = camvid(tmp_path, labels=LABELS_11)
    assert opened.reader.found() == 'labels hold values of 11 classes'
    assert columns_of(opened.examples[0][1]) == [0, 3, 255]


def test_folders_may_be_named_by_their_split(tmp_path: Path) -> None:
    valued(tmp_path, 'CamVid/val', 'CamVid/valannot')
    asked = {'images': 'CamVid', 'masks': '', 'labels': LABELS_11}
    assert len(camvid(tmp_path, **asked, split='val')) == 2
    with pytest.raises(LaneSegError, match='"masks", the folder of labels, or "split"'):
        camvid(tmp_path, **asked)
    with pytest.raises(LaneSegError, match="^data set 'a': expected a folder .*trainannot"):
        camvid(tmp_path, **asked, split='train')


def test_a_class_of_the_other_form_is_refused_with_the_nearest(tmp_path: Path) -> None:
    valued(tmp_path)
    with pytest.raises(LaneSegError, match="found 'LaneMkgsDriv'"):
        camvid(tmp_path)
    with pytest.raises(LaneSegError, match="found 'Pavements'; did you mean 'Pavement'"):
        camvid(tmp_path, labels={'Pavements': 'road'})


def test_labels_of_both_forms_in_one_folder_are_refused(tmp_path: Path) -> None:
    coloured(tmp_path)
    write_picture(tmp_path / 'm/0006R0_f00930_L.png', halves(0, 3))
    with pytest.raises(LaneSegError, match='0006R0_f00930_L.png: expected colours of 32 classes'):
        _ = camvid(tmp_path).examples


def test_a_colour_label_may_be_stored_with_a_palette(tmp_path: Path) -> None:
    coloured(tmp_path)
    indexed_png(
        tmp_path / 'm/0006R0_f00930_L.png', halves(1, 0), [COLOURS['Sky'], COLOURS['Road']]
    )
    assert columns_of(camvid(tmp_path).examples[1][1]) == [1, 0]


def test_a_value_that_is_none_of_the_11_is_refused(tmp_path: Path) -> None:
    valued(tmp_path)
    write_picture(tmp_path / 'm/0006R0_f00930.png', halves(0, 12))
    with pytest.raises(LaneSegError, match=r'0006R0_f00930\.png: .* found 12'):
        _ = camvid(tmp_path, labels=LABELS_11).examples


def test_missing_labels_and_labels_without_image_are_named(tmp_path: Path) -> None:
    coloured(tmp_path)
    (tmp_path / 'i/0001TP_006690.png').unlink()
    assert camvid(tmp_path).reader.orphans() == [tmp_path / 'm/0001TP_006690_L.png']
    write_picture(tmp_path / 'i/x.png', picture())
    with pytest.raises(LaneSegError, match=r'for 1 of 2, for example .*x_L\.png'):
        len(camvid(tmp_path))
