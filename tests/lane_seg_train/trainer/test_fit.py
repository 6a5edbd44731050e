"""A real run of two epochs: what it leaves, what it refuses."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config_file import load_config, with_overrides
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.fit import train
from tests.lane_seg_train.tiny_training import tiny_config, write_pairs, write_recipe

SOURCE = Path(__file__).resolve().parents[3] / 'src'


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    write_recipe(folder / 'recipe.yaml')
    return folder


@pytest.fixture(scope='module')
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run that the command made, and what it said."""
    output = tmp_path_factory.mktemp('runs') / 'run'
    arguments = [data / 'recipe.yaml', '--data', data, '--output', output, '--threads', 1]
    done = subprocess.run(
        [sys.executable, '-m', 'lane_seg_cli.main', 'train', *map(str, arguments)]
        + ['--set', 'optimizer.learning_rate=1e-3', '--set', 'validations_per_epoch=2'],
        env={**os.environ, 'PYTHONPATH': str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output, done.stdout + done.stderr


def test_a_run_leaves_everything_one_needs_to_judge_it_and_to_go_on(
    finished: tuple[Path, str],
) -> None:
    output, _ = finished
    for name in ('config.yaml', 'metrics.csv', 'steps.csv', 'last.ckpt', 'checkpoint.pt'):
        assert (output / name).stat().st_size > 0
    for name in ('curves.png', 'report.html'):
        assert (output / name).stat().st_size > 1000
    assert len(list((output / 'snapshots').glob('step_*.jpg'))) == 4
    assert list((output / 'tensorboard').glob('events.*'))
    assert load_config(output / 'config.yaml').optimizer.learning_rate == 1e-3


def test_each_validation_and_each_step_has_its_row(finished: tuple[Path, str]) -> None:
    output, _ = finished
    validations = read_rows(output / 'metrics.csv')
    assert [row['epoch'] for row in validations] == ['0.5', '1', '1.5', '2']
    assert [row['step'] for row in validations] == ['2', '4', '6', '8']
    for row in validations:
        assert 0 <= float(row['tiny/lane_marking']) <= 1
        assert float(row['tiny/loss']) > 0
        assert float(row['train/loss']) > 0
    steps = read_rows(output / 'steps.csv')
    assert [row['step'] for row in steps] == [str(step) for step in range(1, 9)]
    mean = sum(float(row['loss']) for row in steps[:2]) / 2
    assert float(validations[0]['train/loss']) == pytest.approx(mean, abs=2e-5)


def test_the_checkpoint_is_that_of_the_best_validation(finished: tuple[Path, str]) -> None:
    output, _ = finished
    checkpoint = Checkpoint.load(output / 'checkpoint.pt')
    assert (checkpoint.name, checkpoint.height, checkpoint.width) == ('tiny', 64, 128)
    scores = [float(row['tiny/lane_marking']) for row in read_rows(output / 'metrics.csv')]
    assert checkpoint.metrics['tiny/lane_marking'] == pytest.approx(max(scores), abs=1e-4)


def test_progress_is_shown_and_adverts_are_not(finished: tuple[Path, str]) -> None:
    _, said = finished
    assert 'epoch 2/2  step 8  tiny/loss' in said
    for noise in ('Tip', 'litlogger', 'v_num', 'deprecated', 'Warning', 'warn', 'workers', 'TPU'):
        assert noise not in said


def test_in_a_terminal_a_bar_shows_epoch_loss_and_metric(data: Path, tmp_path: Path) -> None:
    terminal, inside = os.openpty()
    words = [data / 'recipe.yaml', '--data', data, '--output', tmp_path / 'run', '--threads', 1]
    process = subprocess.Popen(
        [sys.executable, '-m', 'lane_seg_cli.main', 'train', *map(str, words)],
        env={**os.environ, 'PYTHONPATH': str(SOURCE), 'TERM': 'xterm', 'COLUMNS': '150'},
        stdout=inside,
        stderr=subprocess.STDOUT,
    )
    os.close(inside)
    said = b''
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while chunk := os.read(terminal, 65536):
            said += chunk
    os.close(terminal)
    assert process.wait() == 0
    for word in (b'epoch 2/2', b'loss:', b'tiny/lane_marking:'):
        assert word in said
    assert b'v_num' not in said


def test_a_run_is_not_overwritten(data: Path, finished: tuple[Path, str]) -> None:
    output, _ = finished
    with pytest.raises(LaneSegError, match='already holds a run; add --resume to go on'):
        train(tiny_config(), data, output)


def test_accumulated_batches_make_one_clipped_step(data: Path, tmp_path: Path) -> None:
    settings = ['accumulate=2', 'clip=1e-9', 'optimizer.name=sgd', 'optimizer.momentum=0']
    settings += ['optimizer.weight_decay=0', 'net.batch_norm=false', 'snapshots=0']
    train(with_overrides(tiny_config(), settings), data, tmp_path)
    # Three batches of an epoch are two steps, the last of them with one batch only.
    assert [row['step'] for row in read_rows(tmp_path / 'metrics.csv')] == ['2', '4']
    # Gradients of that norm leave every prediction where it was.
    scores = {row['tiny/loss'] for row in read_rows(tmp_path / 'metrics.csv')}
    assert len(scores) == 1


def test_early_stop_ends_a_run_that_gets_no_better(data: Path, tmp_path: Path) -> None:
    settings = ['optimizer.learning_rate=1e-12', 'schedule.name=constant', 'net.batch_norm=false']
    settings += ['early_stop=2', 'epochs=9']
    train(with_overrides(tiny_config(), settings), data, tmp_path)
    assert len(read_rows(tmp_path / 'metrics.csv')) == 3


@pytest.mark.parametrize(
    ('setting', 'text'),
    [
        ('monitor=tiny/kerb', "one of tiny/miou, tiny/background, .*; found 'tiny/kerb'"),
        ('height=60', 'the nearest valid size is 64x128'),
        ('net.name=unets', "found 'unets'"),
        ('optimizer.name=adamm', "found 'adamm'"),
        ('schedule.name=cosin', "found 'cosin'"),
        ('loss.name=ce+dise', "found 'dise'"),
        ('tracker=paper', "expected one of wandb, mlflow, found 'paper'"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path, setting: str, text: str
) -> None:
    with pytest.raises(LaneSegError, match=text):
        train(with_overrides(tiny_config(), [setting]), data, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()
