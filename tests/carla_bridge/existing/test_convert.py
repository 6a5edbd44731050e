"""Recordings of other tools as recordings of ours."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from carla_bridge.existing.coding import coding_of
from carla_bridge.existing.convert import ConvertOptions, convert
from lane_seg.errors import LaneSegError
from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData
from tests.carla_bridge.existing.files import coloured, picture, read, red, street, write

DATA = Path(__file__).resolve().parents[4] / 'shared/data'
FRAMES = 24


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Frames of raw tags as many collectors leave them."""
    root = tmp_path / 'old'
    for index in range(FRAMES):
        write(root / f'rgb/{index:06d}.png', picture(index))
        write(root / f'semantic/{index:06d}.png', red(street('0.9.13', index)))
    return root


def digest(root: Path) -> str:
    """Names and contents of all files."""
    names = sorted(path for path in root.rglob('*') if path.is_file())
    found = hashlib.sha256()
    for name in names:
        found.update(str(name.relative_to(root)).encode() + name.read_bytes())
    return found.hexdigest()


def options(root: Path, **changes: object) -> ConvertOptions:
    return ConvertOptions(root, root.parent / 'new', **{'block': 6, 'gap': 2, **changes})  # type: ignore[arg-type]


def test_raw_tags_become_a_recording_and_the_input_stays_as_it_was(old: Path) -> None:
    before = digest(old)
    seen: list[tuple[int, int]] = []
    summary = convert(options(old), lambda done, total: seen.append((done, total)))
    assert digest(old) == before
    assert summary.version == '0.9.13'
    assert summary.new == summary.counts.total() == FRAMES - summary.in_gaps
    assert seen[-1] == (summary.new, summary.new)
    new = old.parent / 'new'
    records = [json.loads(line) for line in (new / 'manifest.jsonl').read_text().splitlines()]
    assert Counter(record['split'] for record in records) == summary.counts
    for record in records:
        name = f'{record["split"]}/{record["name"]}.png'
        assert np.array_equal(read(new / 'seg' / name), street('0.9.13', int(record['name'])))
        assert np.array_equal(read(new / 'rgb' / name), picture(int(record['name'])))
        assert (record['width'], record['height'], record['version']) == (128, 72, '0.9.13')
    classes = json.loads((new / 'classes.json').read_text())['classes']
    assert {'id': 6, 'name': 'RoadLines', 'colour_rgb': [157, 234, 50]} in classes


def test_colours_of_the_palette_become_tags(old: Path) -> None:
    for path in (old / 'semantic').iterdir():
        tags = street('0.9.14', int(path.stem), extra='Bicycle')
        write(path, coloured(tags, '0.9.14'))
    summary = convert(options(old))
    assert summary.version == '0.9.14'
    for path in (old.parent / 'new/seg').rglob('*.png'):
        assert np.array_equal(read(path), street('0.9.14', int(path.stem), extra='Bicycle'))


def test_training_reads_a_converted_recording(old: Path) -> None:
    summary = convert(options(old))
    labels = {'RoadLines': 'lane_marking', 'Roads': 'road', 'other': 'background'}
    for split, count in summary.counts.items():
        config = DataConfig(name='a', format='carla', images='new', split=split, labels=labels)
        data = LaneData(config, ('background', 'road', 'lane_marking'), (72, 128), old.parent)
        assert len(data) == count
        assert data.reader.found() == 'labels hold tags in one channel'
        assert np.unique(data.examples[0][1]).size > 1


def test_a_conversion_goes_on_where_it_was(old: Path) -> None:
    whole = convert(options(old))
    new = old.parent / 'new'
    expected = digest(new)
    lines = (new / 'manifest.jsonl').read_bytes().splitlines(keepends=True)
    (new / 'manifest.jsonl').write_bytes(b''.join(lines[:-1]) + lines[-1][:20])
    resumed = convert(options(old))
    assert (resumed.new, resumed.counts) == (1, whole.counts)
    assert digest(new) == expected


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'seed': 1}, 'seed: expected 0 as before, found 1'),
        ({'gap': 3}, 'gap: expected 2 as before'),
        ({'version': '0.9.12'}, r'expected CARLA 0\.9\.13 as before, found 0\.9\.12'),
    ],
)
def test_another_conversion_into_the_same_folder_is_refused(
    old: Path, changes: dict[str, object], said: str
) -> None:
    convert(options(old))
    expected = digest(old.parent / 'new')
    with pytest.raises(LaneSegError, match=said):
        convert(options(old, **changes))
    assert digest(old.parent / 'new') == expected


