"""Training against a plain PyTorch loop on the same net, data and augmentation; the loader alone.

Run it as: python benchmarks/train_throughput.py [--steps 30] [--json]

The contenders take turns, one epoch each, in a process of its own. Both plain loops are what one
writes at first; the one that keeps the images in memory is the faster, and so the reference.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from harness import Row, add_common_arguments, report
from torch.utils.data import DataLoader, Dataset

from lane_seg.machine import machine_info
from lane_seg.timing import summarize
from lane_seg_scene import RoadScene
from lane_seg_train.augment import augment
from lane_seg_train.config import AugmentConfig, DataConfig, NetConfig, TrainConfig
from lane_seg_train.datasets import open_data
from lane_seg_train.losses import allowed_from_targets, build_loss, defined_from_sets
from lane_seg_train.nets import build_net
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.run_csv import read_rows
from lane_seg_train.trainer.batches import LaneBatches
from lane_seg_train.trainer.fit import train
from lane_seg_train.trainer.hardware import Hardware
from lane_seg_train.trainer.precision import chosen_precision

LABELS: dict[str | int, str | list[str]] = {0: ['background'], 1: ['road'], 2: ['lane_marking']}
OURS, FROM_DISK, IN_MEMORY = 'lane-seg train', 'plain loop, from disk', 'plain loop, in memory'
LOADERS = tuple(f'loader alone, {workers} workers' for workers in (0, 1, 2))
CONTENDERS = (IN_MEMORY, FROM_DISK, OURS, *LOADERS)


class PlainData(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Reads, scales and augments, as one writes it at first; keeps the images if told to."""

    def __init__(self, folder: Path, config: TrainConfig, *, keep: bool) -> None:
        self.names = sorted(path.name for path in (folder / 'images').iterdir())
        self.folder = folder
        self.config = config
        self.kept = [self.read(name) for name in self.names] if keep else None

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Read a pair at the model's size."""
        size = (self.config.width, self.config.height)
        image = cv2.imread(str(self.folder / 'images' / name))
        label = cv2.imread(str(self.folder / 'labels' / name), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return image, cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, label = self.kept[index] if self.kept else self.read(self.names[index])
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        image, label = augment(image, label, self.config.augment, rng)
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(label)


def write_data(folder: Path, count: int, config: TrainConfig) -> None:
    """Write frames of the built-in road scene at twice the model's size."""
    for name in ('images', 'labels'):
        (folder / name).mkdir(parents=True)
    scene = RoadScene(0, height=2 * config.height, width=2 * config.width)
    for index in range(count):
        frame = scene.frame(index / 3)
        cv2.imwrite(str(folder / 'images' / f'{index:04}.png'), frame.image)
        cv2.imwrite(str(folder / 'labels' / f'{index:04}.png'), frame.label)


def plain_epoch(data: PlainData, config: TrainConfig) -> float:
    """Seconds of an epoch of a plain loop."""
    net = build_net(config.net, 3).to(memory_format=torch.channels_last).train()
    loss = build_loss(config.loss, config.classes)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(data))
    # Row i allows class i alone; 255, from outside the picture, allows all.
    sets = torch.zeros(256, 3, dtype=torch.bool)
    sets[:3] = torch.eye(3, dtype=torch.bool)
    sets[255] = True
    sets = sets.expand(config.batch_size, -1, -1)
    batches = iter(DataLoader(data, config.batch_size, shuffle=True, num_workers=config.workers))
    start = time.perf_counter()
    for image, target in batches:
        tensor = normalized(image).contiguous(memory_format=torch.channels_last)
        with torch.autocast('cpu', torch.bfloat16, enabled=config.precision == 'bf16-mixed'):
            total, _ = loss(
                net(tensor), allowed_from_targets(target, sets), defined_from_sets(sets)
            )
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return time.perf_counter() - start


