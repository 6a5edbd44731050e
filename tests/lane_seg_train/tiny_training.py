"""A tiny network and a tiny data set on disk, for tests of what comes after training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import yaml

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import DataConfig, NetConfig, TrainConfig
from lane_seg_train.config_file import plain_config
from lane_seg_train.nets import build_net

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 64, 128
CLASSES = ('background', 'road', 'lane_marking')
NET = NetConfig(width=4, depth=2, multipliers=(1, 2, 2))


def write_pairs(folder: Path, count: int = 6) -> None:
    """Grey road on black with a white line: images/NNN.png and labels/NNN.png (0, 1, 2)."""
    rng = np.random.default_rng(0)
    for name in ('images', 'labels'):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        label = np.zeros((HEIGHT, WIDTH), np.uint8)
        label[HEIGHT // 2 :] = 1
        column = int(rng.integers(10, WIDTH - 20))
        label[HEIGHT // 2 :, column : column + 8] = 2
        image = np.array([10, 110, 240], np.uint8)[label]
        noisy = np.clip(image[..., None] + rng.normal(0, 6, (HEIGHT, WIDTH, 3)), 0, 255)
        cv2.imwrite(str(folder / 'images' / f'{index:03}.png'), noisy.astype(np.uint8))
        cv2.imwrite(str(folder / 'labels' / f'{index:03}.png'), label)


def tiny_config() -> TrainConfig:
    """A run on what `write_pairs` wrote."""
    data = DataConfig(
        name='tiny',
        images='images',
        masks='labels',
        labels={0: ['background'], 1: ['road'], 2: ['lane_marking']},
        licence='test data',
    )
    return TrainConfig(
        name='tiny',
        train=(data,),
        val=(data,),
        height=HEIGHT,
        width=WIDTH,
        net=NET,
        monitor='tiny/lane_marking',
        weak_points=('cannot see in the dark',),
        epochs=2,
        snapshots=1,
        batch_size=2,
        workers=0,
    )


def write_recipe(path: Path, **changes: object) -> None:
    """Write `tiny_config` as YAML, with other values for some of its keys."""
    path.write_text(yaml.safe_dump({**plain_config(tiny_config()), **changes}), encoding='utf-8')


def random_checkpoint() -> Checkpoint:
    """A network with random weights whose batch normalization has seen some data."""
    torch.manual_seed(0)
    net = build_net(NET, len(CLASSES))
    with torch.no_grad():
        for _ in range(20):
            net(torch.randn(2, 3, HEIGHT, WIDTH))
    return Checkpoint(
        net=net.eval(),
        net_config=NET,
        classes=CLASSES,
        height=HEIGHT,
        width=WIDTH,
        name='tiny',
        metrics={},
    )
