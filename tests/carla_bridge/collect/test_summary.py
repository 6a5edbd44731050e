"""The table, the sheet, the sizes: what is said about a recording."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_bridge.collect.disk_space import (
    estimated_frame_bytes,
    free_bytes,
    in_words,
    measured_frame_bytes,
)
from carla_bridge.collect.summary import print_table, write_contact_sheet


def recording(folder: Path, count: int) -> list[dict[str, object]]:
    """Write pictures and labels of frames of two towns, and return their lines."""
    noise = np.random.default_rng(0)
    records: list[dict[str, object]] = []
    for number in range(count):
        town, split = ('Town_a', 'Town_b')[number % 2], ('train', 'val')[number % 3 == 0]
        name = f'{town}_r000_ClearNoon_{number:05d}'
        for layer, image in (
            ('rgb', noise.integers(0, 255, (60, 100, 3), np.uint8)),
            ('label', noise.choice(np.array([0, 1, 2, 255], np.uint8), (60, 100))),
        ):
            path = folder / layer / split / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
        records.append({'name': name, 'split': split, 'town': town, 'weather': 'ClearNoon'})
    return records


def test_the_sheet_shows_frames_of_all_groups(tmp_path: Path) -> None:
    path = write_contact_sheet(tmp_path, recording(tmp_path, 30))
    assert path == tmp_path / 'contact_sheet.jpg'
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape == (4 * (240 + 18), 4 * 400, 3)


def test_the_sheet_of_few_frames_is_small_and_of_none_is_none(tmp_path: Path) -> None:
    path = write_contact_sheet(tmp_path, recording(tmp_path, 3))
    assert path is not None
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape[1] == 3 * 400
    assert write_contact_sheet(tmp_path, []) is None


def test_the_table_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(recording(tmp_path, 12))
    rows = [line.replace('│', ' ').split() for line in capsys.readouterr().out.splitlines()]
    assert ['Town_a', 'ClearNoon', '4', '2', '0', '6'] in rows
    assert ['all', '8', '4', '0', '12'] in rows


def test_sizes_are_measured_where_frames_are_and_estimated_elsewhere(tmp_path: Path) -> None:
    assert measured_frame_bytes(tmp_path, ('rgb', 'label')) is None
    recording(tmp_path, 4)
    files = [path.stat().st_size for path in tmp_path.rglob('*.png')]
    assert measured_frame_bytes(tmp_path, ('rgb', 'label')) == pytest.approx(sum(files) / 4)
    small, large = (estimated_frame_bytes(('rgb', 'seg'), width, 100) for width in (100, 200))
    assert large == 2 * small
    assert free_bytes(tmp_path / 'not' / 'there') == pytest.approx(free_bytes(tmp_path), rel=0.1)


@pytest.mark.parametrize(
    ('size', 'words'), [(0, '0 B'), (999, '999 B'), (1500, '1.5 kB'), (2e9, '2.0 GB')]
)
def test_sizes_in_words(size: float, words: str) -> None:
    assert in_words(size) == words
