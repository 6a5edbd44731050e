"""What each kind of thing in the picture is called by CARLA, and its tag by version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lane_seg.carla_tags import tags_of
from lane_seg.errors import LaneSegError

__all__ = ['KINDS', 'kind_number', 'tag_table']

# What stands in the picture -> CARLA's name for it. Crosswalks, stop lines and arrows count as
# RoadLines, as in CARLA; a shoulder is paved and counts as road.
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        'sky': 'Sky',
        'terrain': 'Terrain',
        'road': 'Roads',
        'shoulder': 'Roads',
        'sidewalk': 'Sidewalks',
        'kerb': 'Sidewalks',
        'lane_mark': 'RoadLines',
        'crosswalk': 'RoadLines',
        'stop_line': 'RoadLines',
        'arrow': 'RoadLines',
        'building': 'Buildings',
        'vehicle': 'Car',
        'pole': 'Poles',
        'trunk': 'Vegetation',
        'crown': 'Vegetation',
        'wall': 'Walls',
        'guard_rail': 'GuardRail',
        'traffic_light': 'TrafficLight',
    }
)

KINDS: Final[tuple[str, ...]] = tuple(_NAMES)
"""Everything that can be seen; items carry the position in this tuple as a number."""

_NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {kind: number for number, kind in enumerate(KINDS)}
)


def kind_number(kind: str) -> int:
    """Return the position of a kind in `KINDS`.

    Raises:
        LaneSegError: the renderer does not know this kind.
    """
    if kind not in _NUMBERS:
        raise LaneSegError(f'expected a kind out of {", ".join(KINDS)}, found {kind!r}')
    return _NUMBERS[kind]


def tag_table(version: str) -> NDArray[np.uint8]:
    """Return the tag of every kind, (len(KINDS),) uint8, for a CARLA version such as '0.9.16'."""
    numbers = tags_of(version)
    old = {'Car': 'Vehicles'} if 'Vehicles' in numbers else {}
    return np.array([numbers[old.get(name, name)] for name in _NAMES.values()], np.uint8)
