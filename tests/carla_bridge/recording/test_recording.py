"""Recordings on disk: whole after any interruption, one writer, one plan, room or a clear word."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng  # now: its import swallows a Ctrl-C

from carla_bridge.recording.plan import CollectPlan, LabelPlan, Weather
from carla_bridge.recording.recording import DiskFullError, Recording
from carla_bridge.recording.sweep import drives_of
from lane_seg.errors import LaneSegError
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PLAN = CollectPlan(('Town01',), labels=LabelPlan(lanes=True))
LAYERS = ('rgb', 'seg', 'label', 'lanes')
DRIVE = drives_of(PLAN)[0]
TAG_OF = (24, 1, 11, 14, 0)
SPLIT_OF = ('train', 'train', 'val', 'test')


def images(index: int, size: tuple[int, int] = (6, 8)) -> dict[str, np.ndarray]:
    """Layers that say which frame they are of."""
    flat = np.full(size, TAG_OF[index % 5], np.uint8)
    noise = default_rng(index).integers(0, 256, (*size, 3), np.uint8)
    label = np.full(size, index % 3, np.uint8)
    return {'rgb': noise, 'seg': flat, 'label': label, 'lanes': label}


def add(recording: Recording, index: int, size: tuple[int, int] = (6, 8)) -> None:
    recording.add(
        DRIVE.frame_name(index),
        SPLIT_OF[index % 4],
        images(index, size),
        {'index': index, 'ego': [1.0, 2.0]},
    )


def check_whole(folder: Path) -> list[str]:
    """Check files and lines against each other, and what pictures hold; names of all frames."""
    with Recording.open(folder, PLAN, '0.9.16') as recording:
        records = recording.records
    names = [str(record['name']) for record in records]
    listed = {f'{layer}/{r["split"]}/{r["name"]}.png' for r in records for layer in LAYERS}
    found = {
        str(path.relative_to(folder))
        for layer in LAYERS
        for path in (folder / layer).rglob('*')
        if path.is_file()
    }
    assert found == listed
    assert len(set(names)) == len(names)
    for record in records:
        for layer, expected in images(int(str(record['index']))).items():
            path = folder / layer / str(record['split']) / f'{record["name"]}.png'
            assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), expected)
    return names


@pytest.fixture(scope='module')
def ten_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('ten') / 'recording'
    with Recording.open(folder, PLAN, '0.9.16') as recording:
        for index in range(10):
            add(recording, index)
    return folder


def test_a_recording_has_the_layout_that_was_promised(ten_frames: Path) -> None:
    assert sorted(path.name for path in ten_frames.iterdir() if path.name != '.lock') == [
        'classes.json', 'label', 'lanes', 'manifest.jsonl', 'plan.yaml', 'rgb', 'seg',
    ]  # fmt: skip
    assert len(check_whole(ten_frames)) == 10
    lines = (ten_frames / 'manifest.jsonl').read_text().splitlines()
    assert json.loads(lines[3]) == {
        'name': 'Town01_r000_ClearNoon_00003', 'split': 'test', 'index': 3, 'ego': [1.0, 2.0],
    }  # fmt: skip
    classes = json.loads((ten_frames / 'classes.json').read_text())
    assert {'id': 24, 'name': 'RoadLines', 'colour_rgb': [157, 234, 50]} in classes['classes']
    assert classes['carla_version'] == '0.9.16'
    assert yaml.safe_load((ten_frames / 'plan.yaml').read_text()) == PLAN.plain()


def test_what_a_drive_has_is_known_when_it_goes_on(ten_frames: Path) -> None:
    wet = drives_of(replace(PLAN, weathers=(Weather('WetNoon'),)))[0]
    with Recording.open(ten_frames, PLAN, '0.9.16') as recording:
        assert [record['index'] for record in recording.written(DRIVE)] == list(range(10))
        assert recording.written(wet) == []


def test_the_size_of_a_frame_is_that_of_its_files(ten_frames: Path, tmp_path: Path) -> None:
    with Recording.open(tmp_path, PLAN, '0.9.16') as fresh:
        assert fresh.bytes_per_frame is None
        add(fresh, 0)
        first = fresh.bytes_per_frame
    assert first == sum(path.stat().st_size for path in tmp_path.rglob('*.png'))
    with Recording.open(ten_frames, PLAN, '0.9.16') as recording:
        total = sum(path.stat().st_size for path in ten_frames.rglob('*.png'))
        assert recording.bytes_per_frame == pytest.approx(total / 10)


@settings(max_examples=20)
@given(cut=st.floats(0, 1), data=st.data())
def test_any_cut_of_the_manifest_and_any_leftovers_are_mended(
    ten_frames: Path, cut: float, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, 'recording')
        shutil.copytree(ten_frames, folder)
        manifest = folder / 'manifest.jsonl'
        content = manifest.read_bytes()
        kept = content[: round(cut * len(content))]
        manifest.write_bytes(kept)
        whole = kept.count(b'\n')
        unlisted = [
            path
            for path in sorted(folder.rglob('*.png'))
            if int(path.stem.rpartition('_')[2]) >= whole
        ]
        gone = data.draw(
            st.lists(st.sampled_from(unlisted), unique=True) if unlisted else st.just([])
        )
        for path in gone:
            path.unlink()
        torn = folder / 'rgb/train/.Town01_r000_ClearNoon_00042.abcdef01.png'
        torn.write_bytes(b'half a picture')
        left = {path.name: path.read_bytes() for path in unlisted if path.exists()}

        assert len(check_whole(folder)) == whole
        if len(left) > 1:  # more than an interruption leaves: nothing of it is lost
            aside = {path.name for path in folder.glob('unlisted-1/**/*.png')}
            assert aside == set(left)
        with Recording.open(folder, PLAN, '0.9.16') as recording:
            for index in range(whole, 10):
                add(recording, index)
        assert len(check_whole(folder)) == 10
        assert manifest.read_bytes() == content


def test_a_last_line_whose_files_never_reached_the_disk_goes(
    ten_frames: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ten_frames, tmp_path / 'recording')
    (folder / 'seg/train/Town01_r000_ClearNoon_00009.png').unlink()
    assert len(check_whole(folder)) == 9


WRITER = """
import sys
from tests.carla_bridge.recording.test_recording import *
with Recording.open(sys.argv[1], PLAN, '0.9.16') as recording:
    print('open', flush=True)
    for index in range(len(recording.written(DRIVE)), int(sys.argv[2])):
        add(recording, index)
