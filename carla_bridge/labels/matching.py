"""Which painted pixels are lane lines, and of which border.

A pixel is of a border where it lies on its mark: across by no more than half the width of the
paint and some slack, which is given in metres and, as a pixel far away is wider than any slack,
in pixels as well. What is painted beside it decides further: a stop line that touches a border is
painted where a lane line has bare road.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.border_index import BorderIndex, Nearest
from carla_bridge.labels.frame_labels import LANE_MARKING, ROAD, UNLABELED, LabelOptions
from carla_bridge.labels.lane_map import LaneMap
from carla_bridge.labels.paint import Paint, View
from carla_bridge.labels.paint_shapes import inside_any, lane_like
from carla_bridge.labels.road_surface import SeenSurface

__all__ = ['BorderMatcher', 'Matches']

_LEAST_REACH_M = 0.5

_FOLLOW_SCALE_M = 0.06  # lines are followed where a pixel is not wider than this
_FOLLOW_PIXELS = 40
_OUTLIERS = 0.02

_BESIDE_M = (0.05, 0.15, 0.25)
"""A lane line has bare road at one of these distances; a stop line or a crosswalk has not."""

_BESIDE_PX = 2.5  # what is less wide than this cannot be told from the line

_SWEEP_M = 0.4
_SWEEP_MOST = 96
_SURE = 0.5
"""Of the slack in pixels: a border farther up or down the image may be another's paint."""


@dataclass(frozen=True, eq=False)
class Matches:
    """What P painted pixels are.

    Attributes:
        value: (P,) uint8, of `FrameLabels.label`.
        border: (P,) index of the border, -1 for none.
        offset_m: (number of borders,) metres by which each one's paint was found to the right of
            its mark, in direction of rising s.
    """

    value: NDArray[np.uint8]
    border: NDArray[np.intp]
    offset_m: NDArray[np.float64]


