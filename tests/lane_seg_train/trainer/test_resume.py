"""Whatever ends a run, it goes on as if nothing had been: bit for bit the same weights."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.config_file import plain_config, with_overrides
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.fit import train
from lane_seg_train.trainer.hardware import Hardware
from lane_seg_train.trainer.task import LaneTask
from tests.lane_seg_train.tiny_training import tiny_config, write_pairs, write_recipe

if TYPE_CHECKING:
    from lane_seg_train.config import TrainConfig

ROOT = Path(__file__).resolve().parents[3]
ONE_THREAD = Hardware(threads=1)

# Ends itself without any warning, in the given step or validation, as `kill -9` does.
KILLED = """
import os, signal, sys
from lane_seg_cli.main import main
from lane_seg_train.trainer.task import LaneTask
where, step, *words = sys.argv[1:]
plain = getattr(LaneTask, where)
def killed(task, *batch):
    if task.global_step == int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(task, *batch)
setattr(LaneTask, where, killed)
main(words)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    return folder


@pytest.fixture
def config() -> TrainConfig:
    """Three epochs of three steps with everything that could depend on chance."""
    settings = ['epochs=3', 'net.dropout=0.2', 'save_steps=1', 'workers=1', 'snapshots=0']
    return with_overrides(tiny_config(), settings)


@pytest.fixture(scope='module')
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing ended."""
    settings = ['epochs=3', 'net.dropout=0.2', 'workers=1', 'snapshots=0']
    output = tmp_path_factory.mktemp('whole')
    train(with_overrides(tiny_config(), settings), data, output, hardware=ONE_THREAD)
    return output


def assert_same_result(one: Path, other: Path) -> None:
    first, second = (
        torch.load(folder / 'last.ckpt', weights_only=True) for folder in (one, other)
    )
    for name, weight in first['state_dict'].items():
        assert torch.equal(weight, second['state_dict'][name]), name
    assert first['lr_schedulers'] == second['lr_schedulers']
    volatile = ('seconds', 'images_per_s')
    for name in ('metrics.csv', 'steps.csv'):
        rows = [
            [
                {k: v for k, v in row.items() if k not in volatile}
                for row in read_rows(folder / name)
            ]
            for folder in (one, other)
        ]
        assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ('where', 'step'), [('training_step', 4), ('validation_step', 6)], ids=['step', 'validation']
)
def test_a_killed_run_loses_nothing_but_the_current_step(
    data: Path, config: TrainConfig, whole: Path, tmp_path: Path, where: str, step: int
) -> None:
    write_recipe(tmp_path / 'recipe.yaml', **plain_config(config))
    run = tmp_path / 'run'
    words = [tmp_path / 'recipe.yaml', '--data', data, '--output', run, '--threads', 1]
    done = subprocess.run(
        [sys.executable, '-c', KILLED, where, str(step), 'train', *map(str, words)],
        env={**os.environ, 'PYTHONPATH': f'{ROOT / "src"}:{ROOT}'},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    saved = torch.load(run / 'last.ckpt', weights_only=True)['global_step']
    assert step - saved <= 1
    train(config, data, run, resume=True, hardware=ONE_THREAD)
    assert_same_result(run, whole)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['ctrl-c', 'sigterm'])
@pytest.mark.parametrize(('where', 'step'), [('training_step', 4), ('validation_step', 6)])
def test_a_signal_stops_after_the_current_step_which_is_saved(
    data: Path, config: TrainConfig, whole: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, number: int, where: str, step: int,
) -> None:  # fmt: skip
    before = signal.getsignal(number)
    plain = getattr(LaneTask, where)

    def signalled(task: LaneTask, *batch: object) -> object:
        if task.global_step == step:
            os.kill(os.getpid(), number)
        return plain(task, *batch)

    rarely = with_overrides(config, ['save_steps=1000'])
    with monkeypatch.context() as patch:
        patch.setattr(LaneTask, where, signalled)
        with pytest.raises(KeyboardInterrupt):
            train(rarely, data, tmp_path, hardware=ONE_THREAD)
    assert signal.getsignal(number) == before
    saved = torch.load(tmp_path / 'last.ckpt', weights_only=True)['global_step']
    assert saved == (step + 1 if where == 'training_step' else step - 1)
    assert (tmp_path / 'report.html').is_file()
    train(rarely, data, tmp_path, resume=True, hardware=ONE_THREAD)
    assert_same_result(tmp_path, whole)


def test_a_finished_run_can_be_made_longer(data: Path, tmp_path: Path) -> None:
    train(tiny_config(), data, tmp_path)
    before = read_rows(tmp_path / 'metrics.csv')
    train(with_overrides(tiny_config(), ['epochs=4']), data, tmp_path, resume=True)
    rows = read_rows(tmp_path / 'metrics.csv')
    assert [row['epoch'] for row in rows] == ['1', '2', '3', '4']
    assert rows[:2] == before


def test_resuming_what_was_never_started_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match=r'last.ckpt, found none; start without --resume'):
        train(tiny_config(), data, tmp_path / 'new', resume=True)


def test_a_loss_that_is_no_number_ends_the_run_before_it_is_saved(
    data: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = LaneTask.training_step

    def exploding(task: LaneTask, *batch: object) -> dict[str, object]:
        result = plain(task, *batch)
        return {**result, 'loss': result['loss'] * (float('nan') if task.global_step == 4 else 1)}

    alone = with_overrides(config, ['workers=0'])
    with monkeypatch.context() as patch:
        patch.setattr(LaneTask, 'training_step', exploding)
        with pytest.raises(LaneSegError, match='found none from step 5 on; go on from before it'):
            train(alone, data, tmp_path, hardware=ONE_THREAD)
    saved = torch.load(tmp_path / 'last.ckpt', weights_only=True)
    assert saved['global_step'] == 4
    assert all(weight.isfinite().all() for weight in saved['state_dict'].values())
    train(alone, data, tmp_path, resume=True, hardware=ONE_THREAD)
    assert len(read_rows(tmp_path / 'metrics.csv')) == 3


def test_a_full_disk_ends_the_run_and_leaves_what_was_saved(
    data: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit on the size of a file stands in for the full disk: writing fails half-way."""
    plain = LaneTask.training_step
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = 0

    def filling(task: LaneTask, *batch: object) -> object:
        nonlocal size
        if task.global_step == 4 and not size:
            size = (tmp_path / 'last.ckpt').stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
        return plain(task, *batch)

    alone = with_overrides(config, ['workers=0'])
    monkeypatch.setattr(LaneTask, 'training_step', filling)
    try:
        with pytest.raises(LaneSegError, match='what was saved before is intact: make room'):
            train(alone, data, tmp_path, hardware=ONE_THREAD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.load(tmp_path / 'last.ckpt', weights_only=True)['global_step'] == 4
    assert not list(tmp_path.glob('.last*'))
    train(alone, data, tmp_path, resume=True, hardware=ONE_THREAD)
    assert len(read_rows(tmp_path / 'metrics.csv')) == 3
