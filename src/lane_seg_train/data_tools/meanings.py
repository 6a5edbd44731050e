"""What target ids mean to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.label_sets import LabelTable

__all__ = ['BACKGROUND', 'IGNORED', 'foreground_ids', 'meaning', 'members']

BACKGROUND = 'background'
IGNORED = 'any class (ignored)'


def meaning(table: LabelTable, target: int) -> str:
    """Words for a target id: 'road', 'background or road', 'any class (ignored)'."""
    return IGNORED if target == ANY_ID else table.name_of(target).replace('+', ' or ')


def members(table: LabelTable, target: int) -> list[int]:
    """Ids of the classes that a target id allows; none for 255, which says nothing."""
    return [] if target == ANY_ID else np.flatnonzero(table.sets[target]).tolist()


def foreground_ids(table: LabelTable) -> NDArray[np.bool_]:
    """Which target ids are surely not background, (256,) bool.

    Where no class is called background, all that is labelled is foreground.
    """
    sets = table.sets
    is_foreground = np.asarray(sets.any(axis=1), np.bool_)
    if BACKGROUND in table.classes:
        is_foreground &= ~sets[:, table.classes.index(BACKGROUND)]
    is_foreground[ANY_ID] = False
    return is_foreground