def test_an_input_that_has_grown_is_refused(old: Path) -> None:
    convert(options(old))
    write(old / 'rgb/000099.png', picture(99))
    write(old / 'semantic/000099.png', red(street('0.9.13', 99)))
    with pytest.raises(LaneSegError, match='frames: expected 24 as before, found 25'):
        convert(options(old))


def test_frames_of_a_car_that_stands_are_left_out_on_request(old: Path) -> None:
    noise = np.random.default_rng(0)
    for index in range(10, 20):
        still = picture(10).astype(int) + noise.integers(-3, 4, (72, 128, 3))
        write(old / f'rgb/{index:06d}.png', np.clip(still, 0, 255).astype(np.uint8))
    everything = {'block': 40, 'gap': 0}
    summary = convert(options(old, skip_near_duplicates=True, **everything))
    assert (summary.duplicates, summary.new) == (9, FRAMES - 9)
    names = {path.stem for path in (old.parent / 'new/rgb').rglob('*.png')}
    assert not names & {f'{index:06d}' for index in range(11, 20)}
    again = convert(options(old, skip_near_duplicates=True, **everything))
    assert (again.duplicates, again.new) == (9, 0)


def test_files_that_cannot_be_read_are_left_out_and_named(old: Path) -> None:
    whole = convert(options(old)).counts.total()
    names = sorted(path.name for path in (old.parent / 'new/rgb').rglob('*.png'))
    broken = [f'rgb/{names[3]}', f'semantic/{names[-2]}']
    for name in broken:
        (old / name).write_bytes(b'\x89PNG\r\n\x1a\n')
    summary = convert(ConvertOptions(old, old.parent / 'other', block=6, gap=2))
    assert summary.new == whole - 2
    assert [note.startswith('left out: ') for note in summary.notes] == [True, True]
    assert all(name in note for name, note in zip(broken, summary.notes, strict=True))
    for path in (old / 'rgb').iterdir():
        path.write_bytes(b'')
    with pytest.raises(LaneSegError, match='expected pictures that can be read'):
        convert(ConvertOptions(old, old.parent / 'third'))


def test_pictures_of_two_sizes_are_left_out_and_named(old: Path) -> None:
    write(old / 'rgb/000003.png', cv2.resize(picture(3), (64, 36)))
    summary = convert(options(old, block=40, gap=0))
    assert summary.new == FRAMES - 1
    assert 'left out: 000003: expected both pictures of one size' in summary.notes[0]


def test_a_strange_tag_in_the_middle_ends_the_conversion_with_its_name(old: Path) -> None:
    tags = street('0.9.13', 18)
    tags[0, 0] = 77
    write(old / 'semantic/000018.png', red(tags))
    with pytest.raises(LaneSegError, match='77'):
        convert(options(old, block=40, gap=0))


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'kind': 'bag'}, 'which is none'),
        ({'kind': 'photo'}, "--kind: expected one of auto, bag, tags, palette, found 'photo'"),
        ({'version': 'new'}, "expected a CARLA version such as '0.9.16', found 'new'"),
        ({'block': 0}, 'expected a block of 1 or more'),
        ({'gap': 6}, 'a gap shorter than it'),
        ({'input': Path('/nowhere/at/all')}, 'found nothing'),
    ],
)
def test_wrong_options_are_refused(old: Path, changes: dict[str, object], said: str) -> None:
    root = changes.pop('input', old)
    assert isinstance(root, Path)
    with pytest.raises(LaneSegError, match=said):
        convert(ConvertOptions(root, old.parent / 'new', **{'block': 6, 'gap': 2, **changes}))  # type: ignore[arg-type]
    assert not (old.parent / 'new').exists()


def test_nothing_is_written_into_the_input_or_over_other_things(old: Path) -> None:
    for output in (old, old / 'converted'):
        with pytest.raises(LaneSegError, match='outside of the input'):
            convert(ConvertOptions(old, output))
    taken = old.parent / 'taken'
    write(taken / 'photo.png', picture(0))
    with pytest.raises(LaneSegError, match=r'found photo\.png; name another folder'):
        convert(ConvertOptions(old, taken))


@pytest.mark.skipif(not (DATA / 'carla_semantic_samples').is_dir(), reason='needs shared/data')
def test_real_recordings_of_an_old_carla_tell_their_version(tmp_path: Path) -> None:
    summary = convert(ConvertOptions(DATA / 'carla_semantic_samples', tmp_path / 'new'))
    assert (summary.version, summary.new) == ('0.9.13', 4)
    labels = sorted((DATA / 'carla_semantic_samples/labels').rglob('*.png'))
    for path in labels:  # each alone is evidence enough
        assert coding_of([read(path)[..., :3]]).version == '0.9.13'
