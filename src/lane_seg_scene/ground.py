"""Road surface and paint of one frame: picture and label from the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.camera import PinholeCamera
from lane_seg_scene.road import AHEAD_M, Marking, RoadLayout, RoadPiece
from lane_seg_scene.textures import (
    GRAIN_M,
    GROUND_COLUMN_M,
    GROUND_HALF_M,
    GROUND_PERIOD_M,
    GROUND_ROW_M,
    shrunk,
)

__all__ = [
    'WEAR_PERIOD_M',
    'GroundRows',
    'GroundTexture',
    'Paint',
    'ground_rows',
    'paint_pixels',
    'road_label',
]

WEAR_PERIOD_M = 512.0
"""Wear of paint repeats after this many metres; it keeps float32 precise."""

_Number = TypeVar('_Number', bound=np.generic)

# Up to which distance in metres a level of the ground texture serves, and the metres of its
# texels along and across the road: the farther, the more the texture is squeezed.
_LEVELS = (
    (7.0, GROUND_ROW_M, GROUND_COLUMN_M),
    (24.0, GROUND_ROW_M, GROUND_COLUMN_M),
    (60.0, 0.32, 0.12),
    (1e9, 1.28, 0.24),
)
_GRAIN_LEVELS = (6.0, 11.0, 18.0)


@dataclass(frozen=True, kw_only=True)
class GroundRows:
    """What the image rows that show ground see; all arrays have shape (R,), one value per row.

    Attributes:
        first: index of the first such row.
        width: image width in pixels.
        centre: column of the principal point.
        distance: metres along the ground.
        scale: metres per pixel to the side.
        s: arc length of the centre line at this distance.
        s_near, s_far: the same at the lower and upper border of the row.
        y: metres from the optical axis to the centre line, left positive.
        cos, sin: of the angle between road and optical axis.
    """

    first: int
    width: int
    centre: float
    distance: NDArray[np.float64]
    scale: NDArray[np.float64]
    s: NDArray[np.float64]
    s_near: NDArray[np.float64]
    s_far: NDArray[np.float64]
    y: NDArray[np.float64]
    cos: NDArray[np.float64]
    sin: NDArray[np.float64]

    def column(self, t: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Column (fractional) of the line `t` metres left of the centre line, in every row.

        Args:
            t: a number, or offsets of shape (M, 1).

        Returns:
            (R,) or (M, R) float64.
        """
        return self.centre - (self.y + t / self.cos) / self.scale


def ground_rows(camera: PinholeCamera, piece: RoadPiece) -> GroundRows:
    """Cut a piece of road into the rows of the camera image.

    The camera must look roughly along the road: whatever lies ahead is found by its distance.
    """
    border = camera.horizon + camera.focal * camera.z / (0.98 * AHEAD_M)
    first = min(max(int(np.ceil(border + 0.5)), 0), camera.height)
    edges = np.arange(first, camera.height + 1, dtype=np.float64) - 0.5
    far = camera.ground_distance(edges)
    rows = edges[:-1] + 0.5
    distance = camera.ground_distance(rows)

    cos, sin = np.cos(camera.yaw), np.sin(camera.yaw)
    x = (piece.x - camera.x) * cos + (piece.y - camera.y) * sin
    y = (piece.y - camera.y) * cos - (piece.x - camera.x) * sin
    s = np.interp(far, x, piece.s)
    angle = np.interp(distance, x, piece.heading) - camera.yaw
    return GroundRows(
        first=first,
        width=camera.width,
        centre=camera.width / 2,
        distance=distance,
        scale=camera.ground_scale(rows),
        s=np.interp(distance, x, piece.s),
        s_near=s[1:],
        s_far=s[:-1],
        y=np.interp(distance, x, y),
        cos=np.cos(angle),
        sin=np.sin(angle),
    )


