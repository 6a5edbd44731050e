"""The recipe that reads what `lane-seg data prepare` wrote."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

import numpy as np
import yaml

from lane_seg.files import write_text
from lane_seg_train.config import DataConfig
from lane_seg_train.data_tools.chosen_sets import PARTS, TRAIN, ChosenSet, file_name
from lane_seg_train.data_tools.prepare import IMAGES, LABELS
from lane_seg_train.datasets import SCENE
from lane_seg_train.label_sets import ANY, ANY_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData
    from lane_seg_train.label_sets import LabelTable

__all__ = ['RECIPE', 'prepared_config', 'write_prepared_recipe']

RECIPE = 'recipe.yaml'
_PATHS = ('images', 'masks', 'include', 'exclude')


def prepared_config(
    config: TrainConfig,
    opened: Sequence[tuple[ChosenSet, LaneData]],
    root: Path,
    *,
    augmented: int = 0,
) -> TrainConfig:
    """The recipe with prepared data sets in place of those that they were made of.

    With augmented copies a training set is larger, and `repeat` as much smaller. Sets that were
    not prepared are read where they lie.

    Args:
        config: the recipe.
        opened: the sets that were prepared.
        root: the folder that --data named.
        augmented: copies of each training pair.
    """
    tables = {chosen.key: data.table for chosen, data in opened}
    parts: dict[str, tuple[DataConfig, ...]] = {}
    for part in PARTS:
        sets = []
        for index, data in enumerate(getattr(config, part)):
            key = ChosenSet(part, index, data).key
            copies = augmented if part == TRAIN else 0
            sets.append(
                _prepared(part, data, tables[key], copies)
                if key in tables
                else _whole_paths(data, root)
            )
        parts[part] = tuple(sets)
    return dataclasses.replace(config, train=parts['train'], val=parts['val'])


def write_prepared_recipe(config: TrainConfig, output: Path) -> Path:
    """Write a recipe without the keys that have their default values; return its path."""
    path = output / RECIPE
    text = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=99)
    data, run = shlex.quote(str(output)), shlex.quote(f'runs/{config.name}')
    head = (
        '# Data that `lane-seg data prepare` wrote:\n'
        f'#   lane-seg train {shlex.quote(str(path))} --data {data} --output {run}\n'
    )
    write_text(path, head + text)
    return path


def _prepared(part: str, data: DataConfig, table: LabelTable, copies: int) -> DataConfig:
    folder = f'{part}/{file_name(data.name)}'
    labels: dict[str | int, str | list[str]] = {
        target: [table.classes[index] for index in np.flatnonzero(table.sets[target])]
        for target in range(ANY_ID)
        if table.sets[target].any()
    }
    # Augmentation leaves pixels from outside of the image, which may be anything.
    if copies or ANY_ID in (table.other, *table.values.values()):
        labels[ANY_ID] = ANY
    return DataConfig(
        name=data.name,
        labels=labels,
        images=f'{folder}/{IMAGES}',
        masks=f'{folder}/{LABELS}',
        repeat=float(f'{data.repeat / (1 + copies):.6g}'),
        licence=data.licence,
    )


def _whole_paths(data: DataConfig, root: Path) -> DataConfig:
    """The data set as it is, found from anywhere; `masks` of some formats is no path."""
    found = {
        key: str((root / getattr(data, key)).resolve())
        for key in _PATHS
        if getattr(data, key)
        and getattr(data, key) != SCENE
        and (root / getattr(data, key)).exists()
    }
    return dataclasses.replace(data, **found)  # type: ignore[arg-type]


def _plain(value: object) -> object:
    """Plain dicts and lists, without what a dataclass has by default."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != _default(field)
        }
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _default(field: dataclasses.Field[object]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
