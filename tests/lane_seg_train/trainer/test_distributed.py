"""Two processes with half of each batch learn what one process with the whole batch learns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('lightning')

from lane_seg_train.config_file import plain_config, with_overrides
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.fit import train
from lane_seg_train.trainer.hardware import Hardware
from tests.lane_seg_train.tiny_training import tiny_config, write_pairs, write_recipe

ROOT = Path(__file__).resolve().parents[3]
# Means over a batch: those of two halves have the mean of the whole. Batch normalization and Dice
# look at a batch as one thing; on GPUs the first is synchronised, the second stays per process.
SEPARABLE = ['net.batch_norm=false', 'loss.name=ce', 'snapshots=0', 'validations_per_epoch=2']
# Nothing from outside the picture, which is ignored: halves then count the same number of pixels.
SEPARABLE += ['augment.scale=[1, 1.2]', 'augment.stretch=0', 'augment.rotate_deg=0']
# Where a CPU computes bf16, a whole batch and two halves round differently.
SEPARABLE += ['precision=32-true']


@pytest.mark.slow
@pytest.mark.parametrize('start', ['torchrun', 'devices'])
def test_two_processes_give_the_loss_curve_of_one(tmp_path: Path, start: str) -> None:
    write_pairs(tmp_path / 'data')
    one = with_overrides(tiny_config(), [*SEPARABLE, 'batch_size=2'])
    half = with_overrides(tiny_config(), [*SEPARABLE, 'batch_size=1'])
    write_recipe(tmp_path / 'recipe.yaml', **plain_config(half))
    words = ['train', tmp_path / 'recipe.yaml', '--data', tmp_path / 'data']
    words += ['--output', tmp_path / 'two', '--threads', 1, '--accelerator', 'cpu']
    program = ['-m', 'lane_seg_cli.main']
    if start == 'torchrun':
        program = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', *program]
    else:
        words += ['--devices', 2]
    done = subprocess.run(
        [sys.executable, *program, *map(str, words)],
        env={**os.environ, 'PYTHONPATH': f'{ROOT / "src"}:{ROOT}', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    train(one, tmp_path / 'data', tmp_path / 'one', hardware=Hardware(threads=1))
    columns = ('step', 'learning_rate', 'train/loss', 'tiny/loss', 'tiny/miou')
    for name, keys in (('steps.csv', ('step', 'learning_rate', 'loss')), ('metrics.csv', columns)):
        single, double = (read_rows(tmp_path / run / name) for run in ('one', 'two'))
        assert len(single) == len(double) > 0
        for left, right in zip(single, double, strict=True):
            for key in keys:
                assert float(left[key]) == pytest.approx(float(right[key]), abs=2e-4)
    weights = [
        torch.load(tmp_path / run / 'last.ckpt', weights_only=True)['state_dict']
        for run in ('one', 'two')
    ]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][name], atol=1e-4, rtol=1e-3)
