"""A run that begins with a trained network has that one to beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config_file import with_overrides
from lane_seg_train.report.run_record import read_run
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.fit import train
from lane_seg_train.trainer.hardware import Hardware
from lane_seg_train.trainer.start import Start
from tests.lane_seg_train.tiny_training import tiny_config, trained_checkpoint, write_pairs

if TYPE_CHECKING:
    from pathlib import Path

ONE_THREAD = Hardware(threads=1)
# Two epochs of two parts, of two steps each.
SETTINGS = ['validations_per_epoch=2', 'precision=32-true', 'monitor=tiny/miou']


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    return folder


def begun(epochs: list[int], steps: int) -> Start:
    """Begin with a network that learned so many steps; note the epochs that are kept."""

    def complete(checkpoint: Checkpoint, epoch: int) -> Checkpoint:
        epochs.append(epoch)
        return replace(checkpoint, name=f'epoch {epoch}')

    net = trained_checkpoint(steps=steps).net.train()
    return Start(net, net, complete)


def test_epoch_0_is_what_the_run_began_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    epochs: list[int] = []
    start = begun(epochs, steps=100)
    before = {name: item.clone() for name, item in start.net.state_dict().items()}
    config = with_overrides(tiny_config(), [*SETTINGS, 'optimizer.learning_rate=1'])
    best = train(config, data, tmp_path, hardware=ONE_THREAD, start=start)
    rows = read_rows(tmp_path / 'metrics.csv')
    assert [row['epoch'] for row in rows] == ['0', '0.5', '1', '1.5', '2']
    assert [row['step'] for row in rows] == ['0', '2', '4', '6', '8']
    assert (rows[0]['seconds'], rows[0]['train/loss']) == ('', '')
    assert len(list((tmp_path / 'snapshots').glob('step_*.jpg'))) == 5
    assert 'epoch 0/2  step 0  tiny/loss' in capsys.readouterr().err
    assert read_run(tmp_path).validations.rows == 5
    # At such a rate it only became worse.
    assert epochs == [0]
    kept = Checkpoint.load(best)
    assert kept.name == 'epoch 0'
    assert kept.metrics['tiny/miou'] == pytest.approx(float(rows[0]['tiny/miou']), abs=1e-5)
    assert all(torch.equal(item, before[name]) for name, item in kept.net.state_dict().items())


def test_only_what_is_better_replaces_it_under_the_number_of_its_epoch(
    data: Path, tmp_path: Path
) -> None:
    epochs: list[int] = []
    config = with_overrides(tiny_config(), [*SETTINGS, 'optimizer.learning_rate=2e-2'])
    best = train(config, data, tmp_path, hardware=ONE_THREAD, start=begun(epochs, steps=2))
    scores = [float(row['tiny/miou']) for row in read_rows(tmp_path / 'metrics.csv')]
    better = [
        number for number, score in enumerate(scores) if score > max(scores[:number], default=-1)
    ]
    assert len(better) > 1
    assert epochs == [-(-number // 2) for number in better]
    assert Checkpoint.load(best).name == f'epoch {epochs[-1]}'


def test_of_equals_it_is_the_one_that_stays(data: Path, tmp_path: Path) -> None:
    epochs: list[int] = []
    start = begun(epochs, steps=100)
    start.net.eval()  # or the statistics of batch normalization would still change
    config = with_overrides(tiny_config(), [*SETTINGS, 'optimizer.learning_rate=1e-12'])
    train(config, data, tmp_path, hardware=ONE_THREAD, start=start)
    assert len({row['tiny/miou'] for row in read_rows(tmp_path / 'metrics.csv')}) == 1
    assert epochs == [0]


def test_a_folder_with_nothing_but_a_checkpoint_says_what_to_do(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / 'checkpoint.pt').write_bytes(b'precious')
    with pytest.raises(LaneSegError, match='move its checkpoint.pt away, or choose another'):
        train(tiny_config(), data, tmp_path, start=begun([], steps=1))
    assert (tmp_path / 'checkpoint.pt').read_bytes() == b'precious'
