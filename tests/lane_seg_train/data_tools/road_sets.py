"""Small data sets of pictures that differ from each other, for tests of the data tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import yaml

from lane_seg_train.config_file import load_config
from lane_seg_train.data_tools.chosen_sets import chosen_sets, opened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.data_tools.chosen_sets import ChosenSet
    from lane_seg_train.datasets import LaneData

HEIGHT, WIDTH = 48, 96
LABELS = {0: 'background', 1: 'road', 2: 'lane_marking'}


def picture(seed: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray[np.uint8]:
    """Soft blobs of colour, others for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def label() -> NDArray[np.uint8]:
    """Background above, road below, and in it a line of 96 pixels."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[HEIGHT // 2 :] = 1
    values[HEIGHT // 2 :, 40:44] = 2
    return values


def write_pair(
    folder: Path,
    name: str,
    image: NDArray[np.uint8],
    values: NDArray[np.uint8] | None = None,
) -> None:
    for kind, array in (('images', image), ('labels', label() if values is None else values)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f'{name}.png'), array)


def write_sets(root: Path, train: int = 6, val: int = 3) -> None:
    """Sound sets in root/train and root/val: files a0, a1, ... and b0, b1, ..."""
    for index in range(train):
        write_pair(root / 'train', f'a{index}', picture(index))
    for index in range(val):
        write_pair(root / 'val', f'b{index}', picture(100 + index))


def data_set(part: str, **changes: object) -> dict[str, object]:
    known = {'images': f'{part}/images', 'masks': f'{part}/labels', 'labels': LABELS}
    return {'name': 'streets', **known, **changes}


def recipe(
    root: Path,
    train: list[dict[str, object]] | None = None,
    val: list[dict[str, object]] | None = None,
    **changes: object,
) -> Path:
    """Write a recipe of the sets of `write_sets`, or of others, to root/recipe.yaml."""
    content = {
        'name': 'small',
        'height': 32,
        'width': 64,
        'train': train or [data_set('train')],
        'val': val or [data_set('val')],
        **changes,
    }
    path = root / 'recipe.yaml'
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return path


def open_recipe(
    path: Path, names: tuple[str, ...] = ()
) -> tuple[TrainConfig, list[tuple[ChosenSet, LaneData]]]:
    config = load_config(path)
    return config, opened(chosen_sets(config, names), config, path.parent)
