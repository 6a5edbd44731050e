"""Examples lie in memory, or in a file where they would not fit."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets import cache
from tests.lane_seg_train.datasets.files import data, halves, write_pairs, write_picture


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pairs, and a memory that holds nothing."""
    monkeypatch.setenv('LANE_SEG_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(cache, 'memory_limit', lambda: 0)
    write_pairs(tmp_path)
    return tmp_path


def files(root: Path) -> list[Path]:
    return sorted((root / 'cache').glob('*'))


def test_examples_of_a_file_are_those_of_the_memory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = data(root).examples
    assert len(files(root)) == 1
    assert files(root)[0].stat().st_size == data(root).nbytes
    monkeypatch.setattr(cache, 'memory_limit', lambda: 1 << 30)
    for example, held in zip(mapped, data(root).examples, strict=True):
        for array, expected in zip(example, held, strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


def test_few_examples_leave_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, 'memory_limit', lambda: 1 << 30)
    assert len(data(root).examples) == 4
    assert not files(root)


def test_a_second_run_does_not_read_the_images_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data(root).examples
    opened = data(root, name='another name', repeat=3.0, licence='of no matter')
    monkeypatch.setattr(type(opened.reader), 'read', None)
    np.testing.assert_array_equal(opened.examples[3][0], first[3][0])
    assert len(files(root)) == 1


def test_a_changed_file_or_configuration_is_read_anew(root: Path) -> None:
    assert data(root).examples[0][1].max() == 1
    path = write_picture(root / 'm/frame_0.png', halves(0, 2))
    os.utime(path, ns=(0, 1))
    assert data(root).examples[0][1].max() == 2
    assert data(root, labels={0: 'road', 'other': 'any'}).examples[0][1].max() == 255
    assert len(data(root, limit=2).examples) == 2
    assert len(files(root)) == 4


def test_writing_into_an_example_leaves_the_file_as_it_is(root: Path) -> None:
    image, target = data(root).examples[0]
    expected = image.copy()
    image[:] = 77
    target[:] = 77
    np.testing.assert_array_equal(data(root).examples[0][0], expected)


def test_a_file_of_another_length_is_written_anew(root: Path) -> None:
    expected = data(root).examples[3][0].copy()
    with files(root)[0].open('r+b') as file:
        file.truncate(1000)
    np.testing.assert_array_equal(data(root).examples[3][0], expected)


def test_an_error_while_reading_leaves_no_file(root: Path) -> None:
    (root / 'i/frame_3.png').write_bytes(b'damaged')
    with pytest.raises(LaneSegError, match=r'frame_3\.png'):
        _ = data(root).examples
    assert not files(root)


def test_a_full_disk_is_told_before_anything_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)._replace(free=1000)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    with pytest.raises(LaneSegError, match='free disk .* LANE_SEG_CACHE'):
        _ = data(root).examples


def test_a_cache_that_cannot_be_written_is_an_error(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / 'taken').write_text('a file')
    monkeypatch.setenv('LANE_SEG_CACHE', str(root / 'taken'))
    with pytest.raises(LaneSegError, match='found: .*; let LANE_SEG_CACHE'):
        _ = data(root).examples


def test_the_cache_lies_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', '/x')
    monkeypatch.setenv('LANE_SEG_CACHE', '~/c')
    assert cache.cache_folder() == Path.home() / 'c'
    monkeypatch.delenv('LANE_SEG_CACHE')
    assert cache.cache_folder() == Path('/x/lane_seg/examples')
    monkeypatch.delenv('XDG_CACHE_HOME')
    assert cache.cache_folder() == Path.home() / '.cache/lane_seg/examples'


def test_memory_is_that_of_the_machine_or_of_its_container(tmp_path: Path) -> None:
    assert cache.available_bytes(tmp_path, tmp_path) == sys.maxsize
    (tmp_path / 'meminfo').write_text('MemTotal: 900 kB\nMemAvailable:   500 kB\n')
    assert cache.available_bytes(tmp_path, tmp_path) == 500 * 1024
    (tmp_path / 'memory.max').write_text('max\n')
    (tmp_path / 'memory.current').write_text('1000\n')
    assert cache.available_bytes(tmp_path, tmp_path) == 500 * 1024
    (tmp_path / 'memory.max').write_text('4000\n')
    assert cache.available_bytes(tmp_path, tmp_path) == 3000
    (tmp_path / 'memory.current').write_text('5000\n')
    assert cache.available_bytes(tmp_path, tmp_path) == 0


def test_a_data_set_takes_half_of_the_free_memory_and_never_more_than_4_gib(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, 'available_bytes', lambda: 1000)
    assert cache.memory_limit() == 500
    monkeypatch.setattr(cache, 'available_bytes', lambda: 1 << 50)
    assert cache.memory_limit() == 4 << 30
