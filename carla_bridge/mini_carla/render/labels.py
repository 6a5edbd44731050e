"""Semantic tags: what each kind of thing is called and numbered by CARLA, by version.

CARLA 0.9.14 renumbered its tags after the Cityscapes order; a client of 0.9.13 expects the old
numbers. Both tables are those of `carla.CityObjectLabel` of the respective client.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError

__all__ = ['KINDS', 'TAGS_0_9_13', 'TAGS_0_9_14', 'kind_number', 'tag_table', 'tags']

# fmt: off
_NAMES_0_9_14: Final = (
        'None', 'Roads', 'Sidewalks', 'Buildings', 'Walls', 'Fences', 'Poles', 'TrafficLight',
        'TrafficSigns', 'Vegetation', 'Terrain', 'Sky', 'Pedestrians', 'Rider', 'Car', 'Truck',
        'Bus', 'Train', 'Motorcycle', 'Bicycle', 'Static', 'Dynamic', 'Other', 'Water',
        'RoadLines', 'Ground', 'Bridge', 'RailTrack', 'GuardRail',
)
_NAMES_0_9_13: Final = (
        'None', 'Buildings', 'Fences', 'Other', 'Pedestrians', 'Poles', 'RoadLines', 'Roads',
        'Sidewalks', 'Vegetation', 'Vehicles', 'Walls', 'TrafficSigns', 'Sky', 'Ground', 'Bridge',
        'RailTrack', 'GuardRail', 'TrafficLight', 'Static', 'Dynamic', 'Water', 'Terrain',
)
# fmt: on

TAGS_0_9_14: Final[Mapping[str, int]] = MappingProxyType(
    {name: number for number, name in enumerate(_NAMES_0_9_14)}
)
"""Tag numbers of CARLA 0.9.14 to 0.9.16."""

TAGS_0_9_13: Final[Mapping[str, int]] = MappingProxyType(
    {name: number for number, name in enumerate(_NAMES_0_9_13)}
)
"""Tag numbers of CARLA 0.9.13."""

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


def tags(version: str) -> Mapping[str, int]:
    """Return CARLA's tag numbers by name for a version such as '0.9.16'.

    Raises:
        LaneSegError: the version is not three numbers.
    """
    try:
        major, minor, patch = (int(part) for part in version.split('.')[:3])
    except ValueError:
        raise LaneSegError(
            f"expected a CARLA version such as '0.9.16', found {version!r}"
        ) from None
    return TAGS_0_9_14 if (major, minor, patch) >= (0, 9, 14) else TAGS_0_9_13


def tag_table(version: str) -> NDArray[np.uint8]:
    """Return the tag of every kind, (len(KINDS),) uint8, for a CARLA version such as '0.9.16'."""
    numbers = tags(version)
    old = {'Car': 'Vehicles'} if 'Vehicles' in numbers else {}
    return np.array([numbers[old.get(name, name)] for name in _NAMES.values()], np.uint8)
