"""Recordings of CARLA: rgb, seg and classes.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData, open_reader, pairs_of
from tests.lane_seg_train.datasets.files import (
    columns_of,
    config,
    data,
    halves,
    picture,
    write_json,
    write_picture,
)

# As S0 stores them: B, G, R in the order of the tags.
OLD = {'class_num': {'Unlabeled': [0, 0, 0], 'RoadLine': [50, 234, 157], 'Road': [128, 64, 128]}}
NEW = {
    'classes': [
        {'id': 0, 'name': 'Unlabeled', 'colour_rgb': [0, 0, 0]},
        {'id': 1, 'name': 'Road', 'colour_rgb': [128, 64, 128]},
        {'id': 24, 'name': 'RoadLine', 'colour_rgb': [157, 234, 50]},
    ]
}
LABELS = {'RoadLine': 'lane_marking', 'Road': 'road', 'other': 'background'}
NOTHING, LINE, ROAD = (0, 0, 0), (157, 234, 50), (128, 64, 128)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training and one validation frame; labels hold colours: nothing, line, road."""
    write_json(tmp_path / 'run/classes.json', NEW)
    for split, names in (('train', ('000001', '000002')), ('val', ('000009',))):
        for name in names:
            write_picture(tmp_path / f'run/rgb/{split}/{name}.png', picture())
            write_picture(tmp_path / f'run/seg/{split}/{name}.png', halves(NOTHING, LINE, ROAD))
    return tmp_path


def carla(root: Path, **changes: object) -> LaneData:
    asked = {'format': 'carla', 'images': 'run', 'masks': '', 'split': 'train', 'labels': LABELS}
    return data(root, **{**asked, **changes})


def red(values: np.ndarray) -> np.ndarray:
    """Tags as CARLA sends them: in the red channel of an opaque picture."""
    nothing = np.zeros_like(values)
    return np.dstack([nothing, nothing, values, nothing + 255])


def write_labels(root: Path, label: np.ndarray) -> None:
    for name in ('000001', '000002'):
        write_picture(root / f'run/seg/train/{name}.png', label)


def test_a_split_is_read_with_classes_by_name(root: Path) -> None:
    opened = carla(root)
    assert opened.names == ['000001', '000002']
    assert opened.reader.found() == 'labels hold the colours of classes.json'
    assert columns_of(opened.examples[0][1]) == [0, 2, 1]
    assert carla(root, split='val').names == ['000009']


@pytest.mark.parametrize('classes', [OLD, NEW])
def test_both_forms_of_classes_json_are_read(root: Path, classes: object) -> None:
    write_json(root / 'run/classes.json', classes)
    assert columns_of(carla(root).examples[0][1]) == [0, 2, 1]


@pytest.mark.parametrize(
    ('classes', 'tags'), [(OLD, (0, 1, 2)), (NEW, (0, 24, 1))], ids=['old', 'new']
)
def test_tags_are_read_by_the_names_of_their_version(
    root: Path, classes: object, tags: tuple[int, int, int]
) -> None:
    write_json(root / 'run/classes.json', classes)
    write_labels(root, halves(*tags))
    opened = carla(root)
    assert opened.reader.found() == 'labels hold tags in one channel'
    assert columns_of(opened.examples[0][1]) == [0, 2, 1]
    write_labels(root, red(halves(*tags)))
    opened = carla(root)
    assert 'red channel' in opened.reader.found()
    assert columns_of(opened.examples[0][1]) == [0, 2, 1]


def test_a_label_without_any_class_says_nothing_about_the_coding(root: Path) -> None:
    write_picture(root / 'run/seg/train/000001.png', halves(NOTHING))
    assert carla(root).reader.found() == 'labels hold the colours of classes.json'
    assert columns_of(carla(root).examples[0][1]) == [0]
    write_labels(root, halves(NOTHING))
    assert columns_of(carla(root).examples[0][1]) == [0]


def test_tags_need_no_colours_and_colours_do(root: Path) -> None:
    classes = [{'id': item['id'], 'name': item['name']} for item in NEW['classes']]
    write_json(root / 'run/classes.json', {'classes': classes})
    with pytest.raises(LaneSegError, match="a colour for each class.*none for 'Unlabeled'"):
        _ = carla(root).examples
    write_labels(root, halves(0, 24, 1))
    assert columns_of(carla(root).examples[0][1]) == [0, 2, 1]


