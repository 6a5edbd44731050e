"""Pairs that were written ahead of training, and what the network gets of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_cli.main import main
from lane_seg_train.data_tools.manifest import MANIFEST, NOTES, Entry, Notes, read_entries
from lane_seg_train.data_tools.prepare import Prepared, prepare
from tests.lane_seg_train.data_tools.road_sets import (
    LABELS,
    data_set,
    open_recipe,
    picture,
    recipe,
    write_pair,
    write_sets,
)

LANES_ONLY = {0: ['background', 'road'], 1: 'any', 2: 'lane_marking'}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_sets(tmp_path, train=3, val=2)
    return tmp_path


@pytest.fixture
def out(root: Path) -> Path:
    return root / 'out'


def run_prepare(root: Path, *words: object) -> int:
    words = (root / 'recipe.yaml', '--data', root, '--output', root / 'out', *words)
    return main(['data', 'prepare', *map(str, words)])


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def manifest(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()]


def test_training_on_what_was_written_gets_the_same_examples(root: Path, out: Path) -> None:
    recipe(root, [data_set('train', labels=LANES_ONLY, repeat=2, licence='mine', first='a1')])
    before = open_recipe(root / 'recipe.yaml')[1]
    assert run_prepare(root) == 0
    config, after = open_recipe(out / 'recipe.yaml')
    assert (config.height, config.width, config.name) == (32, 64, 'small')
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert new.names == old.names
        assert np.array_equal(new.table.sets, old.table.sets)
        for (image, target), (image2, target2) in zip(old.examples, new.examples, strict=True):
            assert np.array_equal(image, image2)
            assert np.array_equal(target, target2)
    assert (after[0][0].config.repeat, after[0][0].config.licence) == (2.0, 'mine')


def test_the_written_recipe_states_only_what_is_not_default(root: Path, out: Path) -> None:
    recipe(root, net={'width': 8}, epochs=3)
    run_prepare(root)
    text = (out / 'recipe.yaml').read_text(encoding='utf-8')
    assert 'width: 8' in text
    assert 'epochs: 3' in text
    assert 'batch_size' not in text
    assert 'thickness' not in text


def test_copies_are_augmented_of_training_pairs_only_and_their_names_tell_of_what(
    root: Path, out: Path
) -> None:
    recipe(root, [data_set('train', repeat=3)])
    assert run_prepare(root, '--augmented', 2) == 0
    images = sorted(path.name for path in (out / 'train/streets/images').iterdir())
    assert images == [f'a{index}{end}.png' for index in range(3) for end in ('', '_a0', '_a1')]
    assert sorted(path.name for path in (out / 'val/streets/images').iterdir()) == [
        'b0.png', 'b1.png',
    ]  # fmt: skip
    rows = {str(row['image']): row for row in manifest(out)}
    assert len(rows) == 11
    row = rows['train/streets/images/a1_a0.png']
    assert row['source_image'] == str(root / 'train/images/a1.png')
    assert row['source_label'] == str(root / 'train/labels/a1.png')
    assert (row['name'], row['augmented']) == ('a1', 0)
    first, second = (
        (out / f'train/streets/images/a1_a{copy}.png').read_bytes() for copy in (0, 1)
    )
    assert first != second
    _, ((train, data), _) = open_recipe(out / 'recipe.yaml')
    assert train.config.repeat == 1.0
    assert {int(value) for _, target in data.examples for value in np.unique(target)} >= {0, 1, 2}


def test_the_same_seed_writes_the_same_files_in_any_number_of_processes(tmp_path: Path) -> None:
    write_sets(tmp_path, train=60, val=2)
    config, sets = open_recipe(recipe(tmp_path))
    for name, workers, seed in (('x', 1, 4), ('y', 2, 4), ('z', 1, 5)):
        prepare(sets, config, tmp_path / name, augmented=1, seed=seed, workers=workers)
    x, y, z = (files_of(tmp_path / name) for name in 'xyz')
    assert x == y
    assert x.keys() == z.keys()
    assert x['train/streets/images/a5_a0.png'] != z['train/streets/images/a5_a0.png']


def test_a_second_start_writes_nothing(root: Path, out: Path) -> None:
    config, sets = open_recipe(recipe(root))
    assert prepare(sets, config, out, workers=1) == Prepared(written=5, kept=0)
    times = {path: path.stat().st_mtime_ns for path in out.rglob('*.png')}
    assert prepare(sets, config, out, workers=1) == Prepared(written=0, kept=5)
    assert {path: path.stat().st_mtime_ns for path in out.rglob('*.png')} == times


def test_a_preparation_that_was_cut_off_goes_on_where_it_was(root: Path, out: Path) -> None:
    config, sets = open_recipe(recipe(root))
    prepare(sets, config, out, augmented=1, workers=1)
    whole = files_of(out)
    # As a power cut leaves it: two pairs noted, a line torn, one image without its note.
    lines = (out / MANIFEST).read_text(encoding='utf-8').splitlines()
    (out / MANIFEST).unlink()
    (out / NOTES).write_text('\n'.join([*lines[:2], lines[2][:40]]), encoding='utf-8')
    for line in lines[3:]:
        (out / json.loads(line)['image']).unlink()
    assert prepare(sets, config, out, augmented=1, workers=1) == Prepared(written=6, kept=2)
    assert files_of(out) == whole


def test_a_note_after_a_torn_one_is_not_lost(tmp_path: Path) -> None:
    entries = [
        Entry(f'{name}.png', f'l/{name}.png', 'train/a', name, 'i', 'l', '1@2', 0, (1, 2))
        for name in 'xyz'
    ]
    with Notes(tmp_path) as notes:
        notes.add(entries[0])
        notes.add(entries[1])
    text = (tmp_path / NOTES).read_text(encoding='utf-8')
    (tmp_path / NOTES).write_text(text[:-30], encoding='utf-8')
    with Notes(tmp_path) as notes:
        notes.add(entries[2])
    assert list(read_entries(tmp_path / NOTES).values()) == [entries[0], entries[2]]


def test_a_lost_file_is_written_again(root: Path, out: Path) -> None:
    config, sets = open_recipe(recipe(root))
    prepare(sets, config, out, workers=1)
    (out / 'val/streets/labels/b1.png').unlink()
    assert prepare(sets, config, out, workers=1) == Prepared(written=1, kept=4)


def test_more_data_is_added_to_what_is_there(root: Path, out: Path) -> None:
    recipe(root)
    run_prepare(root)
    write_pair(root / 'train', 'a9', picture(9))
    config, sets = open_recipe(root / 'recipe.yaml')
    assert prepare(sets, config, out, workers=1) == Prepared(written=1, kept=5)


def test_other_settings_are_refused_until_forced(
    root: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root)
    assert run_prepare(root, '--augmented', 2) == 0
    before = files_of(out)
    assert run_prepare(root, '--augmented', 1) == 1
    assert 'another value of augmented' in capsys.readouterr().err
    assert run_prepare(root, '--augmented', 2, '--set', 'train.0.labels.2=road') == 1
    assert 'another value of sets' in capsys.readouterr().err
    assert files_of(out) == before
    (out / 'notes of mine.txt').write_text('keep', encoding='utf-8')
    assert run_prepare(root, '--augmented', 1, '--force') == 0
    assert not list(out.rglob('*_a1.png'))
    assert len(list(out.rglob('*_a0.png'))) == 6
    assert (out / 'notes of mine.txt').read_text(encoding='utf-8') == 'keep'


def test_a_source_that_changed_is_not_passed_off_as_done(root: Path, out: Path) -> None:
    config, sets = open_recipe(recipe(root))
    prepare(sets, config, out, workers=1)
    write_pair(root / 'train', 'a1', picture(77))
    with pytest.raises(LaneSegError, match=r'found 1 whose source has changed.*a1\.png.*--force'):
        prepare(sets, config, out, workers=1)
    assert prepare(sets, config, out, workers=1, force=True).written == 5
    written = cv2.imread(str(out / 'train/streets/images/a1.png'))
    assert np.array_equal(written, sets[0][1].examples[1][0])


def test_a_pair_that_is_gone_is_not_left_behind_unnoticed(root: Path, out: Path) -> None:
    recipe(root)
    run_prepare(root)
    for kind in ('images', 'labels'):
        (root / 'train' / kind / 'a1.png').unlink()
    config, sets = open_recipe(root / 'recipe.yaml')
    with pytest.raises(LaneSegError, match='has changed or is gone'):
        prepare(sets, config, out, workers=1)
    prepare(sets, config, out, workers=1, force=True)
    assert not (out / 'train/streets/images/a1.png').exists()


@pytest.mark.parametrize('words', [(), ('--force',)])
def test_a_folder_of_something_else_is_never_touched(
    root: Path, out: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(root)
    write_pair(out, 'mine', picture(1))
    before = files_of(out)
    assert run_prepare(root, *words) == 1
    assert 'choose another --output' in capsys.readouterr().err
    assert files_of(out) == before


def test_force_deletes_nothing_outside_of_its_folder(root: Path, out: Path) -> None:
    config, sets = open_recipe(recipe(root))
    prepare(sets, config, out, workers=1)
    rows = manifest(out)
    rows[0]['image'] = '../val/images/b0.png'
    (out / MANIFEST).write_text(''.join(json.dumps(row) + '\n' for row in rows), encoding='utf-8')
    prepare(sets, config, out, workers=1, force=True)
    assert (root / 'val/images/b0.png').is_file()


def test_two_pairs_of_one_name_are_refused_before_anything_is_written(
    root: Path, out: Path
) -> None:
    write_pair(root / 'train', 'a1_a0', picture(50))
    config, sets = open_recipe(recipe(root))
    with pytest.raises(LaneSegError, match='a name of its own for each written pair.*a1_a0'):
        prepare(sets, config, out, augmented=1, workers=1)
    assert not out.exists()
    prepare(sets, config, out, workers=1)


def test_a_broken_pair_stops_with_its_name_and_what_was_written_is_kept(
    root: Path, out: Path
) -> None:
    label = root / 'train/labels/a2.png'
    sound = label.read_bytes()
    label.write_bytes(sound[:60])
    config, sets = open_recipe(recipe(root))
    with pytest.raises(LaneSegError, match=r'a2\.png'):
        prepare(sets, config, out, workers=1)
    label.write_bytes(sound)
    assert prepare(sets, config, out, workers=1) == Prepared(written=3, kept=2)


def test_sets_that_were_not_prepared_are_read_where_they_lie(root: Path, out: Path) -> None:
    scene = {'name': 'scene', 'images': 'scene', 'labels': LABELS, 'scene_seeds': [1, 1]}
    recipe(root, [data_set('train'), {**scene, 'scene_frames': 1}])
    assert run_prepare(root, '--set-name', 'train/streets') == 0
    sets = [data for _, data in open_recipe(out / 'recipe.yaml')[1]]
    assert [len(data) for data in sets] == [3, 1, 2]
    assert sets[1].config.images == 'scene'
    assert sets[2].config.images == str(root / 'val/images')


def test_frames_of_the_scene_are_written_too(root: Path, out: Path) -> None:
    scene = {'name': 'scene', 'images': 'scene', 'labels': LABELS, 'scene_seeds': [3, 1]}
    config, sets = open_recipe(recipe(root, [{**scene, 'scene_frames': 2}]))
    assert prepare(sets, config, out, workers=1) == Prepared(written=4, kept=0)
    written = cv2.imread(str(out / 'train/scene/images/scene_3_1.png'))
    assert np.array_equal(written, sets[0][1].examples[1][0])


def test_ctrl_c_ends_at_once_without_a_traceback_and_leaves_whole_files(
    root: Path, out: Path
) -> None:
    write_sets(root, train=300)
    recipe(root)
    words = ['data', 'prepare', 'recipe.yaml', '--data', '.', '--output', 'out']
    words += ['--augmented', '9', '--workers', '2']
    process = subprocess.Popen(
        [sys.executable, '-m', 'lane_seg_cli.main', *words],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not (
        (out / NOTES).is_file() and (out / NOTES).read_text(encoding='utf-8').count('\n') > 1
    ):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'interrupted' in errors
    assert 'Traceback' not in errors
    assert not (out / MANIFEST).exists()
    pictures = list(out.rglob('*.png'))
    assert pictures
    assert all(cv2.imread(str(path)) is not None for path in pictures)
    assert not list(out.rglob('.*.png'))
