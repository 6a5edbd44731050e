"""Which data sets of a recipe a command works on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.datasets import LaneData

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg_train.config import DataConfig, TrainConfig

__all__ = ['PARTS', 'TRAIN', 'VAL', 'ChosenSet', 'chosen_sets', 'file_name', 'opened']

TRAIN, VAL = 'train', 'val'
PARTS = (TRAIN, VAL)


@dataclass(frozen=True)
class ChosenSet:
    """One data set of a recipe.

    Attributes:
        part: 'train' or 'val'.
        index: place in that part, as `--set train.0.repeat=2` counts.
        config: the data set.
    """

    part: str
    index: int
    config: DataConfig

    @property
    def key(self) -> str:
        """Name that no other set of the recipe has: 'train/camvid_road'."""
        return f'{self.part}/{self.config.name}'


def chosen_sets(config: TrainConfig, names: Sequence[str] = ()) -> list[ChosenSet]:
    """The sets of a recipe that were asked for, in its order.

    Args:
        config: the recipe.
        names: 'camvid_road' means the sets of that name in train and val, 'val/camvid_road' only
            one of them, 'train' and 'val' all of a part; empty means all.

    Raises:
        LaneSegError: a name that the recipe has not; the nearest is named.
    """
    every = [
        ChosenSet(part, index, data)
        for part in PARTS
        for index, data in enumerate(getattr(config, part))
    ]
    known = {form for chosen in every for form in _forms(chosen)}
    for name in names:
        if name not in known:
            raise LaneSegError(
                f'--set-name: expected a data set of the recipe, found {name!r}'
                f'{nearest(name, sorted(known))}; it has {", ".join(item.key for item in every)}'
            )
    return [item for item in every if not names or _forms(item) & set(names)]


def opened(
    chosen: Sequence[ChosenSet], config: TrainConfig, root: Path
) -> list[tuple[ChosenSet, LaneData]]:
    """Open data sets; their images are not read yet.

    Args:
        chosen: sets of the recipe.
        config: the recipe.
        root: the folder that --data names.

    Raises:
        LaneSegError: a configuration that does not fit its data set.
    """
    size = (config.height, config.width)
    return [(item, LaneData(item.config, config.classes, size, root)) for item in chosen]


def file_name(key: str) -> str:
    """The name of a data set as a name of a file or folder: without spaces and slashes."""
    return re.sub(r'[^\w.-]+', '_', key)


def _forms(chosen: ChosenSet) -> set[str]:
    return {chosen.part, chosen.config.name, chosen.key}