class BorderMatcher:
    """Compares the paint in images with the marks of one town.

    Args:
        lanes: of the town.
        options: how to compare.
    """

    def __init__(self, lanes: LaneMap, options: LabelOptions) -> None:
        self._options = options
        self._crosswalks = lanes.crosswalks
        self._half = np.array([border.half_m for border in lanes.borders], np.float64)
        reach = options.slack_m + max(options.follow_m, options.doubt_m)
        self._index = BorderIndex(lanes.borders, max(reach, _LEAST_REACH_M))

    def match(
        self, paint: Paint, painted: NDArray[np.bool_], view: View, seen: SeenSurface
    ) -> Matches:
        """Compare one image with the map.

        Args:
            paint: its painted pixels.
            painted: (H, W) where they are.
            view: of the camera.
            seen: the road surface in this view.
        """
        nearest = self._index.nearest(paint.points)
        offset = self._offsets(nearest, paint.depth[nearest.point] / view.camera.focal)
        value = np.where(paint.piece >= 0, ROAD, UNLABELED).astype(np.uint8)
        border = np.full(len(value), -1, np.intp)
        fits, doubtful = self._fits(nearest, offset, paint, painted, view)
        value[nearest.point[doubtful]] = UNLABELED
        value[nearest.point[fits]] = LANE_MARKING
        border[nearest.point[fits]] = nearest.border[fits]
        crossing = inside_any(
            paint.points, self._crosswalks, self._options.range_m, view.origin[:2]
        )
        value[crossing], border[crossing] = ROAD, -1
        rest = np.flatnonzero((border < 0) & (paint.piece >= 0) & ~crossing)
        swept, share = self._swept(paint, rest, view, seen)
        value[rest[swept >= 0]] = UNLABELED
        sure = share <= _SURE
        value[rest[sure]] = LANE_MARKING
        border[rest[sure]] = swept[sure]
        if self._options.lane_like:
            left = np.flatnonzero((value == ROAD) & ~crossing)
            like = lane_like(
                paint.rows[left], paint.columns[left], paint.points[left], painted.shape
            )
            value[left[like]] = UNLABELED
        return Matches(value, border, offset)

    def _offsets(self, nearest: Nearest, scale: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far to the right of its mark the paint of each border lies, metres.

        The middle 96 % of the painted pixels' distances from a mark must fit between its edges; if
        they do not, the line lies beside its mark, by just as much as they stick out.

        Args:
            nearest: of the painted pixels.
            scale: (M,) metres that a pixel is wide where each of them lies.
        """
        offsets = np.zeros(len(self._half))
        if not self._options.follow_m:
            return offsets
        usable = np.flatnonzero((scale < _FOLLOW_SCALE_M) & (nearest.beyond == 0.0))
        order = usable[np.lexsort((nearest.beside[usable], nearest.border[usable]))]
        border, beside = nearest.border[order], nearest.beside[order]
        starts = np.append(np.flatnonzero(np.diff(border, prepend=-1)), len(order))
        for first, last in pairwise(starts.tolist()):
            count = last - first
            if count < _FOLLOW_PIXELS:
                continue
            cut = int(count * _OUTLIERS)
            low, high = float(beside[first + cut]), float(beside[last - 1 - cut])
            half = float(self._half[border[first]])
            if high - low > 2 * half + self._options.slack_m:
                continue
            shift = max(0.0, high - half) + min(0.0, low + half)
            if abs(shift) <= self._options.follow_m:
                offsets[border[first]] = shift
        return offsets

    def _fits(
        self,
        nearest: Nearest,
        offset: NDArray[np.float64],
        paint: Paint,
        painted: NDArray[np.bool_],
        view: View,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which pixels are of their nearest border, and of which nobody can tell, (M,)."""
        beside = nearest.beside - offset[nearest.border]
        half = self._half[nearest.border]
        edge = np.maximum(np.abs(beside) - half, 0.0)
        right = np.stack([-nearest.along[:, 1], nearest.along[:, 0]], axis=1)
        back = -right * (np.sign(beside) * edge)[:, None]
        back -= nearest.along * nearest.beyond[:, None]
        away = np.hypot(edge, nearest.beyond)
        points = paint.points[nearest.point]
        fits = (away <= self._options.slack_m) | (
            view.pixels_between(points, back) <= self._options.slack_px
        )
        alone = view.pixels_between(points, right * _BESIDE_M[-1]) <= _BESIDE_PX
        alone |= ~self._goes_on(points, right, beside, half, painted, view)
        doubtful = (fits & ~alone) | (~fits & (away <= self._options.doubt_m))
        return fits & alone, doubtful

    def _goes_on(
        self,
        points: NDArray[np.float64],
        right: NDArray[np.float64],
        beside: NDArray[np.float64],
        half: NDArray[np.float64],
        painted: NDArray[np.bool_],
        view: View,
    ) -> NDArray[np.bool_]:
        """Tell whether the paint at points (M, 3) goes on beyond an edge of their border."""
        found = np.zeros(len(points), np.bool_)
        for sign in (-1.0, 1.0):
            whole = np.ones(len(points), np.bool_)
            for distance in _BESIDE_M:
                target = sign * (half + self._options.slack_m + distance)
                whole &= _at(painted, points, right * (target - beside)[:, None], view)
            found |= whole
        return found

    def _swept(
        self, paint: Paint, which: NDArray[np.intp], view: View, seen: SeenSurface
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Find a border on the ground that a pixel and the slack above and below it cover.

        Far away a pixel covers metres of road lengthwise, and more than the slack in metres.

        Args:
            paint: all painted pixels.
            which: (R,) indices of those to look at; the map has a road there.
            view: of the camera.
            seen: the road surface.

        Returns:
            (R,) index of the border, the one nearest in the image, or -1; and (R,) how far away
            it is, as a share of the slack, or inf.
        """
        options = self._options
        found = np.full(len(which), -1, np.intp)
        closest = np.full(len(which), np.inf)
        rays, depth, piece = paint.rays[which], paint.depth[which], paint.piece[which]
        for sign in (-1.0, 1.0):
            there = rays + sign * options.slack_px * view.row
            # Beyond the horizon of a piece there is no end: twice as far is far enough.
            end = np.clip(seen.depth(piece, there), depth / 2, depth * 2)
            way = there * end[:, None] - rays * depth[:, None]
            length = np.linalg.norm(way, axis=1)
            steps = np.clip(np.ceil(length / _SWEEP_M), 1, _SWEEP_MOST).astype(np.intp)
            steps[length <= options.slack_m] = 0
            pixel = np.repeat(np.arange(len(which)), steps)
            count = np.arange(1, len(pixel) + 1) - np.repeat(np.cumsum(steps) - steps, steps)
            share = count / steps[pixel]
            near = self._index.nearest(paint.points[which[pixel]] + way[pixel] * share[:, None])
            edge = np.abs(near.beside) - self._half[near.border]
            fits = (edge <= options.slack_m) & (np.abs(near.beyond) <= options.slack_m)
            fits &= share[near.point] < closest[pixel[near.point]]
            # Backwards, so that of several the first step stays.
            index = near.point[fits][::-1]
            found[pixel[index]] = near.border[fits][::-1]
            closest[pixel[index]] = share[index]
        return found, closest


def _at(
    painted: NDArray[np.bool_],
    points: NDArray[np.float64],
    step: NDArray[np.float64],
    view: View,
) -> NDArray[np.bool_]:
    """Tell whether the image has paint a step (M, 2), metres, from points (M, 3)."""
    moved = points.copy()
    moved[:, :2] += step
    uv, inside = view.pixels(moved)
    column, row = np.floor(np.clip(uv, -1e6, 1e6)).astype(np.intp).T
    height, width = painted.shape
    inside = inside & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    found = np.zeros(len(points), np.bool_)
    found[inside] = painted[row[inside], column[inside]]
    return found
