"""Which pairs are taken: always the same, in contiguous blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import Pair
from lane_seg_train.datasets.selection import (
    evenly_spaced,
    listed_names,
    parts_of_blocks,
    selected_by_name,
)
from tests.lane_seg_train.datasets.files import config

PAIRS = [Pair(f'f{n}', Path(f'i/f{n}.jpg'), Path(f'm/f{n}.png')) for n in (1, 2, 9, 10, 11, 100)]


def names(root: Path = Path(), **changes: object) -> list[str]:
    return [pair.name for pair in selected_by_name(PAIRS, config(**changes), root)]


def test_without_a_wish_all_are_taken() -> None:
    assert names() == ['f1', 'f2', 'f9', 'f10', 'f11', 'f100']


def test_a_block_starts_with_first_and_ends_before_before_in_natural_order() -> None:
    assert names(first='f9') == ['f9', 'f10', 'f11', 'f100']
    assert names(before='f10') == ['f1', 'f2', 'f9']
    assert names(first='f3', before='f11') == ['f9', 'f10']


def test_nothing_left_is_an_error_that_says_which_wish_to_widen() -> None:
    with pytest.raises(LaneSegError, match=r"found none of 6 with first='g'.*; widen"):
        names(first='g')


def test_parts_are_taken_of_each_block() -> None:
    assert parts_of_blocks(range(10), (0.0, 0.6), 2) == [0, 1, 2, 5, 6, 7]
    assert parts_of_blocks(range(10), (0.6, 1.0), 2) == [3, 4, 8, 9]
    assert names(part=(0.5, 1.0)) == ['f10', 'f11', 'f100']


@given(st.integers(1, 200), st.integers(1, 20), st.floats(0, 1))
def test_two_parts_share_the_images_without_any_in_both(
    count: int, blocks: int, border: float
) -> None:
    low = parts_of_blocks(range(count), (0.0, border), blocks)
    high = parts_of_blocks(range(count), (border, 1.0), blocks)
    assert sorted(low + high) == list(range(count))


@given(st.integers(0, 300), st.integers(0, 100))
def test_a_limit_spreads_over_all(count: int, limit: int) -> None:
    taken = evenly_spaced(range(count), limit)
    assert len(taken) == (min(count, limit) if limit else count)
    gaps = [b - a for a, b in zip(taken, taken[1:], strict=False)]
    assert all(gap >= 1 for gap in gaps)
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


@pytest.mark.parametrize(
    ('file', 'text'),
    [
        ('a.txt', '# chosen by hand\n\nf10\r\n  f2  \n'),
        ('a.txt', 'f10.jpg\nf2.jpg\n'),
        ('a.txt', '/data/set/i/f10.jpg\nelsewhere\\f2.PNG\n'),
        ('a.csv', 'f10,3\nf2,4\n'),
        (
            'a.csv',
            'date,file_name,mask_ratio\n2021/05/12,f10.png,35.678\n2021/05/12,f2.png,21.0\n',
        ),
        ('a.csv', '\ufeffNAME\nf10\nf2\n'),
        ('a.json', json.dumps(['f10', 'f2.jpg'])),
        ('a.json', json.dumps([{'image': 'f10'}, {'file_name': 'i/f2.jpg'}])),
        ('a.json', json.dumps({'images': [{'id': 1, 'file_name': 'f10.jpg'}, 'f2']})),
    ],
)
def test_lists_name_what_to_take_or_to_leave_out(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text, encoding='utf-8')
    assert names(tmp_path, include=file) == ['f2', 'f10']
    assert names(tmp_path, exclude=file) == ['f1', 'f9', 'f11', 'f100']


def test_leaving_a_file_out_does_not_move_the_border_between_parts(tmp_path: Path) -> None:
    (tmp_path / 'a.txt').write_text('f1')
    assert names(tmp_path, part=(0.0, 0.5), exclude='a.txt') == ['f2', 'f9']
    assert names(tmp_path, part=(0.5, 1.0), exclude='a.txt') == ['f10', 'f11', 'f100']


@pytest.mark.parametrize('key', ['include', 'exclude'])
def test_a_listed_file_that_is_not_there_is_an_error(tmp_path: Path, key: str) -> None:
    (tmp_path / 'a.txt').write_text('f1\nf1O\nx7\n')
    with pytest.raises(LaneSegError, match=r"a\.txt: .*'a', found 2 that .* 'f1O'; did you mean"):
        names(tmp_path, **{key: 'a.txt'})


def test_a_name_with_folders_is_told_from_its_namesake(tmp_path: Path) -> None:
    pairs = [Pair(f'{n}/20', Path(f'{n}/20.jpg'), Path('a.json')) for n in (1, 2)]
    (tmp_path / 'a.txt').write_text('clips/2/20.jpg')
    (chosen,) = selected_by_name(pairs, config(include='a.txt'), tmp_path)
    assert chosen.name == '2/20'
    (tmp_path / 'a.txt').write_text('20.jpg')
    with pytest.raises(LaneSegError, match='found 1 that it has not'):
        selected_by_name(pairs, config(include='a.txt'), tmp_path)


@pytest.mark.parametrize(
    ('file', 'text', 'found'),
    [
        ('a.txt', '\n# nothing\n', 'found none in it'),
        ('a.csv', '', 'found none in it'),
        ('a.json', '[', 'expected a list of names, found: '),
        ('a.json', '{"a": 1}', 'expected a list of names, or of objects'),
        ('a.json', '[3]', "found '3'"),
        ('a.yaml', 'a', r'found \.yaml'),
    ],
)
def test_a_list_that_cannot_be_read_is_named(
    tmp_path: Path, file: str, text: str, found: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(LaneSegError, match=rf'{tmp_path / file}: .*{found}'):
        listed_names(tmp_path / file)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match=r'b\.txt: .*: No such file'):
        names(tmp_path, include='b.txt')
