"""Lines of JSON files, drawn with a thickness."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from tests.lane_seg_train.datasets.files import (
    HEIGHT,
    WIDTH,
    columns_of,
    data,
    picture,
    write_json,
    write_picture,
)

LABELS = {'line': 'lane_marking', 'background': ['background', 'road']}
LINE = [[20, 0], [20, 47]]
FORMS = {
    'tusimple': {'lanes': [[-2, 20, 20, 20], [-2, -2, -2, 9]], 'h_samples': [-9, 0, 24, 47]},
    'plain': {'polylines': [LINE]},
    'flat': {'polylines': [[20, 0, 20, 47]]},
    'aihub': {'annotations': [{'polyline': [[20, 0, 20, 47]], 'category_id': 1}]},
    'labelme': {
        'shapes': [{'label': 'line', 'shape_type': 'linestrip', 'points': LINE}],
        'imageHeight': HEIGHT,
        'imageWidth': WIDTH,
    },
}


def polylines(root: Path, **changes: object) -> LaneData:
    return data(root, **{'format': 'polylines', 'labels': LABELS, 'thickness': 5, **changes})


def one(root: Path, record: object, **changes: object) -> np.ndarray:
    """The target of an image with this record in a file of its name."""
    write_picture(root / 'i/a.png', picture())
    write_json(root / 'm/a.json', record)
    (frame,) = polylines(root, **changes).originals()
    return frame[1]


@pytest.mark.parametrize('form', FORMS)
def test_each_form_draws_the_same_line(tmp_path: Path, form: str) -> None:
    target = one(tmp_path, FORMS[form])
    assert (target[:, 18:23] == 2).all()
    assert columns_of(target) == [3, 2, 3]
    assert (target == 2).sum() == 5 * HEIGHT


@pytest.mark.parametrize('thickness', [1, 3, 9])
def test_the_thickness_is_in_pixels_of_the_image(tmp_path: Path, thickness: int) -> None:
    target = one(tmp_path, FORMS['plain'], thickness=thickness)
    assert (target == 2).sum() == thickness * HEIGHT


@pytest.mark.parametrize('thickness', [3, 4, 5, 9])
def test_a_slanting_line_is_as_thick_as_an_upright_one(tmp_path: Path, thickness: int) -> None:
    target = one(tmp_path, {'polylines': [[[20, 10], [70, 38]]]}, thickness=thickness)
    area = thickness * (np.hypot(50, 28) + thickness)
    assert abs((target == 2).sum() / area - 1) < 0.2


def test_lines_are_drawn_without_soft_edges(tmp_path: Path) -> None:
    target = one(tmp_path, {'polylines': [[[3.3, 1.7], [80.2, 40.9]]]})
    assert set(np.unique(target)) == {2, 3}


def test_json_lines_name_their_images(tmp_path: Path) -> None:
    for name in ('clips/1/20', 'clips/2/20', 'clips/10/20', 'clips/1/19'):
        write_picture(tmp_path / f'i/{name}.jpg', picture())
    records = [
        {**FORMS['tusimple'], 'raw_file': f'clips/{number}/20.jpg'} for number in (10, 1, 2)
    ]
    lines = '\n'.join(json.dumps(record) for record in records) + '\n'
    (tmp_path / 'label_data.json').write_text(lines)
    opened = polylines(tmp_path, masks='label_data.json')
    # Frames without a record are not labelled: TuSimple labels the last one of twenty.
    assert opened.names == ['clips/1/20', 'clips/2/20', 'clips/10/20']
    assert columns_of(next(opened.originals())[1]) == [3, 2, 3]
    (tmp_path / 'm').mkdir()
    for number, record in enumerate(records):
        write_json(tmp_path / f'm/label_data_{number}.json', [record])
    assert polylines(tmp_path).names == opened.names


def test_a_second_record_of_an_image_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / 'm.json', [{'image': 'a.png', 'polylines': []}] * 2)
    with pytest.raises(LaneSegError, match='found a second one for a'):
        polylines(tmp_path, masks='m.json')


def test_files_may_be_called_as_those_of_road_cracks_are(tmp_path: Path) -> None:
    write_picture(tmp_path / 'i/V2F_PLINE_1.png', picture())
    write_json(tmp_path / 'm/V2F_PLINE_1_PLINE.json', FORMS['aihub'])
    assert polylines(tmp_path).names == ['V2F_PLINE_1']


def test_an_image_without_any_line_is_background(tmp_path: Path) -> None:
    assert columns_of(one(tmp_path, {'polylines': []})) == [3]


def test_labels_of_shapes_are_names_and_areas_lie_below_lines(tmp_path: Path) -> None:
    area = [[0, 0], [60, 0], [60, 47], [0, 47]]
    record = {
        'shapes': [
            {'label': 'paint', 'shape_type': 'line', 'points': LINE},
            {'label': 'asphalt', 'shape_type': 'polygon', 'points': area},
        ]
    }
    labels = {'paint': 'lane_marking', 'asphalt': 'road', 'background': 'background'}
    assert columns_of(one(tmp_path, record, labels=labels)) == [1, 2, 1, 0]
    assert polylines(tmp_path, labels=labels).reader.names == {
        'background': 0, 'line': 1, 'asphalt': 2, 'paint': 3,
    }  # fmt: skip
    with pytest.raises(LaneSegError, match="'paints'; did you mean 'paint'"):
        polylines(tmp_path, labels={'paints': 'road'})


def test_values_are_those_of_the_whole_data_set_however_little_is_taken(tmp_path: Path) -> None:
    for name, label in (('a', 'zebra'), ('b', 'arrow')):
        write_picture(tmp_path / f'i/{name}.png', picture())
        shape = {'label': label, 'shape_type': 'line', 'points': LINE}
        write_json(tmp_path / f'm/{name}.json', {'shapes': [shape]})
    labels = {3: 'lane_marking', 'other': 'any'}
    assert columns_of(next(polylines(tmp_path, labels=labels).originals())[1]) == [255, 2, 255]
    assert polylines(tmp_path, labels=labels, before='b').table.values == {3: 2}


@pytest.mark.parametrize(
    ('record', 'found'),
    [
        ({}, r'found the keys \[\]'),
        ({'lanes': [[1, 2]]}, r'expected a list as "h_samples", found the keys'),
        ({'lanes': [[1, 2]], 'h_samples': [1]}, 'expected an x for each of 1 h_samples'),
        ({'lanes': [5], 'h_samples': [1]}, 'expected an x for each'),
        ({'polylines': 3}, 'expected a list as "polylines", found'),
        ({'polylines': [[1, 2, 3]]}, 'expected points'),
        ({'polylines': [['x', 'y']]}, 'expected points'),
        ({'polylines': [[[1, 2], [3]]]}, 'expected points'),
        ({'polylines': [[[float('nan'), 2], [3, 4]]]}, 'expected points'),
        ({'polylines': [[[1e30, 2], [3, 4]]]}, 'expected points'),
        ({'annotations': [7]}, 'expected a list of objects as "annotations"'),
        ({'annotations': [{}]}, 'expected a list as "polyline"'),
        ({'shapes': [{'shape_type': 'circle', 'points': LINE}]}, "found 'circle'"),
        ([7], 'expected a JSON object'),
    ],
)
def test_a_broken_record_is_named_with_its_file(
    tmp_path: Path, record: object, found: str
) -> None:
    with pytest.raises(LaneSegError, match=rf"data set 'a': .*a\.json: .*{found}"):
        one(tmp_path, record)


def test_a_broken_line_is_named_with_its_number(tmp_path: Path) -> None:
    (tmp_path / 'm.json').write_text('{"image": "a.png", "polylines": []}\n\n{"image": "b.pn')
    with pytest.raises(LaneSegError, match=r'm\.json: .* in line 3: '):
        polylines(tmp_path, masks='m.json')


def test_more_labels_than_values_are_refused(tmp_path: Path) -> None:
    shapes = [{'label': str(number), 'points': LINE} for number in range(255)]
    with pytest.raises(LaneSegError, match='at most 254 different labels, found 255'):
        one(tmp_path, {'shapes': shapes})
    assert columns_of(one(tmp_path, {'shapes': shapes[1:]}, labels={'other': 'road'})) == [1]


def test_annotations_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match=r'a\.json: .*\(48, 96\).* they state \(96, 48\)'):
        one(tmp_path, {**FORMS['labelme'], 'imageHeight': WIDTH, 'imageWidth': HEIGHT})


def test_missing_annotations_and_such_without_image_are_named(tmp_path: Path) -> None:
    one(tmp_path, FORMS['plain'])
    write_json(tmp_path / 'm/b.json', FORMS['plain'])
    assert polylines(tmp_path).reader.orphans() == [tmp_path / 'm/b.json']
    write_picture(tmp_path / 'i/c.png', picture())
    with pytest.raises(LaneSegError, match=r'for 1 of 2, for example .*m/c\.json of c\.png'):
        len(polylines(tmp_path))


def test_records_whose_images_are_not_there_are_told(tmp_path: Path) -> None:
    write_picture(tmp_path / 'i/a.png', picture())
    records = [{'image': f'{name}.png', 'polylines': []} for name in 'ab']
    write_json(tmp_path / 'm.json', records)
    assert polylines(tmp_path, masks='m.json').reader.orphans() == [tmp_path / 'i/b.png']
    (tmp_path / 'i/a.png').unlink()
    with pytest.raises(LaneSegError, match='found none of 2; check "images"'):
        len(polylines(tmp_path, masks='m.json'))


def test_an_empty_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / 'm').mkdir()
    with pytest.raises(LaneSegError, match=r'expected annotations \(\.json \.jsonl\)'):
        polylines(tmp_path)
    with pytest.raises(LaneSegError, match=r'x\.json: expected a JSON file, found: No such file'):
        polylines(tmp_path, masks='x.json')
