"""What a prediction is worth: confusion counts, outlines, lane lines, flicker."""

from lane_seg_train.metrics.boundary import TOLERANCES_PX, BoundaryScore, boundary_score, region_of
from lane_seg_train.metrics.confusion import SetConfusion
from lane_seg_train.metrics.flips import FlipRate
from lane_seg_train.metrics.lane_lines import lines_from_mask
from lane_seg_train.metrics.lane_scores import LaneScore
from lane_seg_train.metrics.outcomes import Outcomes

__all__ = [
    'TOLERANCES_PX', 'BoundaryScore', 'FlipRate', 'LaneScore', 'Outcomes', 'SetConfusion',
    'boundary_score', 'lines_from_mask', 'region_of',
]  # fmt: skip
