"""`lane-seg evaluate`: what it prints, writes and refuses."""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from lane_seg.errors import LaneSegError
from lane_seg.pipeline import LanePipeline, LaneResult
from lane_seg_train import evaluate as command
from lane_seg_train.config_file import plain_config
from lane_seg_train.evaluation.models import checkpoint_path
from tests.lane_seg_train.tiny_training import random_checkpoint, tiny_config, write_pairs

IMAGES = 6


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('run')
    write_pairs(folder / 'data', IMAGES)
    random_checkpoint().save(folder / 'checkpoint.pt')
    (folder / 'config.yaml').write_text(yaml.safe_dump(plain_config(tiny_config())))
    return folder


def command_line(*words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def evaluated(folder: Path, *words: object) -> int:
    return command_line('--model', folder, '--data', folder / 'data', *words)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_a_run_folder_is_measured_with_every_option(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = run_folder / 'data' / 'images'
    code = evaluated(
        run_folder, '--json', tmp_path / 'a.json', '--csv', tmp_path / 'a.csv', '--lanes',
        '--boundary', '--clip', clip, '--worst', 2, '--output', tmp_path / 'worst',
    )  # fmt: skip
    assert code == 0
    printed = capsys.readouterr().out
    for words in ('tiny checkpoint on torch', 'lane_marking', 'mIoU', 'F1 4 px', 'row accuracy'):
        assert words in printed
    report = json.loads((tmp_path / 'a.json').read_text())
    assert len(report['model_sha256']) == 64
    assert report['engine'].startswith('torch ')
    assert {row['classes'] for row in report['scores']} <= {'background', 'road', 'lane_marking'}
    (data,) = report['data']
    assert data['images'] == IMAGES
    assert data['lanes']['labelled'] == IMAGES
    assert {'f1', 'hausdorff_px'} <= set(data['boundaries'][0])
    assert report['clip']['frames'] == IMAGES
    assert len(list((tmp_path / 'worst').glob('worst_tiny_*.jpg'))) == 2
    rows = rows_of(tmp_path / 'a.csv')
    assert [row['name'] for row in rows] == [f'{index:03}' for index in range(IMAGES)]
    assert all(float(row['ms']) > 0 for row in rows)


def test_the_csv_holds_iou_and_false_pixels_of_each_image(
    run_folder: Path, tmp_path: Path
) -> None:
    assert evaluated(run_folder, '--csv', tmp_path / 'a.csv') == 0
    row = rows_of(tmp_path / 'a.csv')[0]
    names = ('background', 'road', 'lane_marking')
    assert list(row) == [
        'data', 'name', 'ms', *(f'iou/{name}' for name in names),
        *(f'false_positives/{name}' for name in names),
    ]  # fmt: skip
    # The same from the definition, with the mask of the same checkpoint.
    from lane_seg_train.checkpoint_engine import checkpoint_pipeline

    image = cv2.imread(str(run_folder / 'data' / 'images' / '000.png'))
    label = cv2.imread(str(run_folder / 'data' / 'labels' / '000.png'), cv2.IMREAD_GRAYSCALE)
    mask = checkpoint_pipeline(random_checkpoint()).process(image).mask
    for value, name in enumerate(names):
        both, either = (mask == value) & (label == value), (mask == value) | (label == value)
        assert float(row[f'iou/{name}']) == pytest.approx(both.sum() / either.sum(), abs=1e-6)
        false = (mask == value) & (label != value)
        assert int(row[f'false_positives/{name}']) == np.count_nonzero(false)


def test_ctrl_c_keeps_the_rows_of_what_was_measured(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, calls = LanePipeline.process, []

    def interrupted(pipeline: LanePipeline, image: np.ndarray) -> LaneResult:
        calls.append(image.shape)
        if len(calls) == 5:  # the first one is for warming up
            raise KeyboardInterrupt
        return process(pipeline, image)

    monkeypatch.setattr(LanePipeline, 'process', interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluated(run_folder, '--csv', tmp_path / 'a.csv')
    assert [row['name'] for row in rows_of(tmp_path / 'a.csv')] == ['000', '001', '002']


def test_a_broken_label_ends_with_its_name_and_the_rows_before_it(
    run_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / 'data'
    write_pairs(data, 3)
    (data / 'labels' / '001.png').write_bytes(b'no image')
    with pytest.raises(LaneSegError, match=r'001\.png'):
        command_line('--model', run_folder, '--data', data, '--csv', tmp_path / 'a.csv')
    assert [row['name'] for row in rows_of(tmp_path / 'a.csv')] == ['000']


def test_without_a_single_image_an_older_csv_stays(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text('older')
    with pytest.raises(LaneSegError):
        command_line(
            '--model', run_folder, '--data', tmp_path / 'none', '--csv', tmp_path / 'a.csv'
        )
    assert (tmp_path / 'a.csv').read_text() == 'older'


def test_a_clip_needs_no_data(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = run_folder / 'data' / 'images'
    assert command_line('--model', run_folder, '--clip', clip, '--json', tmp_path / 'a.json') == 0
    assert 'flips of still pixels' in capsys.readouterr().out
    report = json.loads((tmp_path / 'a.json').read_text())
    assert (report['scores'], report['data']) == ([], [])
    assert 0 <= report['clip']['flip_rate'] <= 1


def test_neither_data_nor_clip_is_refused(run_folder: Path) -> None:
    with pytest.raises(LaneSegError, match='expected --data .* or --clip, found neither'):
        command_line('--model', run_folder)


@pytest.mark.parametrize(
    'words', [('--csv', 'a.csv'), ('--lanes',), ('--boundary',), ('--worst', '2')]
)
def test_options_for_data_need_data(run_folder: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(LaneSegError, match=f'{words[0]}: expected --data'):
        command_line('--model', run_folder, '--clip', run_folder, *words)


@pytest.mark.parametrize(
    'words', [('--worst', '2'), ('--output', 'x'), ('--worst', '-1', '--output', 'x')]
)
def test_pictures_need_a_number_and_a_folder(run_folder: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(LaneSegError, match='expected --worst N, at least 1, together with'):
        evaluated(run_folder, *words)


def test_a_checkpoint_runs_in_no_engine(run_folder: Path) -> None:
    with pytest.raises(LaneSegError, match='a checkpoint runs in PyTorch, found --engine openv'):
        evaluated(run_folder, '--engine', 'openvino')


def test_a_class_that_the_model_does_not_have_is_refused(run_folder: Path) -> None:
    with pytest.raises(LaneSegError, match=r"--lanes: expected a class out of .*, found 'kerb'"):
        evaluated(run_folder, '--lanes', 'kerb')


def test_a_checkpoint_without_its_recipe_asks_for_one(run_folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / 'alone.pt'
    random_checkpoint().save(alone)
    data = run_folder / 'data'
    with pytest.raises(LaneSegError, match=r'found no file .*config\.yaml; name one with --rec'):
        command_line('--model', alone, '--data', data)
    recipe = run_folder / 'config.yaml'
    assert command_line('--model', alone, '--data', data, '--recipe', recipe) == 0


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match=r'expected a checkpoint .*none\.pt, found no file'):
        command_line('--model', tmp_path / 'none.pt', '--data', tmp_path)


def test_a_run_folder_that_holds_a_bundle_is_a_bundle(tmp_path: Path) -> None:
    (tmp_path / 'checkpoint.pt').touch()
    assert checkpoint_path(str(tmp_path)) == tmp_path / 'checkpoint.pt'
    (tmp_path / 'model.yaml').touch()
    assert checkpoint_path(str(tmp_path)) is None
    assert checkpoint_path('default') is None


def test_the_command_explains_itself_without_loading_torch() -> None:
    code = (
        'import sys, argparse\n'
        'from lane_seg_train import evaluate\n'
        'evaluate.add_arguments(argparse.ArgumentParser())\n'
        'heavy = {"torch", "scipy", "torchmetrics"} & set(sys.modules)\n'
        'print(*heavy)\n'
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=root / 'src', capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ''), done.stderr
