"""Batches hold what the data sets hold: augmented to learn from, unchanged to validate on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

pytest.importorskip('lightning')

from lane_seg_train.config_file import with_overrides
from lane_seg_train.datasets import open_data
from lane_seg_train.trainer.batches import LaneBatches
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH, tiny_config, write_pairs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('data')
    write_pairs(folder)
    return folder


def open_batches(data: Path, settings: list[str] | None = None, **ranks: int) -> LaneBatches:
    config = with_overrides(tiny_config(), settings or [])
    size = (config.height, config.width)
    sets = [open_data(part, config.classes, size, data) for part in (config.train, config.val)]
    return LaneBatches(*sets, config, **ranks)


def test_a_batch_holds_images_targets_and_what_the_targets_mean(data: Path) -> None:
    batches = list(open_batches(data).train_dataloader())
    assert len(batches) == 3
    for image, target, sets in batches:
        assert (image.shape, image.dtype) == ((2, 3, HEIGHT, WIDTH), torch.uint8)
        assert (target.shape, target.dtype) == ((2, HEIGHT, WIDTH), torch.uint8)
        assert (sets.shape, sets.dtype) == ((2, 256, 3), torch.bool)


def test_batches_do_not_depend_on_the_number_of_workers(data: Path) -> None:
    alone = list(open_batches(data, ['workers=0']).train_dataloader())
    helped = list(open_batches(data, ['workers=2']).train_dataloader())
    for (image, target, _), (other_image, other_target, _) in zip(alone, helped, strict=True):
        assert torch.equal(image, other_image)
        assert torch.equal(target, other_target)


def test_epochs_augment_differently(data: Path) -> None:
    loader = open_batches(data, ['batch_size=6']).train_dataloader()
    ((first, _, _),) = list(loader)
    ((second, _, _),) = list(loader)
    assert not torch.equal(first.sort(dim=0).values, second.sort(dim=0).values)


def test_validation_batches_are_the_examples_themselves_in_order(data: Path) -> None:
    batches = open_batches(data, ['batch_size=6'])
    ((image, target, _),) = batches.val_dataloader()[0]
    for index, (example, label) in enumerate(batches.val_sets[0].examples):
        assert np.array_equal(image[index].permute(1, 2, 0).numpy(), example)
        assert np.array_equal(target[index].numpy(), label)


def test_a_share_of_the_validation_images_is_evenly_spaced(data: Path) -> None:
    batches = open_batches(data, ['batch_size=6', 'val_share=0.5'])
    ((image, _, _),) = batches.val_dataloader()[0]
    for row, index in enumerate((0, 2, 4)):
        example, _ = batches.val_sets[0].examples[index]
        assert np.array_equal(image[row].permute(1, 2, 0).numpy(), example)


def test_processes_share_the_validation_images(data: Path) -> None:
    counts = [
        sum(len(image) for image, _, _ in loader)
        for rank in range(4)
        for loader in open_batches(data, rank=rank, world=4).val_dataloader()
    ]
    assert counts == [2, 2, 1, 1]


def test_a_checkpoint_remembers_which_batch_comes_next(data: Path) -> None:
    batches = open_batches(data)
    whole = list(batches.train_dataloader())
    resumed = open_batches(data)
    batches.next_batch = (0, 2)
    resumed.load_state_dict(batches.state_dict())
    ((image, _, _),) = list(resumed.train_dataloader())
    assert torch.equal(image, whole[2][0])


@pytest.mark.parametrize(('repeat', 'batches'), [(0.1, 1), (0.5, 2), (1.0, 3), (2.5, 8)])
def test_repeat_says_how_often_an_epoch_shows_a_data_set(
    data: Path, repeat: float, batches: int
) -> None:
    loader = open_batches(data, [f'train.0.repeat={repeat}']).train_dataloader()
    assert len(list(loader)) == batches
