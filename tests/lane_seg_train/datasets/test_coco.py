"""COCO instances: polygons and run lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import LaneData
from lane_seg_train.datasets.coco_rle import counts_from_text, mask_from_counts
from tests.lane_seg_train.datasets.files import (
    HEIGHT,
    WIDTH,
    columns_of,
    data,
    picture,
    write_json,
    write_picture,
)

CLASSES = ('background', 'car', 'person')
LABELS = {'car': 'car', 'person': 'person', 'background': 'background'}
CATEGORIES = [{'id': 1, 'name': 'person'}, {'id': 3, 'name': 'car'}]


def box(left: int, right: int) -> list[float]:
    """A polygon over the columns from left up to right, the whole height."""
    return [left, 0, right, 0, right, HEIGHT, left, HEIGHT]


def instance(category: int, shape: object, *, image: int = 1, **keys: object) -> dict[str, object]:
    found = {'id': 1, 'image_id': image, 'category_id': category, 'segmentation': shape}
    return {**found, 'area': 100.0, 'iscrowd': 0, **keys}


def write(root: Path, shown: list[object], **changes: object) -> None:
    write_picture(root / 'i/a.jpg', picture())
    image = {'id': 1, 'file_name': 'a.jpg', 'height': HEIGHT, 'width': WIDTH}
    content = {'images': [image], 'annotations': shown, 'categories': CATEGORIES}
    write_json(root / 'm.json', {**content, **changes})


def coco(root: Path, **changes: object) -> LaneData:
    return data(
        root, CLASSES, **{'format': 'coco', 'masks': 'm.json', 'labels': LABELS, **changes}
    )


def target_of(root: Path, annotations: list[object]) -> np.ndarray:
    write(root, annotations)
    (frame,) = coco(root).originals()
    return frame[1]


def text_of(counts: list[int]) -> str:
    """Run lengths as text, by the rule in the module's first lines."""
    text = ''
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            group, value = value & 31, value >> 5
            more = value != (-1 if group & 16 else 0)
            text += chr(48 + group + 32 * more)
    return text


def counts_of(mask: np.ndarray) -> list[int]:
    flat = np.concatenate([[False], mask.ravel(order='F')])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], edges, [mask.size]])).astype(int).tolist()


@pytest.mark.parametrize(
    ('text', 'counts'),
    [('061M', [0, 6, 1, 3]), ('0610', [0, 6, 1, 6]), ('0PP1', [0, 1024]), ('', [])],
)
def test_texts_of_the_published_tool_are_read(text: str, counts: list[int]) -> None:
    assert counts_from_text(text) == counts


@given(st.lists(st.integers(0, 5_000_000), max_size=30))
def test_run_lengths_come_back_from_their_text(counts: list[int]) -> None:
    assert counts_from_text(text_of(counts)) == counts


