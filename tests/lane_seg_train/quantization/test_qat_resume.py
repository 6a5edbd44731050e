"""Whatever ends quantization-aware training, it goes on bit for bit, frozen or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.quantization.qat import qat
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.task import LaneTask
from tests.lane_seg_train.quantization.qat_runs import (
    DAMAGING,
    ONE_THREAD,
    SETTINGS,
    quantized,
    recipe,
)
from tests.lane_seg_train.tiny_training import write_pairs

ROOT = Path(__file__).resolve().parents[3]
# Four epochs of three steps, frozen after six.
CHANGES = ('save_steps=1', 'workers=1', 'net.dropout=0', 'augment.flip=0.5')
ENVIRONMENT = {**os.environ, 'PYTHONPATH': f'{ROOT / "src"}:{ROOT}', 'OMP_NUM_THREADS': '1'}

# Ends itself without any warning, in the given step or validation, as `kill -9` does.
KILLED = """
import os, signal, sys
from pathlib import Path
from lane_seg_train.quantization.qat import qat
from lane_seg_train.trainer.task import LaneTask
from tests.lane_seg_train.quantization.qat_runs import ONE_THREAD, SETTINGS, recipe
where, step, data, run, *changes = sys.argv[1:]
plain = getattr(LaneTask, where)
def killed(task, *batch):
    if task.global_step == int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(task, *batch)
setattr(LaneTask, where, killed)
data = Path(data)
qat(data / 'ptq.pt', recipe(*changes), data, Path(run), SETTINGS, hardware=ONE_THREAD)
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    quantized(DAMAGING).save(folder / 'ptq.pt')
    return folder


@pytest.fixture(scope='module')
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing ended."""
    output = tmp_path_factory.mktemp('whole')
    qat(data / 'ptq.pt', recipe(*CHANGES), data, output, SETTINGS, hardware=ONE_THREAD)
    return output


def go_on(data: Path, run: Path) -> None:
    # The file that it began with is not needed any more.
    qat(data / 'gone.pt', recipe(*CHANGES), data, run, SETTINGS, resume=True, hardware=ONE_THREAD)


def assert_same_result(one: Path, other: Path) -> None:
    first, second = (
        torch.load(folder / 'last.ckpt', weights_only=True) for folder in (one, other)
    )
    assert any(name.endswith('scale') for name in first['state_dict'])
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
    best, again = (Checkpoint.load(folder / 'checkpoint.pt') for folder in (one, other))
    assert best.quantization == again.quantization
    weights = again.net.state_dict()
    for name, weight in best.net.state_dict().items():
        assert torch.equal(weight, weights[name]), name


@pytest.mark.parametrize(
    ('where', 'step'),
    [('validation_step', 3), ('training_step', 6), ('training_step', 8)],
    ids=['before the freeze', 'at the freeze', 'after it'],
)
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    data: Path, whole: Path, tmp_path: Path, where: str, step: int
) -> None:
    run = tmp_path / 'run'
    done = subprocess.run(
        [sys.executable, '-c', KILLED, where, str(step), str(data), str(run), *CHANGES],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    saved = torch.load(run / 'last.ckpt', weights_only=True)['global_step']
    assert step - saved <= 1
    go_on(data, run)
    assert_same_result(run, whole)


@pytest.mark.parametrize(('where', 'step'), [('training_step', 4), ('validation_step', 6)])
def test_ctrl_c_stops_after_the_current_step_which_is_saved(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, step: int
) -> None:
    plain = getattr(LaneTask, where)

    def signalled(task: LaneTask, *batch: object) -> object:
        if task.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(task, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(LaneTask, where, signalled)
        with pytest.raises(KeyboardInterrupt):
            qat(data / 'ptq.pt', recipe(*CHANGES), data, tmp_path, SETTINGS, hardware=ONE_THREAD)
    go_on(data, tmp_path)
    assert_same_result(tmp_path, whole)


def test_what_ends_before_the_first_step_can_be_started_anew(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = recipe(*CHANGES)
    for where in ('validation_step', 'training_step'):
        with monkeypatch.context() as patch:
            patch.setattr(LaneTask, where, interrupted)
            with pytest.raises(KeyboardInterrupt):
                qat(data / 'ptq.pt', config, data, tmp_path, SETTINGS, hardware=ONE_THREAD)
    assert (
        Checkpoint.load(tmp_path / 'checkpoint.pt').quantization
        == quantized(DAMAGING).quantization
    )
    assert not (tmp_path / 'last.ckpt').exists()
    with pytest.raises(LaneSegError, match='move its checkpoint.pt away, or choose another'):
        qat(data / 'ptq.pt', config, data, tmp_path, SETTINGS, hardware=ONE_THREAD)
    with pytest.raises(LaneSegError, match='last.ckpt, found none; start without --resume'):
        go_on(data, tmp_path)
    (tmp_path / 'checkpoint.pt').unlink()
    qat(data / 'ptq.pt', config, data, tmp_path, SETTINGS, hardware=ONE_THREAD)
    assert_same_result(tmp_path, whole)


def interrupted(*_: object) -> object:
    """As Ctrl-C where nobody asks for the current step to be made first."""
    raise KeyboardInterrupt


# `torchrun` starts this twice.
DISTRIBUTED = """
import sys
from pathlib import Path
from lane_seg_train.quantization.qat import qat
from lane_seg_train.trainer.hardware import Hardware
from tests.lane_seg_train.quantization.qat_runs import SETTINGS, recipe
data, run = Path(sys.argv[1]), Path(sys.argv[2])
hardware = Hardware(threads=1, accelerator='cpu')
qat(data / 'ptq.pt', recipe('batch_size=1'), data, run, SETTINGS, hardware=hardware)
"""


@pytest.mark.slow
def test_two_processes_learn_one_network_and_write_one_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'program.py').write_text(DISTRIBUTED, encoding='utf-8')
    run = tmp_path / 'run'
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
        + [str(tmp_path / 'program.py'), str(data), str(run)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('32-true instead of auto') == 1
    rows = read_rows(run / 'metrics.csv')
    assert [row['epoch'] for row in rows] == ['0', '1', '2', '3', '4']
    scores = [float(row['tiny/lane_marking']) for row in rows]
    best = Checkpoint.load(run / 'checkpoint.pt')
    assert best.quantization is not None
    assert best.quantization.qat_epochs == scores.index(max(scores)) > 0
    assert max(scores) > scores[0] + 0.2