def test_labels_of_two_codings_in_one_split_are_refused(root: Path) -> None:
    write_picture(root / 'run/seg/train/000002.png', red(halves(0, 24, 1)))
    with pytest.raises(LaneSegError, match=r'000002\.png: expected the colours .* found tags in'):
        _ = carla(root).examples


def test_an_unknown_tag_is_an_error_even_with_other(root: Path) -> None:
    write_labels(root, halves(0, 6, 7))
    with pytest.raises(LaneSegError, match=r'000001\.png: .*classes\.json, found \[6, 7\]'):
        _ = carla(root).examples


def test_an_unknown_colour_is_named_with_the_nearest_class(root: Path) -> None:
    write_labels(root, halves((158, 234, 50), ROAD))
    with pytest.raises(LaneSegError, match="158,234,50 in .* nearest entry is 'RoadLine'"):
        _ = carla(root).examples


def test_an_unknown_class_is_refused_with_the_nearest(root: Path) -> None:
    # It is called RoadLine up to CARLA 0.9.13 and RoadLines later.
    with pytest.raises(LaneSegError, match="'RoadLines'; did you mean 'RoadLine'"):
        carla(root, labels={'RoadLines': 'lane_marking'})


def test_an_unknown_split_is_refused_with_those_that_are_there(root: Path) -> None:
    for split in ('', 'test'):
        with pytest.raises(LaneSegError, match=rf"out of \['train', 'val'\].*found '{split}'"):
            len(carla(root, split=split))


def test_a_recording_without_splits_is_read_whole(tmp_path: Path) -> None:
    write_json(tmp_path / 'run/classes.json', NEW)
    write_picture(tmp_path / 'run/rgb/1.png', picture())
    write_picture(tmp_path / 'run/seg/1.png', halves(24))
    assert columns_of(carla(tmp_path, split='').examples[0][1]) == [2]


def test_an_image_without_label_and_a_label_without_image_are_named(root: Path) -> None:
    (root / 'run/rgb/train/000001.png').unlink()
    asked = config(format='carla', images='run', masks='', split='train', labels=LABELS)
    assert open_reader(asked, root).orphans() == [root / 'run/seg/train/000001.png']
    (root / 'run/seg/train/000002.png').unlink()
    with pytest.raises(LaneSegError, match=r'for 1 of 1, for example .*seg/train/000002\.png'):
        pairs_of(asked, root)


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        ('', 'expected JSON'),
        ('[]', 'expected a JSON object'),
        ('{}', 'expected a list as "classes"'),
        ('{"classes": []}', 'expected classes with tags'),
        ('{"classes": [{"id": 1}]}', 'expected a text as "name"'),
        ('{"classes": [{"id": 300, "name": "a"}]}', 'expected classes with tags'),
        ('{"classes": [{"id": 1, "name": "a", "colour_rgb": [1, 2]}]}', 'three levels'),
        ('{"class_num": [1]}', 'expected classes with tags'),
        ('{"class_num": {"a": "red"}}', 'three levels'),
    ],
)
def test_broken_classes_are_named(root: Path, content: str, found: str) -> None:
    (root / 'run/classes.json').write_text(content)
    with pytest.raises(LaneSegError, match=rf"data set 'a': .*classes\.json: .*{found}"):
        carla(root)


def test_a_recording_without_classes_is_refused(root: Path) -> None:
    (root / 'run/classes.json').unlink()
    with pytest.raises(LaneSegError, match=r'classes\.json: .* No such file'):
        carla(root)


def test_frames_that_were_recorded_and_are_lost_are_named(root: Path) -> None:
    lines = [{'name': '000001', 'split': 'train', 'town': 'Town01'}, {'name': '000009.png'}]
    manifest = root / 'run/manifest.jsonl'
    manifest.write_text(json.dumps(lines[0]) + '\n')
    assert len(carla(root)) == 2
    manifest.write_text('\n'.join(json.dumps(line) for line in lines))
    with pytest.raises(LaneSegError, match=r'manifest\.jsonl: .* for 1 of 2, for example 000009'):
        len(carla(root))
