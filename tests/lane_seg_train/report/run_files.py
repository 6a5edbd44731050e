"""Files of a run as the trainer writes them, with numbers that a test chooses."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONFIG = {
    'name': 'quiet street',
    'monitor': 'road/lane_marking',
    'classes': ['background', 'road', 'lane_marking'],
    'height': 64,
    'width': 128,
    'epochs': 3,
    'net': {'name': 'unet', 'width': 4},
    'train': [{'name': 'road'}],
    'val': [{'name': 'road'}],
}


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def steps(numbers: Sequence[int], per_epoch: int = 10) -> list[dict[str, object]]:
    return [
        {
            'step': step,
            'epoch': f'{step / per_epoch:.3f}',
            'learning_rate': 1e-3,
            'loss': f'{2 / step:.5f}',
            'ce': f'{1.5 / step:.5f}',
            'dice': f'{0.5 / step:.5f}',
        }
        for step in numbers
    ]


def validations(ious: Sequence[float | str], per_epoch: int = 10) -> list[dict[str, object]]:
    return [
        {
            'epoch': number,
            'step': number * per_epoch,
            'seconds': 30.0,
            'images_per_s': 20.0 + number,
            'learning_rate': 1e-3,
            'train/loss': 1 / number,
            'road/loss': 1.2 / number,
            'road/lane_marking': iou,
            'road/miou': 0.25,
        }
        for number, iou in enumerate(ious, 1)
    ]


def write_run(folder: Path, ious: Sequence[float | str] = (0.2, 0.6, 0.5)) -> Path:
    """A run of as many epochs as there are IoUs, ten steps each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.yaml').write_text(yaml.safe_dump(CONFIG, sort_keys=False), encoding='utf-8')
    write_rows(folder / 'steps.csv', steps(range(1, 10 * len(ious) + 1)))
    write_rows(folder / 'metrics.csv', validations(ious))
    return folder


def write_picture(folder: Path, step: int, size: tuple[int, int] = (40, 60)) -> Path:
    path = folder / 'snapshots' / f'step_{step:07d}.jpg'
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(step).integers(0, 256, (*size, 3)).astype(np.uint8)
    cv2.imwrite(str(path), noise, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return path
