"""A tiny network and a tiny data set on disk, for tests of what comes after training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import yaml

from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import DataConfig, NetConfig, TrainConfig
from lane_seg_train.config_file import plain_config
from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
from lane_seg_train.fake_quantization.record import QuantizationRecord
from lane_seg_train.nets import build_net
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.quantization.calibration import calibrate, calibration_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEIGHT, WIDTH = 64, 128
CLASSES = ('background', 'road', 'lane_marking')
NET = NetConfig(width=4, depth=2, multipliers=(1, 2, 2))


def pairs(count: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Grey road on black with a white line: images (H, W, 3) BGR and labels (H, W) of 0, 1, 2."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        label = np.zeros((HEIGHT, WIDTH), np.uint8)
        label[HEIGHT // 2 :] = 1
        column = int(rng.integers(10, WIDTH - 20))
        label[HEIGHT // 2 :, column : column + 8] = 2
        image = np.array([10, 110, 240], np.uint8)[label]
        noisy = np.clip(image[..., None] + rng.normal(0, 6, (HEIGHT, WIDTH, 3)), 0, 255)
        made.append((noisy.astype(np.uint8), label))
    return made


def write_pairs(folder: Path, count: int = 6) -> None:
    """Write `pairs` as images/NNN.png and labels/NNN.png."""
    for name in ('images', 'labels'):
        (folder / name).mkdir(parents=True)
    for index, (image, label) in enumerate(pairs(count)):
        cv2.imwrite(str(folder / 'images' / f'{index:03}.png'), image)
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


def trained_checkpoint(net_config: NetConfig = NET, steps: int = 40) -> Checkpoint:
    """A network that has learned `pairs`, so that its logits are decided."""
    torch.manual_seed(0)
    net = build_net(net_config, len(CLASSES))
    images, labels = (np.stack(items) for items in zip(*pairs(), strict=True))
    tensor = normalized(torch.from_numpy(images)).permute(0, 3, 1, 2)
    target = torch.from_numpy(labels).long()
    weight = torch.tensor([1.0, 1.0, 8.0])  # markings are few
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for so small a network, waiting for others takes longer
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(tensor), target, weight).backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return dataclasses.replace(random_checkpoint(), net=net.eval(), net_config=net_config)


def quantized_checkpoint(
    checkpoint: Checkpoint | None = None,
    images: Sequence[np.ndarray] = (),
    *,
    exclude: Sequence[str] = (),
) -> Checkpoint:
    """A checkpoint, by default `random_checkpoint`, calibrated on images, by default `pairs`."""
    checkpoint = checkpoint or random_checkpoint()
    images = images or [image for image, _ in pairs()]
    net = QuantizedNet(
        checkpoint.net,  # type: ignore[arg-type]
        (checkpoint.height, checkpoint.width),
        exclude=exclude,
    )
    calibrate(net, images)
    record = QuantizationRecord(
        'max', 99.99, len(images), calibration_sha256(images), tuple(exclude)
    )
    return dataclasses.replace(checkpoint, net=net.eval(), quantization=record)
