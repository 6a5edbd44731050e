"""CARLA's semantic tags: numbers and colours by version, and reading them from images.

CARLA 0.9.14 renumbered its tags after the Cityscapes order: a road line is 6 before and 24 since.
Numbers are those of `carla.CityObjectLabel` of the respective client, colours those of its
`ColorConverter.CityScapesPalette`. A semantic image carries the tag in its red channel (the
simulator itself, its native ROS 2 topics) or the colours of the palette (ros-bridge).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError

__all__ = [
    'PALETTE_0_9_13',
    'PALETTE_0_9_14',
    'TAGS_0_9_13',
    'TAGS_0_9_14',
    'UNKNOWN_TAG',
    'palette_of',
    'share_in_palette',
    'tags_from_palette',
    'tags_of',
]

UNKNOWN_TAG: Final = 255
"""Stands in `tags_from_palette` for a colour that the palette does not have."""

# fmt: off
_TABLE_0_9_14: Final = (
    ('None', (0, 0, 0)), ('Roads', (128, 64, 128)), ('Sidewalks', (244, 35, 232)),
    ('Buildings', (70, 70, 70)), ('Walls', (102, 102, 156)), ('Fences', (190, 153, 153)),
    ('Poles', (153, 153, 153)), ('TrafficLight', (250, 170, 30)), ('TrafficSigns', (220, 220, 0)),
    ('Vegetation', (107, 142, 35)), ('Terrain', (152, 251, 152)), ('Sky', (70, 130, 180)),
    ('Pedestrians', (220, 20, 60)), ('Rider', (255, 0, 0)), ('Car', (0, 0, 142)),
    ('Truck', (0, 0, 70)), ('Bus', (0, 60, 100)), ('Train', (0, 80, 100)),
    ('Motorcycle', (0, 0, 230)), ('Bicycle', (119, 11, 32)), ('Static', (110, 190, 160)),
    ('Dynamic', (170, 120, 50)), ('Other', (55, 90, 80)), ('Water', (45, 60, 150)),
    ('RoadLines', (157, 234, 50)), ('Ground', (81, 0, 81)), ('Bridge', (150, 100, 100)),
    ('RailTrack', (230, 150, 140)), ('GuardRail', (180, 165, 180)),
)
_TABLE_0_9_13: Final = (
    ('None', (0, 0, 0)), ('Buildings', (70, 70, 70)), ('Fences', (100, 40, 40)),
    ('Other', (55, 90, 80)), ('Pedestrians', (220, 20, 60)), ('Poles', (153, 153, 153)),
    ('RoadLines', (157, 234, 50)), ('Roads', (128, 64, 128)), ('Sidewalks', (244, 35, 232)),
    ('Vegetation', (107, 142, 35)), ('Vehicles', (0, 0, 142)), ('Walls', (102, 102, 156)),
    ('TrafficSigns', (220, 220, 0)), ('Sky', (70, 130, 180)), ('Ground', (81, 0, 81)),
    ('Bridge', (150, 100, 100)), ('RailTrack', (230, 150, 140)), ('GuardRail', (180, 165, 180)),
    ('TrafficLight', (250, 170, 30)), ('Static', (110, 190, 160)), ('Dynamic', (170, 120, 50)),
    ('Water', (45, 60, 150)), ('Terrain', (145, 170, 100)),
)
# fmt: on

_Table = tuple[tuple[str, tuple[int, int, int]], ...]


def _numbers(table: _Table) -> Mapping[str, int]:
    return MappingProxyType({name: number for number, (name, _) in enumerate(table)})


def _colours(table: _Table) -> NDArray[np.uint8]:
    colours = np.array([colour for _, colour in table], np.uint8)
    colours.setflags(write=False)
    return colours


TAGS_0_9_14: Final = _numbers(_TABLE_0_9_14)
"""{name: tag} of CARLA 0.9.14 to 0.9.16."""

TAGS_0_9_13: Final = _numbers(_TABLE_0_9_13)
"""{name: tag} of CARLA 0.9.13 and before (0.9.11 and before end at Water)."""

PALETTE_0_9_14: Final = _colours(_TABLE_0_9_14)
"""(29, 3) uint8 RGB, the colour of each tag of CARLA 0.9.14 to 0.9.16."""

PALETTE_0_9_13: Final = _colours(_TABLE_0_9_13)
"""(23, 3) uint8 RGB, the colour of each tag of CARLA 0.9.13 and before."""

_VERSION: Final = re.compile(r'(\d+)\.(\d+)\.(\d+)')


def tags_of(version: str) -> Mapping[str, int]:
    """Return CARLA's tag numbers by name.

    Args:
        version: of the server, such as '0.9.16' or '0.9.15-dirty'.

    Raises:
        LaneSegError: the version does not begin with three numbers.
    """
    return TAGS_0_9_14 if _is_new(version) else TAGS_0_9_13


def palette_of(version: str) -> NDArray[np.uint8]:
    """Return the colours of the CityScapes palette, (number of tags, 3) uint8 RGB.

    Raises:
        LaneSegError: the version does not begin with three numbers.
    """
    return PALETTE_0_9_14 if _is_new(version) else PALETTE_0_9_13


def tags_from_palette(image: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn the colours of a semantic image back into tags.

    Args:
        image: (H, W, 3) uint8 BGR, or (H, W, 4) BGRA, coloured without interpolation.
        palette: (N, 3) uint8 RGB, from `palette_of`.

    Returns:
        (H, W) uint8; `UNKNOWN_TAG` where the palette does not have the colour. Tags that share a
        colour become the lowest of them; no two of either palette do.
    """
    code = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) if image.shape[2] == 4 else image
    tags = np.full(image.shape[:2], UNKNOWN_TAG, np.uint8)
    for tag in reversed(range(len(palette))):
        red, green, blue = (int(level) for level in palette[tag])
        found = cv2.inRange(code, (blue, green, red), (blue, green, red))
        tags[found != 0] = tag
    return tags


def share_in_palette(image: NDArray[np.uint8], palette: NDArray[np.uint8]) -> float:
    """Tell which share of an image's pixels has a colour of a palette, 0..1.

    Args:
        image: (H, W, 3) uint8 BGR, or (H, W, 4) BGRA.
        palette: (N, 3) uint8 RGB, from `palette_of`.
    """
    return float(np.mean(tags_from_palette(image, palette) != UNKNOWN_TAG))


def _is_new(version: str) -> bool:
    found = _VERSION.match(version)
    if found is None:
        raise LaneSegError(f"expected a CARLA version such as '0.9.16', found {version!r}")
    return tuple(int(part) for part in found.groups()) >= (0, 9, 14)
