"""A real run of two epochs: what it leaves, how it goes on, what it refuses."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
import yaml

pytest.importorskip('lightning')

from lane_seg.errors import LaneSegError
from lane_seg_train.batches import train_loader, val_loader
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import TrainConfig, load_config, with_overrides
from lane_seg_train.datasets import open_data
from lane_seg_train.task import LaneTask
from lane_seg_train.train import train

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[2] / 'src'
LABELS = {0: ['background'], 1: ['road'], 2: ['lane_marking']}
COMMAND = """
import argparse, sys
from lane_seg_train import train
parser = argparse.ArgumentParser()
train.add_arguments(parser)
sys.exit(train.run(parser.parse_args()))
"""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small pictures of a grey road with a bright line, and a recipe to learn them."""
    root = tmp_path_factory.mktemp('data')
    rng = np.random.default_rng(0)
    for folder in ('images', 'labels'):
        (root / folder).mkdir()
    for number in range(6):
        label = np.zeros((64, 128), np.uint8)
        label[30 + number :] = 1
        label[30 + number :, 50 + number : 60 + number] = 2
        image = np.repeat(label[..., None] * 90, 3, axis=2) + rng.integers(0, 30, (64, 128, 3))
        cv2.imwrite(str(root / 'images' / f'{number}.png'), image.astype(np.uint8))
        cv2.imwrite(str(root / 'labels' / f'{number}.png'), label)
    both = {'images': 'images', 'masks': 'labels', 'labels': LABELS}
    recipe = {
        'name': 'tiny',
        'height': 64,
        'width': 128,
        'net': {'width': 4, 'depth': 2, 'multipliers': [1, 2, 2]},
        'train': [{'name': 'road', 'before': '4', **both}],
        'val': [{'name': 'road', 'first': '4', **both}],
        'monitor': 'road/lane_marking',
        'epochs': 2,
        'batch_size': 2,
        'workers': 0,
    }
    (root / 'recipe.yaml').write_text(yaml.safe_dump(recipe), encoding='utf-8')
    return root


@pytest.fixture
def config(data: Path) -> TrainConfig:
    return load_config(data / 'recipe.yaml')


@pytest.fixture
def restored_interrupt() -> Iterator[None]:
    """Lightning switches Ctrl-C off when it was interrupted."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def rows(output: Path) -> list[dict[str, str]]:
    with (output / 'metrics.csv').open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def test_the_command_leaves_a_checkpoint_a_configuration_and_metrics(
    data: Path, tmp_path: Path
) -> None:
    output = tmp_path / 'run'
    arguments = [data / 'recipe.yaml', '--data', data, '--output', output, '--threads', 1]
    done = subprocess.run(
        [sys.executable, '-c', COMMAND, *map(str, arguments), '--set', 'learning_rate=1e-3'],
        env={**os.environ, 'PYTHONPATH': str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    config = load_config(output / 'config.yaml')
    assert config.learning_rate == 1e-3
    assert [row['epoch'] for row in rows(output)] == ['0', '1']
    assert 0 <= float(rows(output)[1]['road/lane_marking']) <= 1
    checkpoint = Checkpoint.load(output / 'checkpoint.pt')
    assert (checkpoint.name, checkpoint.height, checkpoint.width) == ('tiny', 64, 128)
    best = max(float(row['road/lane_marking']) for row in rows(output))
    assert checkpoint.metrics['road/lane_marking'] == pytest.approx(best, abs=1e-4)
    # Progress is shown; adverts and what nobody can act on are not.
    terminal = done.stdout + done.stderr
    assert 'Epoch 1/1' in terminal
    for noise in ('Tip', 'litlogger', 'v_num', 'deprecated', 'Warning', 'warn', 'workers', 'TPU'):
        assert noise not in terminal


def test_a_run_is_not_overwritten_and_goes_on_where_it_stopped(
    data: Path, config: TrainConfig, tmp_path: Path
) -> None:
    train(config, data, tmp_path)
    with pytest.raises(LaneSegError, match='already holds a run; add --resume to go on'):
        train(config, data, tmp_path)
    before = rows(tmp_path)
    longer = with_overrides(config, ['epochs=4'])
    train(longer, data, tmp_path, resume=True)
    assert [row['epoch'] for row in rows(tmp_path)] == ['0', '1', '2', '3']
    assert rows(tmp_path)[:2] == before
    assert torch.load(tmp_path / 'last.ckpt', weights_only=True)['epoch'] == 3


@pytest.mark.usefixtures('restored_interrupt')
def test_an_interrupted_run_goes_on_after_its_last_whole_epoch(
    data: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = LaneTask.training_step

    def interrupted(task: LaneTask, *batch: object) -> torch.Tensor:
        if task.current_epoch == 2:
            raise KeyboardInterrupt
        return step(task, *batch)

    longer = with_overrides(config, ['epochs=3'])
    with monkeypatch.context() as patch:
        patch.setattr(LaneTask, 'training_step', interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(longer, data, tmp_path)
    assert not (tmp_path / 'checkpoint.pt').exists()
    train(longer, data, tmp_path, resume=True)
    assert [row['epoch'] for row in rows(tmp_path)] == ['0', '1', '2']
    assert (tmp_path / 'checkpoint.pt').is_file()


def test_resuming_what_was_never_started_is_refused(
    data: Path, config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(LaneSegError, match='last.ckpt, found none; start without --resume'):
        train(config, data, tmp_path / 'new', resume=True)


@pytest.mark.parametrize(
    ('setting', 'text'),
    [
        ('monitor=road/kerb', "one of road/background, .*; found 'road/kerb'"),
        ('height=60', 'the nearest valid size is 64x128'),
        ('net.name=enet', "found 'enet'"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    data: Path, config: TrainConfig, tmp_path: Path, setting: str, text: str
) -> None:
    with pytest.raises(LaneSegError, match=text):
        train(with_overrides(config, [setting]), data, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_batches_hold_images_sets_and_the_classes_that_are_defined(
    data: Path, config: TrainConfig
) -> None:
    sets = open_data(config.train, config.classes, (64, 128), data)
    batches = list(train_loader(sets, config))
    assert len(batches) == 2
    for image, bits, defined in batches:
        assert (image.shape, image.dtype) == ((2, 3, 64, 128), torch.uint8)
        assert (bits.shape, bits.dtype) == ((2, 64, 128), torch.uint8)
        assert defined.tolist() == [[True] * 3] * 2


def test_validation_batches_are_the_examples_themselves_in_order(
    data: Path, config: TrainConfig
) -> None:
    (road,) = open_data(config.val, config.classes, (64, 128), data)
    ((image, bits, _),) = val_loader(road, config)
    for index, (example, sets) in enumerate(road.examples):
        assert np.array_equal(image[index].permute(1, 2, 0).numpy(), example)
        assert np.array_equal(bits[index].numpy(), sets)


@pytest.mark.parametrize(('repeat', 'batches'), [(0.1, 1), (0.5, 1), (1.0, 2), (2.5, 5)])
def test_repeat_says_how_often_an_epoch_draws_a_data_set(
    data: Path, config: TrainConfig, repeat: float, batches: int
) -> None:
    plain = [{**vars(config.train[0]), 'repeat': repeat}]
    changed = with_overrides(config, [f'train={yaml.safe_dump(plain, default_flow_style=True)}'])
    sets = open_data(changed.train, changed.classes, (64, 128), data)
    assert len(list(train_loader(sets, changed))) == batches