"""


@contextlib.contextmanager
def writer(folder: Path, frames: int) -> Iterator[subprocess.Popen[str]]:
    """A process that records; killed in the end."""
    process = subprocess.Popen(
        [sys.executable, '-c', WRITER, str(folder), str(frames)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': f'{ROOT / "src"}{os.pathsep}{ROOT}'},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == 'open\n'
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_recording_survives_being_killed_at_any_moment(tmp_path: Path) -> None:
    folder, draw = tmp_path / 'recording', random.Random(5)
    counts = []
    for _ in range(4):
        with writer(folder, 100_000) as process:
            time.sleep(draw.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
        counts.append(len(check_whole(folder)))
    assert counts == sorted(counts)
    total = counts[-1] + 5
    with writer(folder, total) as process:
        assert process.wait(60) == 0
    assert check_whole(folder) == [DRIVE.frame_name(index) for index in range(total)]
    assert not list(folder.glob('unlisted*'))


def test_ctrl_c_leaves_whole_frames(tmp_path: Path) -> None:
    with writer(tmp_path / 'recording', 100_000) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    check_whole(tmp_path / 'recording')


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with Recording.open(tmp_path, PLAN, '0.9.16') as recording:
        with pytest.raises(LaneSegError, match='found another process at it'):
            Recording.open(tmp_path, PLAN, '0.9.16')
        add(recording, 0)
    assert len(check_whole(tmp_path)) == 1
    with writer(tmp_path, 100_000), pytest.raises(LaneSegError, match='another process'):
        Recording.open(tmp_path, PLAN, '0.9.16')
    check_whole(tmp_path)


def test_another_plan_is_refused_with_what_differs(ten_frames: Path) -> None:
    other = replace(PLAN, seed=4, frames=100)
    with pytest.raises(LaneSegError, match='(?s)frames: expected at least 200.*seed: expected 0'):
        Recording.open(ten_frames, other, '0.9.16')
    check_whole(ten_frames)


def test_a_plan_that_asks_for_more_goes_on_and_is_kept(ten_frames: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(ten_frames, tmp_path / 'recording')
    more = replace(PLAN, frames=300, weathers=(*PLAN.weathers, Weather('WetNoon')))
    with Recording.open(folder, more, '0.9.16') as recording:
        assert len(recording.written(DRIVE)) == 10
    assert yaml.safe_load((folder / 'plan.yaml').read_text()) == more.plain()
    with pytest.raises(LaneSegError, match='weathers: expected WetNoon as before'):
        Recording.open(folder, PLAN, '0.9.16')


def test_another_version_of_carla_is_refused(ten_frames: Path) -> None:
    with pytest.raises(LaneSegError, match=r'expected CARLA 0\.9\.16 as before, found 0\.9\.13'):
        Recording.open(ten_frames, PLAN, '0.9.13')


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(LaneSegError, match=r'found thesis\.tex; name another folder'):
        Recording.open(tmp_path, PLAN, '0.9.16')
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


@pytest.mark.parametrize('name', ['plan.yaml', 'classes.json'])
def test_a_recording_that_lost_a_part_is_refused_or_completed(
    name: str, ten_frames: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ten_frames, tmp_path / 'recording')
    before = (folder / name).read_text()
    (folder / name).unlink()
    if name == 'plan.yaml':
        with pytest.raises(LaneSegError, match='copy the recording again'):
            Recording.open(folder, PLAN, '0.9.16')
    else:
        assert len(check_whole(folder)) == 10
        assert (folder / name).read_text() == before


@pytest.mark.parametrize(
    ('lines', 'said'),
    [
        ([0, 'not a line', 1], r'line 2 damaged and line 3 sound'),
        ([0, 1, 0], r'00000 again on line 3'),
    ],
)
def test_damage_that_no_interruption_does_is_refused(
    lines: list[int | str], said: str, ten_frames: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ten_frames, tmp_path / 'recording')
    manifest = folder / 'manifest.jsonl'
    before = manifest.read_text().splitlines()
    text = '\n'.join(before[line] if isinstance(line, int) else line for line in lines) + '\n'
    manifest.write_text(text)
    with pytest.raises(LaneSegError, match=said):
        Recording.open(folder, PLAN, '0.9.16')
    assert manifest.read_text() == text
    assert len(list(folder.rglob('*.png'))) == 40


def test_files_that_somebody_took_away_are_named_and_no_other_goes(
    ten_frames: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(ten_frames, tmp_path / 'recording')
    shutil.rmtree(folder / 'rgb')
    (folder / 'seg/train/Town01_r000_ClearNoon_00004.png').unlink()
    with pytest.raises(LaneSegError, match='found 10 of 36 missing, for example rgb/test/'):
        Recording.open(folder, PLAN, '0.9.16')


@pytest.mark.parametrize(
    ('changes', 'name', 'split', 'said'),
    [
        ({}, 'Town01_r000_ClearNoon_00003', 'train', 'already there'),
        ({}, 'a/b', 'train', 'expected a name of letters'),
        ({}, '..', 'train', 'expected a name of letters'),
        ({}, 'a', 'training', "found 'a' and 'training'"),
        ({'area': np.zeros((6, 8), np.uint8)}, 'a', 'train', 'expected the layers rgb, seg'),
        ({'seg': np.zeros((6, 9), np.uint8)}, 'a', 'train', r'shape \(6, 8\) as seg'),
        ({'seg': np.zeros((6, 8), np.int32)}, 'a', 'train', 'found int32'),
        ({'rgb': np.zeros((6, 8, 4), np.uint8)}, 'a', 'train', r'found uint8 of shape \(6, 8, 4'),
    ],
)
def test_a_wrong_frame_is_refused_and_leaves_nothing(
    changes: dict[str, np.ndarray], name: str, split: str, said: str, ten_frames: Path
) -> None:
    with Recording.open(ten_frames, PLAN, '0.9.16') as recording:
        with pytest.raises(LaneSegError, match=said):
            recording.add(name, split, {**images(0), **changes}, {})
        with pytest.raises(ValueError, match='Out of range float'):
            recording.add('nan', 'train', images(0), {'x': float('nan')})
    assert len(check_whole(ten_frames)) == 10


def test_a_full_disk_ends_with_whole_frames_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / 'disk') as disk:
        folder = disk / 'recording'
        ballast = disk / 'ballast'
        ballast.write_bytes(bytes(60_000))
        with Recording.open(folder, PLAN, '0.9.16') as recording:
            count = 0
            with pytest.raises(DiskFullError, match='make room and run the same command again'):
                for count in range(1000):
                    add(recording, count)
            # Another try fails alike and does no harm.
            with pytest.raises(DiskFullError, match=f'the {count} frames before are whole'):
                add(recording, count)
        ballast.unlink()
        assert len(check_whole(folder)) == count
        with Recording.open(folder, PLAN, '0.9.16') as recording:
            add(recording, count)
        assert len(check_whole(folder)) == count + 1


@pytest.mark.parametrize('limit', ['manifest', 'picture'])
def test_a_file_that_cannot_grow_leaves_no_part_of_the_frame(limit: str, tmp_path: Path) -> None:
    with Recording.open(tmp_path, PLAN, '0.9.16') as recording:
        for index in range(5):
            add(recording, index)
        size = (tmp_path / 'manifest.jsonl').stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        # In the middle of the next line: longer than any file of a small frame.
        small, large = (6, 8), (60, 80)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
            with pytest.raises(DiskFullError, match='the 5 frames before are whole'):
                add(recording, 5, small if limit == 'manifest' else large)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (tmp_path / 'manifest.jsonl').stat().st_size == size
        add(recording, 5)
    assert len(check_whole(tmp_path)) == 6
