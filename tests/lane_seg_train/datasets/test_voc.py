"""Pascal VOC: the indices of a palette are the classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from tests.lane_seg_train.datasets.files import (
    columns_of,
    data,
    halves,
    indexed_png,
    picture,
    write_picture,
)

# Colours that are no help: only the indices count.
COLOURS = [(index // 2, 0, 0) for index in range(256)]
LABELS = {'car': 'car', 'person': 'person', 'void': 'any', 'other': 'background'}
CLASSES = ('background', 'car', 'person')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images, two of them labelled: background, car, person, void."""
    for name in ('2007_000032', '2007_000033', '2007_000039'):
        write_picture(tmp_path / f'v/JPEGImages/{name}.jpg', picture())
    for name in ('2007_000032', '2007_000039'):
        indexed_png(tmp_path / f'v/SegmentationClass/{name}.png', halves(0, 7, 15, 255), COLOURS)
    lists = tmp_path / 'v/ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('2007_000039\n')
    (lists / 'lost.txt').write_text('2007_000001\n')
    (lists / 'unlabelled.txt').write_text('2007_000033\n')
    return tmp_path


def voc(root: Path, classes: tuple[str, ...] = CLASSES, **changes: object) -> LaneData:
    asked = {'format': 'voc', 'images': 'v', 'masks': '', 'labels': LABELS}
    return data(root, classes, **{**asked, **changes})


def test_indices_are_read_and_255_is_void(root: Path) -> None:
    opened = voc(root)
    assert opened.names == ['2007_000032', '2007_000039']
    assert columns_of(opened.examples[0][1]) == [0, 1, 2, 255]


def test_a_split_is_a_list_of_the_data_set(root: Path) -> None:
    assert voc(root, split='train').names == ['2007_000039']
    with pytest.raises(LaneSegError, match=r'lost\.txt: .* 1 that are not there.* 2007_000001'):
        len(voc(root, split='lost'))
    with pytest.raises(LaneSegError, match=r'for 1 of 1, .*2007_000033\.png'):
        len(voc(root, split='unlabelled'))
    with pytest.raises(LaneSegError, match=r'vall\.txt: .*No such file'):
        len(voc(root, split='vall'))


def test_colours_without_a_map_are_refused(root: Path) -> None:
    path = write_picture(root / 'v/SegmentationClass/2007_000032.png', halves((128, 128, 128)))
    with pytest.raises(LaneSegError, match=rf'{path}: expected a PNG with a palette'):
        _ = voc(root).examples


def test_a_label_map_of_ones_own_is_read_by_its_colours(root: Path) -> None:
    lines = '# label:color_rgb:parts:actions\nbackground:0,0,0::\nlane:3,0,0::\nroad:7,0,0::\n'
    (root / 'v/labelmap.txt').write_text(lines)
    for name in ('2007_000032', '2007_000039'):
        indexed_png(root / f'v/SegmentationClass/{name}.png', halves(0, 7, 15), COLOURS)
    opened = voc(root, ('nothing', 'lane', 'road'), labels={
        'background': 'nothing', 'lane': 'lane', 'road': 'road',
    })  # fmt: skip
    assert columns_of(opened.examples[0][1]) == [0, 1, 2]
    (root / 'v/labelmap.txt').write_text('background\n')
    with pytest.raises(LaneSegError, match=r"labelmap\.txt: expected name:R,G,B .*'background'"):
        voc(root)


def test_a_label_without_an_image_is_told(root: Path) -> None:
    (root / 'v/JPEGImages/2007_000032.jpg').unlink()
    assert voc(root).names == ['2007_000039']
    assert voc(root).reader.orphans() == [root / 'v/SegmentationClass/2007_000032.png']


def test_an_unknown_class_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(LaneSegError, match="'motorbikes'; did you mean 'motorbike'"):
        voc(root, labels={'motorbikes': 'car'})