@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_a_mask_comes_back_from_its_run_lengths(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(mask_from_counts(counts_of(mask), mask.shape), mask)


@given(st.text(max_size=20))
def test_any_text_gives_run_lengths_or_an_error(text: str) -> None:
    try:
        counts = counts_from_text(text)
        mask_from_counts(counts, (3, 4))
    except LaneSegError:
        return
    assert sum(counts) == 12


def test_polygons_are_filled_with_their_category(tmp_path: Path) -> None:
    target = target_of(tmp_path, [instance(3, [box(10, 30)]), instance(1, [box(50, 60)])])
    assert columns_of(target) == [0, 1, 0, 2, 0]
    # A box of 20 columns covers them, and at most half a pixel more on each side.
    assert abs(int((target == 1).sum()) - 20 * HEIGHT) <= HEIGHT
    assert (target[:, 10:30] == 1).all()


@pytest.mark.parametrize('as_text', [False, True])
def test_run_lengths_are_read_as_numbers_and_as_text(tmp_path: Path, as_text: bool) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[10:20, 40:70] = True
    counts = counts_of(mask)
    shape = {'size': [HEIGHT, WIDTH], 'counts': text_of(counts) if as_text else counts}
    np.testing.assert_array_equal(target_of(tmp_path, [instance(3, shape)]), mask)


def test_an_instance_may_have_several_polygons(tmp_path: Path) -> None:
    target = target_of(tmp_path, [instance(3, [box(10, 20), box(40, 50)])])
    assert columns_of(target) == [0, 1, 0, 1, 0]


def test_of_two_instances_the_smaller_is_seen_and_crowds_lie_below(tmp_path: Path) -> None:
    small = instance(1, [box(20, 30)], area=10)
    large = instance(3, [box(10, 40)], area=30)
    assert columns_of(target_of(tmp_path, [small, large])) == [0, 1, 2, 1, 0]
    crowd = instance(1, [box(20, 30)], area=10, iscrowd=1)
    assert columns_of(target_of(tmp_path, [large, crowd])) == [0, 1, 0]


def test_an_image_without_instances_is_background(tmp_path: Path) -> None:
    assert columns_of(target_of(tmp_path, [])) == [0]


def test_background_gives_way_to_a_category_of_id_0(tmp_path: Path) -> None:
    categories = [{'id': 0, 'name': 'person'}, {'id': 3, 'name': 'car'}]
    write(tmp_path, [instance(0, [box(10, 20)])], categories=categories)
    assert coco(tmp_path).reader.names == {'background': 255, 'person': 0, 'car': 3}
    assert columns_of(next(coco(tmp_path).originals())[1]) == [0, 2, 0]


def test_images_in_folders_keep_them_in_their_names(tmp_path: Path) -> None:
    images = [
        {'id': number, 'file_name': f'b/{number}.jpg', 'height': HEIGHT, 'width': WIDTH}
        for number in (10, 9)
    ]
    write(tmp_path, [instance(3, [box(0, 96)], image=9)], images=images)
    for number in (9, 10):
        write_picture(tmp_path / f'i/b/{number}.jpg', picture())
    opened = coco(tmp_path)
    assert opened.names == ['b/9', 'b/10']
    assert [columns_of(target) for _, target in opened.originals()] == [[1], [0]]


def test_images_that_are_not_there_are_told(tmp_path: Path) -> None:
    write(tmp_path, [])
    (tmp_path / 'i/a.jpg').unlink()
    assert coco(tmp_path).reader.orphans() == [tmp_path / 'i/a.jpg']
    with pytest.raises(LaneSegError, match='found none of 1; check "images"'):
        len(coco(tmp_path))


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [])
    write_picture(tmp_path / 'i/a.jpg', np.zeros((HEIGHT, HEIGHT, 3), np.uint8))
    with pytest.raises(LaneSegError, match=r'm\.json: a\.jpg: .*\(48, 96\).*found \(48, 48\)'):
        list(coco(tmp_path).originals())


@pytest.mark.parametrize(
    ('shape', 'found'),
    [
        (None, 'expected polygons or run lengths as "segmentation", found None'),
        ([[1, 2, 3]], 'expected points'),
        ([['a', 'b']], 'expected points'),
        ({'counts': [5]}, 'expected run lengths of 4608 pixels, found 5'),
        ({'counts': 'é'}, 'found the character'),
        ({'counts': 'P'}, 'cut short'),
        ({'counts': ['a']}, 'expected run lengths, found'),
        ({}, 'expected run lengths, found'),
    ],
)
def test_a_broken_shape_is_named_with_file_and_image(
    tmp_path: Path, shape: object, found: str
) -> None:
    with pytest.raises(LaneSegError, match=rf'm\.json: a\.jpg: .*{found}'):
        target_of(tmp_path, [instance(3, shape)])


@pytest.mark.parametrize(
    ('changes', 'found'),
    [
        ({'images': None}, 'expected a list as "images"'),
        ({'images': [{'id': 1}]}, 'expected a text as "file_name"'),
        ({'annotations': [instance(3, [], image=9)]}, 'found image_id 9'),
        ({'annotations': [instance(2, [])]}, 'with category_id 2'),
        ({'annotations': [{}]}, 'expected an integer as "image_id"'),
        ({'annotations': [instance(3, [], area='x')]}, 'expected a number as "area"'),
        ({'categories': []}, r'expected categories with ids 0\.\.254'),
        ({'categories': [{'id': 1203, 'name': 'x'}]}, r'found \[1203\]'),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, changes: dict[str, object], found: str) -> None:
    write(tmp_path, [], **changes)
    with pytest.raises(LaneSegError, match=rf"data set 'a': .*m\.json: .*{found}"):
        coco(tmp_path)


def test_an_unknown_category_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, [])
    with pytest.raises(LaneSegError, match="'persons'; did you mean 'person'"):
        coco(tmp_path, labels={'persons': 'person'})
