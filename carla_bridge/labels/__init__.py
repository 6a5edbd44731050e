"""Labels of lanes: which road paint is a lane line, and of which lane border."""

from carla_bridge.labels.frame_labels import (
    AREAS,
    CLASSES,
    LANE_MARKING,
    ROAD,
    UNLABELED,
    FrameLabels,
    LabelOptions,
    SeenBorder,
)
from carla_bridge.labels.labeller import LaneLabeller
from carla_bridge.labels.picture import draw_labels

__all__ = [
    'AREAS',
    'CLASSES',
    'LANE_MARKING',
    'ROAD',
    'UNLABELED',
    'FrameLabels',
    'LabelOptions',
    'LaneLabeller',
    'SeenBorder',
    'draw_labels',
]
