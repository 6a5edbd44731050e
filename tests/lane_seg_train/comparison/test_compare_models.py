"""`lane-seg compare-models` from recipe to table, with real training of tiny networks."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('lightning')

from lane_seg_cli.main import main
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.report.run_record import read_run
from tests.lane_seg_train.tiny_training import random_checkpoint, write_pairs, write_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    write_recipe(folder / 'recipe.yaml', snapshots=0, precision='32-true')
    return folder


def compare(data: Path, output: Path, *arguments: str | Path) -> int:
    words = [data / 'recipe.yaml', '--data', data, '--output', output, '--threads', 1]
    few = ['--repeats', 3, '--warmup', 1, '--device', 'cpu']
    return main(['compare-models', *map(str, [*words, *few, *arguments])])


def rows(output: Path) -> list[dict[str, str]]:
    with (output / 'comparison.csv').open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_networks_are_trained_alike_measured_kept_and_shown(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, old = tmp_path / 'out', tmp_path / 'old'
    random_checkpoint().save(old / 'checkpoint.pt')
    nets = ['--nets', 'unet', 'wide=unet', 'bad=unet', '--runs', old, '--steps', '4']
    nets += ['--net-set', 'wide.width=8', '--net-set', 'bad.depth=6']
    nets += ['--net-set', 'bad.multipliers=[1, 1, 1, 1, 1, 1, 1]']
    assert compare(data, output, *nets) == 1
    said = capsys.readouterr().out

    unet, wide, bad, loaded = rows(output)
    assert [row['label'] for row in (unet, wide, bad, loaded)] == ['unet', 'wide', 'bad', 'old']
    for row in (unet, wide, loaded):
        assert row['error'] == ''
        assert float(row['frame_ms']) > 0
        assert float(row['frame_p99_ms']) >= float(row['frame_ms'])
        assert float(row['gmac']) > 0
        assert float(row['float32_mb']) > 0
        assert (row['height'], row['width'], row['frames']) == ('64', '128', '3')
    assert int(wide['parameters']) > 2 * int(unet['parameters'])
    assert unet['parameters'] == loaded['parameters']
    assert 'found 64x128' in bad['error']
    assert bad['miou'] == ''

    # The same number of steps, and what the trainer itself measured of its best validation.
    for row in (unet, wide):
        run = read_run(output / row['label'])
        assert run.steps['step'].tolist() == [1, 2, 3, 4]
        metrics = Checkpoint.load(output / row['label'] / 'checkpoint.pt').metrics
        assert float(row['loss']) == pytest.approx(metrics['tiny/loss'], abs=1e-3)
        assert float(row['miou']) == pytest.approx(metrics['tiny/miou'], abs=1e-4)
        for name in ('background', 'road', 'lane_marking'):
            iou = pytest.approx(metrics[f'tiny/{name}'], abs=1e-4)
            assert float(row[f'tiny/{name}']) == iou

    result = json.loads((output / 'comparison.json').read_text(encoding='utf-8'))
    assert 'thread' in result['device']
    assert result['settings']['budget of each'].startswith('4 steps of 2 images = 8 images')
    for name in ('comparison.md', 'comparison.png'):
        assert (output / name).stat().st_size > 500
    for words in ('ms/frame', 'wide (unet)', 'bad failed:', '1 thread', 'comparison.png'):
        assert words in said
    # Nothing is timed while something else still has to be trained.
    assert said.index('timing 3 networks') > said.index('3 of 3: bad')

    before = (output / 'wide' / 'checkpoint.pt').stat().st_mtime_ns
    nets = ['--nets', 'unet', 'wide=unet', '--steps', '4', '--net-set', 'wide.width=8']
    assert compare(data, output, *nets) == 0
    assert (output / 'wide' / 'checkpoint.pt').stat().st_mtime_ns == before
    assert capsys.readouterr().out.count('kept, it is finished') == 2
    assert [row['label'] for row in rows(output)] == ['unet', 'wide']


def test_trained_runs_alone_can_be_compared_and_get_different_names(
    data: Path, tmp_path: Path
) -> None:
    for name in ('one', 'two'):
        random_checkpoint().save(tmp_path / name / 'run' / 'checkpoint.pt')
    runs = ['--runs', tmp_path / 'one' / 'run', tmp_path / 'two' / 'run' / 'checkpoint.pt']
    assert compare(data, tmp_path / 'out', *runs) == 0
    one, two = rows(tmp_path / 'out')
    assert (one['label'], two['label']) == ('run', 'run (2)')
    assert one['miou'] == two['miou']
    assert one['train_seconds'] == ''


def test_a_network_for_other_classes_is_named_and_not_measured(data: Path, tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / 'run' / 'checkpoint.pt')
    write_recipe(tmp_path / 'recipe.yaml', classes=['background', 'lane_marking', 'road'])
    arguments = ['--data', data, '--output', tmp_path / 'out', '--runs', tmp_path / 'run']
    words = [tmp_path / 'recipe.yaml', *arguments, '--repeats', 3, '--device', 'cpu']
    assert main(['compare-models', *map(str, words)]) == 1
    (row,) = rows(tmp_path / 'out')
    assert 'expected the classes of the recipe' in row['error']
    assert row['frame_ms'] == ''


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        ([], 'name some with --nets'),
        (['--nets', 'unett'], "did you mean 'unet'"),
        (['--runs', 'nowhere'], '--runs: expected a run folder'),
        (['--nets', 'unet', '--steps', '0'], '--steps: expected at least 1'),
        (['--nets', 'unet', '--repeats', '0'], 'expected --repeats of at least 1'),
        (['--nets', 'unet', '--epochs', '0'], 'epochs: expected at least 1'),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_done(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    assert compare(data, tmp_path / 'out', *arguments) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_a_gpu_that_is_not_there_is_never_replaced_silently(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert compare(data, tmp_path, '--nets', 'unet', '--device', 'cuda') == 1
    assert '--device cuda: expected a GPU' in capsys.readouterr().err
