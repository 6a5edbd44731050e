"""Images with targets, from files of many formats or from the procedural road scene."""

from lane_seg_train.datasets.lane_data import Example, LaneData, open_data, pairs_of, resized
from lane_seg_train.datasets.reader import FORMATS, SCENE, Pair, Reader, open_reader

__all__ = [
    'FORMATS', 'SCENE', 'Example', 'LaneData', 'Pair', 'Reader', 'open_data', 'open_reader',
    'pairs_of', 'resized',
]  # fmt: skip
