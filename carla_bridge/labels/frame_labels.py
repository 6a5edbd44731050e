"""What a labelled frame holds, and how it is to be labelled."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lane_seg.errors import LaneSegError

__all__ = [
    'AREAS',
    'CLASSES',
    'EGO_LANE',
    'LANE_MARKING',
    'OTHER_DIRECTION',
    'OUR_DIRECTION',
    'ROAD',
    'UNLABELED',
    'FrameLabels',
    'LabelOptions',
    'SeenBorder',
    'Side',
]

BACKGROUND: Final = 0
ROAD: Final = 1
LANE_MARKING: Final = 2
UNLABELED: Final = 255
"""The pixel says nothing: map and picture disagree there, or the paint is too far to tell."""

CLASSES: Final = ('background', 'road', 'lane_marking')
"""Names of the values of `FrameLabels.label`, in order."""

EGO_LANE: Final = 1
OUR_DIRECTION: Final = 2
OTHER_DIRECTION: Final = 3

AREAS: Final = ('none', 'ego_lane', 'our_direction', 'other_direction')
"""Names of the values of `FrameLabels.area`, in order."""

Side = Literal['left', 'right', 'other']


@dataclass(frozen=True)
class LabelOptions:
    """How paint and map are compared.

    Attributes:
        slack_m: how far paint may lie beside the lane mark of the map and still be it, metres.
        slack_px: the same in pixels, whichever is more: far away a pixel is wider than any slack.
        follow_m: painted lines of CARLA's towns lie beside the marks of their maps by some
            centimetres, which differ from line to line. Each line in the picture is followed that
            far, metres; 0 switches it off.
        doubt_m: paint that lies beside a lane mark by more than the slack and by less than this
            is unlabeled, metres.
        lane_like: paint within a lane that is long and thin like a line, and of which the map
            knows nothing, is unlabeled; False makes it road.
        area: whether to label lanes as areas, too.
        range_m: how far from the camera the map is looked at, metres.
    """

    slack_m: float = 0.1
    slack_px: float = 0.5
    follow_m: float = 0.3
    doubt_m: float = 0.3
    lane_like: bool = True
    area: bool = False
    range_m: float = 250.0

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not isinstance(value, bool) and not 0.0 <= value < 1e4:
                raise LaneSegError(
                    f'expected {option.name} to be 0 or more and finite, found {value!r}'
                )


@dataclass(frozen=True)
class SeenBorder:
    """A stretch of lane border, of one kind of mark, of which the image shows paint.

    Attributes:
        instance: number of the line in this town: stretches that continue each other, along
            changes of kind and from road to road, have the same one, in every frame.
        road: OpenDRIVE id of the road.
        section: index of the lane section.
        lane: OpenDRIVE id of the lane whose outer border this is; 0 is the reference line.
        kind: of the mark: 'solid', 'broken', 'solid solid', 'solid broken', 'broken solid',
            'broken broken', 'botts dots' or 'other'.
        colour: 'white', 'yellow', 'blue', 'green', 'red' or 'other'.
        side: of the ego lane that it bounds, or 'other'.
        pixels: how many pixels of `FrameLabels.lanes` it has.
        offset_m: how far to the right of the map's mark the paint was found, seen in direction of
            rising s, metres.
    """

    instance: int
    road: int
    section: int
    lane: int
    kind: str
    colour: str
    side: Side
    pixels: int
    offset_m: float = 0.0


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """Labels of one image.

    Attributes:
        label: (H, W) uint8: 0 background, 1 road (with arrows, crosswalks and stop lines),
            2 lane marking (lane lines only), 255 unlabeled.
        lanes: (H, W) uint8: 0 no lane line, k the stretch `borders[k - 1]`.
        borders: stretches in the image, those with more pixels first; at most 255.
        area: (H, W) uint8: 0 none, 1 the ego lane, 2 another lane of our direction, 3 a lane of
            another direction (oncoming or crossing); None if it was not asked for.
    """

    label: NDArray[np.uint8]
    lanes: NDArray[np.uint8]
    borders: tuple[SeenBorder, ...] = field(default=())
    area: NDArray[np.uint8] | None = None
