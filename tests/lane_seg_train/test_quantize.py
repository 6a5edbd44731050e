"""`lane-seg quantize`: an int8 checkpoint that is as good, or an error that says what to do."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train import quantize as quantize_command
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.ptq import logits_of
from tests.lane_seg_train.tiny_training import random_checkpoint, write_pairs, write_recipe

if TYPE_CHECKING:
    from pathlib import Path


def images_and_labels(data: Path) -> tuple[np.ndarray, np.ndarray]:
    images = [cv2.imread(str(path)) for path in sorted((data / 'images').glob('*.png'))]
    labels = [cv2.imread(str(path), 0) for path in sorted((data / 'labels').glob('*.png'))]
    return np.stack(images), np.stack(labels)


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network has learned its six images."""
    folder = tmp_path_factory.mktemp('run')
    write_pairs(folder / 'data')
    write_recipe(folder / 'config.yaml')
    checkpoint = random_checkpoint()
    images, labels = (torch.from_numpy(item) for item in images_and_labels(folder / 'data'))
    tensor, target = normalized(images).permute(0, 3, 1, 2), labels.long()
    net = checkpoint.net.train()
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    weight = torch.tensor([1.0, 1.0, 5.0])  # there is little paint
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(tensor), target, weight).backward()
        optimizer.step()
    net.eval()
    checkpoint.save(folder / 'checkpoint.pt')
    return folder


def quantize(folder: Path, output: Path, *more: str) -> int:
    parser = argparse.ArgumentParser()
    quantize_command.add_arguments(parser)
    words = [str(folder / 'checkpoint.pt'), '--data', str(folder / 'data')]
    return quantize_command.run(parser.parse_args([*words, '--output', str(output), *more]))


def test_the_result_is_a_quantized_checkpoint_with_recipe_and_report(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quantize(run_folder, tmp_path / 'int8') == 0
    result = Checkpoint.load(tmp_path / 'int8' / 'checkpoint.pt')
    assert result.precision == 'int8'
    recipe = (tmp_path / 'int8' / 'config.yaml').read_text()
    assert recipe == (run_folder / 'config.yaml').read_text()
    report = json.loads((tmp_path / 'int8' / 'quantization.json').read_text())
    assert report['monitor'] == 'tiny/lane_marking'
    assert report['float']['tiny/lane_marking'] > 0.9
    drop = 100 * (report['float']['tiny/lane_marking'] - report['int8']['tiny/lane_marking'])
    assert report['drop_points'] == pytest.approx(drop, abs=1e-3)
    assert report['drop_points'] <= 0.5
    assert len(report['quantization']['sha256']) == 64
    shown = capsys.readouterr().out
    assert 'tiny/lane_marking' in shown
    assert 'next: lane-seg export' in shown


def test_auto_takes_the_calibrator_that_changes_the_fewest_pixels(
    run_folder: Path, tmp_path: Path
) -> None:
    assert quantize(run_folder, tmp_path / 'int8') == 0
    report = json.loads((tmp_path / 'int8' / 'quantization.json').read_text())
    tried = {one['calibrator']: one['agreement'] for one in report['calibrators']}
    assert set(tried) == {'max', 'percentile', 'mse', 'entropy'}
    assert tried[report['quantization']['calibrator']] == max(tried.values())


def test_too_large_a_drop_is_refused_with_the_sensitive_layers_and_what_to_exclude(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'int8'
    clip_hard = ('--calibrator', 'percentile', '--percentile', '51')
    with pytest.raises(LaneSegError, match=r'expected int8 to lose at most 0.5 points of tiny/'):
        quantize(run_folder, output, *clip_hard)
    assert not (output / 'checkpoint.pt').exists()
    shown = capsys.readouterr().out
    assert 'Each layer alone in int8' in shown
    assert '--exclude' in shown
    lines = (output / 'sensitivity.csv').read_text().splitlines()
    net = Checkpoint.load(output / 'ptq.pt').net
    assert {line.split(',')[0] for line in lines[1:]} == set(net.placement.weights)
    assert cv2.imread(str(output / 'sensitivity.png')) is not None


def test_excluded_layers_stay_float(run_folder: Path, tmp_path: Path) -> None:
    assert quantize(run_folder, tmp_path / 'int8', '--exclude', 'stem.0', 'head') == 0
    result = Checkpoint.load(tmp_path / 'int8' / 'checkpoint.pt')
    assert not {'stem.0', 'head'} & set(result.net.placement.weights)
    assert result.quantization.exclude == ('stem.0', 'head')


def test_the_float_checkpoint_is_left_as_it_was(run_folder: Path, tmp_path: Path) -> None:
    before = (run_folder / 'checkpoint.pt').read_bytes()
    assert quantize(run_folder, tmp_path / 'int8') == 0
    assert (run_folder / 'checkpoint.pt').read_bytes() == before


def test_quantization_aware_training_keeps_its_best_epoch(
    run_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / 'int8'
    assert quantize(run_folder, output, '--qat', '1', '--max-drop', '2') == 0
    result = Checkpoint.load(output / 'checkpoint.pt')
    assert result.quantization.qat_epochs in (0, 1)
    assert (output / 'qat' / 'metrics.csv').is_file()
    images, labels = images_and_labels(run_folder / 'data')
    masks = torch.cat(logits_of(result.net, list(images))).argmax(dim=1)
    assert (masks.numpy() == labels).mean() > 0.95


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--qat', '-1'), '--qat: expected 0 epochs or more, found -1'),
        (('--max-drop', '-0.5'), '--max-drop: expected 0 points or more, found -0.5'),
        (('--resume',), '--resume: expected --qat EPOCHS with it'),
        (('--images', '0'), 'expected 1 calibration image or more, found 0'),
        (('--percentile', '20'), 'percentile: expected above 50 and up to 100, found 20'),
        (('--exclude', 'nowhere'), 'expected names of convolutions, found nowhere'),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: tuple[str, ...], message: str, run_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(LaneSegError, match=message):
        quantize(run_folder, tmp_path / 'int8', *words)
    assert not (tmp_path / 'int8' / 'checkpoint.pt').exists()


def test_an_earlier_result_is_kept_unless_forced(run_folder: Path, tmp_path: Path) -> None:
    assert quantize(run_folder, tmp_path) == 0
    before = (tmp_path / 'checkpoint.pt').read_bytes()
    with pytest.raises(LaneSegError, match='already holds a quantized checkpoint; add --force'):
        quantize(run_folder, tmp_path)
    assert (tmp_path / 'checkpoint.pt').read_bytes() == before
    assert quantize(run_folder, tmp_path, '--force', '--calibrator', 'max') == 0


def test_a_quantized_checkpoint_is_not_quantized_again(run_folder: Path, tmp_path: Path) -> None:
    assert quantize(run_folder, tmp_path) == 0
    with pytest.raises(LaneSegError, match='found one that is quantized already'):
        quantize(tmp_path, tmp_path / 'again', '--data', str(run_folder / 'data'))
