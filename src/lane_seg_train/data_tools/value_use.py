"""How much of a data set each of its label values covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lane_seg_train.data_tools.meanings import meaning, members
from lane_seg_train.label_sets import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.datasets import LaneData

__all__ = ['ValueUse', 'value_uses']


@dataclass(frozen=True)
class ValueUse:
    """How much of a data set one key of its `labels` covers.

    Attributes:
        key: label value, its name, or 'other'.
        means: in words, 'background or road'.
        ids: of these classes; empty if it is ignored.
        pixels: number of pixels.
        images: number of images that have such pixels.
    """

    key: str
    means: str
    ids: tuple[int, ...]
    pixels: int
    images: int


def value_uses(data: LaneData, counts: Sequence[NDArray[np.int64]]) -> list[ValueUse]:
    """Count each key of a data set's `labels`, in their order, 'other' last.

    Args:
        data: the data set.
        counts: of each label how many pixels have each value, (256,) int64.
    """
    table = data.table
    rows = np.stack(counts) if counts else np.zeros((0, 256), np.int64)
    uses, listed = [], np.zeros(256, np.bool_)
    for key in data.config.labels:
        if key != OTHER:
            chosen = _values_of(key, data)
            listed[chosen] = True
            uses.append(_use(str(key), table.values[chosen[0]], rows[:, chosen], data))
    if table.other is not None:
        uses.append(_use(OTHER, table.other, rows[:, ~listed], data))
    return uses


def _use(key: str, target: int, counts: NDArray[np.int64], data: LaneData) -> ValueUse:
    ids = tuple(members(data.table, target))
    return ValueUse(
        key, meaning(data.table, target), ids, int(counts.sum()), int(counts.any(axis=1).sum())
    )


def _values_of(key: str | int, data: LaneData) -> list[int]:
    """Label values that a key of `labels` stands for, as `LabelTable` reads it."""
    value = data.table.names.get(str(key), key) if isinstance(key, str) else key
    return [int(item) for item in value] if isinstance(value, tuple) else [int(value)]