def our_epoch(folder: Path, config: TrainConfig) -> float:
    """Seconds of an epoch of `lane-seg train`, saving and logging included."""
    with tempfile.TemporaryDirectory() as output:
        train(config, folder, Path(output) / 'run', hardware=Hardware(accelerator='cpu'))
        (row,) = read_rows(Path(output) / 'run' / 'metrics.csv')
    return float(row['seconds'])


def loader_epoch(folder: Path, config: TrainConfig) -> float:
    """Seconds that our loader takes for an epoch that nobody learns from."""
    sets = open_data(config.train, config.classes, (config.height, config.width), folder)
    for data in sets:
        _ = data.examples
    batches = iter(LaneBatches(sets, sets, config).train_dataloader())
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def seconds_of(contender: str, folder: Path, config: TrainConfig) -> float:
    """Seconds of one epoch of a contender."""
    if contender == OURS:
        return our_epoch(folder, config)
    if contender in (IN_MEMORY, FROM_DISK):
        return plain_epoch(PlainData(folder, config, keep=contender == IN_MEMORY), config)
    return loader_epoch(folder, replace(config, workers=int(contender.split()[2])))


def rows_of(words: list[str], steps: int, batch: int, *, repeats: int, warmup: int) -> list[Row]:
    """Measure; one value is the milliseconds per step of one epoch.

    Each epoch has a process of its own: `lane-seg train` tunes malloc for the whole process.
    """
    times: dict[str, list[float]] = {key: [] for key in CONTENDERS}
    for number in range(-warmup, repeats):
        for key in CONTENDERS:
            command = [sys.executable, __file__, *words, '--one', key]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            if number >= 0:
                times[key].append(1e3 * float(done.stdout.split()[-1]) / steps)
    reference = summarize(times[IN_MEMORY])
    rows = []
    for key, values in times.items():
        timing = summarize(values)
        case = 'loader' if key.startswith('loader') else 'training step'
        ratio = reference.median_ms / timing.median_ms
        note = f'{1e3 * batch / timing.median_ms:.1f} images/s'
        rows.append(Row(case, key, ratio, IN_MEMORY, timing, note))
    return rows


def config_of(args: argparse.Namespace) -> TrainConfig:
    """The run that all contenders do."""
    frames = DataConfig(name='frames', images='images', masks='labels', labels=LABELS)
    return TrainConfig(
        name='throughput', train=(frames,), val=(replace(frames, name='few', limit=2),),
        height=args.size[0], width=args.size[1], net=NetConfig(width=args.width),
        augment=AugmentConfig(), epochs=1, batch_size=args.batch_size, workers=1,
        precision=chosen_precision('auto', 'cpu'), snapshots=0,
    )  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=30, help='of an epoch (default: 30)')
    parser.add_argument('--batch-size', type=int, default=8, help='(default: 8)')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(256, 512), metavar=('H', 'W'),
        help='(default: 256 512)',
    )  # fmt: skip
    parser.add_argument('--width', type=int, default=32, help='of the U-Net (default: 32)')
    parser.add_argument('--one', choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument('--frames', type=Path, help=argparse.SUPPRESS)
    add_common_arguments(parser, repeats=5, warmup=1)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = config_of(args)
    if args.one:
        print(seconds_of(args.one, args.frames, config))
        return 0
    machine = machine_info()
    with tempfile.TemporaryDirectory() as name:
        write_data(Path(name), args.steps * args.batch_size, config)
        words = [*sys.argv[1:], '--frames', name]
        rows = rows_of(
            words, args.steps, args.batch_size, repeats=args.repeats, warmup=args.warmup
        )
    settings = {
        'net': f'unet width {args.width}', 'size': f'{args.size[0]}x{args.size[1]}',
        'batch': args.batch_size, 'steps of an epoch': args.steps, 'workers': config.workers,
        'precision': config.precision, 'torch threads': torch.get_num_threads(),
        'rounds': args.repeats, 'warm-up rounds': args.warmup,
    }  # fmt: skip
    report('train_throughput', rows, machine, settings=settings, json_path=args.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