class GroundTexture:
    """Texture of the ground at several distances, looked up in road coordinates.

    Args:
        texture: see `textures.ground_texture`.
        grain: see `textures.grain_tile`.
    """

    def __init__(self, texture: NDArray[np.uint8], grain: NDArray[np.uint8]) -> None:
        self._levels: list[NDArray[np.uint8]] = []
        for index, (limit, row_m, column_m) in enumerate(_LEVELS):
            if index and _LEVELS[index - 1][1:] == (row_m, column_m):
                self._levels.append(self._levels[-1])
                continue
            size = (round(2 * GROUND_HALF_M / column_m), round(GROUND_PERIOD_M / row_m))
            level = shrunk(texture, size)
            # Enough copies that a look-up starting in the first one never leaves the texture.
            copies = 2 + int(min(limit, AHEAD_M) // GROUND_PERIOD_M)
            # A fourth channel makes OpenCV's look-up more than twice as fast.
            whole = cv2.cvtColor(level, cv2.COLOR_BGR2BGRA).astype(np.uint8, copy=False)
            self._levels.append(np.tile(whole, (copies, 1, 1)))
        self._grain = [grain]
        for _ in _GRAIN_LEVELS[1:]:
            rows, columns = self._grain[-1].shape
            self._grain.append(shrunk(self._grain[-1], (columns // 2, rows // 2)))

    def draw(self, rows: GroundRows, image: NDArray[np.uint8]) -> None:
        """Fill the ground rows of `image` (H, W, 3) with colour."""
        start = 0.0
        for (limit, row_m, column_m), texture in zip(_LEVELS, self._levels, strict=True):
            part = _between(rows.distance, start, limit)
            start = limit
            if part.start == part.stop:
                continue
            base = np.floor(rows.s[part].min() / GROUND_PERIOD_M - 0.2) * GROUND_PERIOD_M
            target = image[rows.first + part.start : rows.first + part.stop]
            # Where a texel spans several pixels, half the resolution shows all there is.
            step = 2 if rows.scale[part].max() * 3 < column_m and len(target) > 1 else 1
            look_up = _road_coordinates(rows, part, step)
            along, across = look_up.maps(row_m, column_m, base, GROUND_HALF_M)
            found = cv2.remap(
                texture, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            found = cv2.cvtColor(found, cv2.COLOR_BGRA2BGR)
            if step == 1:
                target[:] = found
            else:
                cv2.resize(found, (rows.width, len(target)), dst=target)

    def draw_grain(self, rows: GroundRows, gain: NDArray[np.uint8]) -> None:
        """Fill `gain` (R, W) with the grain of the near ground; 128 is neutral."""
        start = 0.0
        for level, limit in enumerate(_GRAIN_LEVELS):
            part = _between(rows.distance, start, limit)
            start = limit
            if part.start == part.stop:
                continue
            grain_m = GRAIN_M * 2**level
            tile_m = grain_m * self._grain[level].shape[0]
            base = np.floor(rows.s[part].min() / tile_m) * tile_m
            target = gain[part]
            step = 2 if rows.scale[part].max() * 1.5 < grain_m and len(target) > 1 else 1
            look_up = _road_coordinates(rows, part, step)
            along, across = look_up.maps(grain_m, grain_m, base, 0.0)
            found = cv2.remap(
                self._grain[level], across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
            )
            if step == 1:
                target[:] = found
            else:
                cv2.resize(found, (rows.width, len(target)), dst=target)
        gain[: _between(rows.distance, 0.0, start).start] = 128


@dataclass(frozen=True)
class _RoadCoordinates:
    """Road coordinates of image rows: s = s_0 + s_1 * right, t = t_0 + t_1 * right.

    `right` (C,) counts columns from the principal point, the others have shape (R,).
    """

    right: NDArray[np.float32]
    s_0: NDArray[np.float64]
    s_1: NDArray[np.float64]
    t_0: NDArray[np.float64]
    t_1: NDArray[np.float64]

    def maps(
        self, row_m: float, column_m: float, s_zero: float, t_zero: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Texture row and column of every pixel, float32 (R, C); t runs against the columns."""
        along = np.multiply.outer((self.s_1 / row_m).astype(np.float32), self.right)
        along += ((self.s_0 - s_zero) / row_m - 0.5).astype(np.float32)[:, None]
        across = np.multiply.outer((-self.t_1 / column_m).astype(np.float32), self.right)
        across += ((t_zero - self.t_0) / column_m - 0.5).astype(np.float32)[:, None]
        return along, across


def _road_coordinates(rows: GroundRows, part: slice, step: int) -> _RoadCoordinates:
    """Coordinates of the rows `part`, of every pixel or of every second one (between two)."""
    middle = (step - 1) / 2
    right = np.arange(0, rows.width, step, dtype=np.float32) + np.float32(middle - rows.centre)
    index = np.arange(part.start, part.stop, step) + middle
    grid = np.arange(len(rows.s))
    s, y, cos, sin, scale = (
        np.interp(index, grid, values)
        for values in (rows.s, rows.y, rows.cos, rows.sin, rows.scale)
    )
    return _RoadCoordinates(right, s - y * sin, -scale * sin, -y * cos, -scale * cos)


def _between(distance: NDArray[np.float64], near: float, far: float) -> slice:
    """Rows with near <= distance < far; distances fall from row to row."""
    first, last = np.searchsorted(-distance, [-far, -near], side='right')
    return slice(int(first), int(last))


def road_label(rows: GroundRows, layout: RoadLayout, label: NDArray[np.uint8]) -> None:
    """Write 1 into `label` (H, W) wherever the carriageway covers the middle of a pixel."""
    columns = np.arange(rows.width, dtype=np.int32)
    left = np.ceil(np.clip(rows.column(layout.left), -1, rows.width)).astype(np.int32)
    right = np.ceil(np.clip(rows.column(layout.right), -1, rows.width)).astype(np.int32)
    inside = columns >= left[:, None]
    inside &= columns < right[:, None]
    label[rows.first :] = inside


@dataclass(frozen=True, kw_only=True)
class Paint:
    """Pixels touched by paint; all arrays have shape (N,).

    Attributes:
        row, column: int32 image coordinates.
        coverage: float32, share of the pixel's area that is painted, 0 to 1.
        yellow: bool.
        s, t: float32 road coordinates of the pixel; s modulo `WEAR_PERIOD_M`.
    """

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    coverage: NDArray[np.float32]
    yellow: NDArray[np.bool_]
    s: NDArray[np.float32]
    t: NDArray[np.float32]


def paint_pixels(rows: GroundRows, markings: tuple[Marking, ...]) -> Paint:
    """Find the pixels of all markings with the exact share of their area that is painted.

    In one row a marking is an interval of columns whose ends lean by the slope of its borders,
    so its coverage is a trapezoid; a dash end is a share of the row's length along the road.
    Thin distant lines thus fade out instead of flickering.
    """
    left_t = np.array([m.left for m in markings])[:, None]
    right_t = np.array([m.right for m in markings])[:, None]
    left, right = rows.column(left_t), rows.column(right_t)
    lean_left, lean_right = _lean(left), _lean(right)

    shift = (left_t + right_t) / 2 * (rows.sin / rows.cos)
    on = np.array([m.on for m in markings])[:, None]
    period = np.array([m.period for m in markings])[:, None]
    phase = np.array([m.phase for m in markings])[:, None]
    near = _painted(rows.s_near + shift - phase, on, period)
    far = _painted(rows.s_far + shift - phase, on, period)
    share = (far - near) / np.maximum(rows.s_far - rows.s_near, 1e-9)

    low = np.floor(left - lean_left / 2).clip(0, rows.width).astype(np.int32)
    high = (np.ceil(right + lean_right / 2) + 1).clip(0, rows.width).astype(np.int32)
    length = np.where((share > 0.02) & (high > low), high - low, 0).ravel()

    def spread(values: NDArray[_Number]) -> NDArray[_Number]:
        """One value per pixel from one per marking and row."""
        return np.repeat(np.broadcast_to(values, left.shape).ravel(), length)

    before = np.cumsum(length) - length
    column = np.arange(length.sum(), dtype=np.int32)
    column += np.repeat(low.ravel() - before.astype(np.int32), length)
    x = column.astype(np.float32)
    coverage = x * spread((1.0 / lean_left).astype(np.float32))
    coverage += spread((0.5 - left / lean_left).astype(np.float32))
    np.clip(coverage, 0.0, 1.0, out=coverage)
    beyond = x * spread((1.0 / lean_right).astype(np.float32))
    beyond += spread((0.5 - right / lean_right).astype(np.float32))
    coverage -= np.clip(beyond, 0.0, 1.0, out=beyond)
    coverage *= spread(share.astype(np.float32))

    slope = -rows.scale * rows.cos
    t = x * spread(slope.astype(np.float32))
    t += spread((-rows.y * rows.cos - slope * rows.centre).astype(np.float32))
    return Paint(
        row=spread(np.arange(rows.first, rows.first + len(rows.s), dtype=np.int32)),
        column=column,
        coverage=coverage,
        yellow=spread(np.array([m.yellow for m in markings], bool)[:, None]),
        s=spread(np.mod(rows.s, WEAR_PERIOD_M).astype(np.float32)),
        t=t,
    )


def _lean(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns that a border crosses within one row, at least 1; shape (M, R)."""
    if column.shape[1] < 2:
        return np.ones_like(column)
    return np.maximum(np.abs(np.gradient(column, axis=1)), 1.0)


def _painted(
    s: NDArray[np.float64], on: NDArray[np.float64], period: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Painted length between arc length 0 and `s` of a dashed line."""
    whole = np.floor(s / period)
    return whole * on + np.minimum(s - whole * period, on)
