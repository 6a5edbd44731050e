"""Which lane each pixel shows, and how deep it lies, by the map alone.

Lanes are cut into planar pieces, which are drawn from far to near: a crest hides what is behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.lane_map import Lane, LaneKey
from carla_bridge.pinhole import PinholeCamera

__all__ = ['RoadSurface', 'SeenSurface', 'pixel_rays']

NEAR_M: Final = 0.1
_GUARD = 8.0  # polygons are cut at this many image half-widths: OpenCV's numbers are small
_SHIFT = 4
_MOST = 65534
_PIECE_M = 5.0
_BEND_COSINE = float(np.cos(np.radians(2.5)))
_SKIRT_M = 1.0
"""Paint on the edge of the outermost lane reaches over it."""


def pixel_rays(
    camera: PinholeCamera,
    world_from_sensor: NDArray[np.float64],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the ways (P, 3) in the world from the camera to what pixels show at depth 1 m."""
    y = (columns + 0.5 - camera.width / 2) / camera.focal
    z = (camera.height / 2 - rows - 0.5) / camera.focal
    sensor = np.stack([np.ones(len(rows)), y, z], axis=1)
    rays: NDArray[np.float64] = sensor @ world_from_sensor[:3, :3].T
    return rays


@dataclass(frozen=True, eq=False)
class SeenSurface:
    """The road surface in one image.

    Attributes:
        piece: (H, W) uint16, 0 where the map has no road, else 1 + index into what follows.
        lane: (N,) index of the lane of each piece; -1 for the skirt beside the road.
        normal: (N, 3) world, of its plane.
        offset: (N,) distance of its plane from the camera, along the normal, metres.
    """

    piece: NDArray[np.uint16]
    lane: NDArray[np.intp]
    normal: NDArray[np.float64]
    offset: NDArray[np.float64]

    def depth(self, pieces: NDArray[np.intp], rays: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the depth in metres at which rays (P, 3) meet the planes of pieces (P,) >= 0.

        It is inf for a ray that does not: rounding lets the outline of a piece that is seen at a
        grazing angle reach beyond its horizon.
        """
        falling = np.einsum('ij,ij->i', rays, self.normal[pieces])
        with np.errstate(divide='ignore', invalid='ignore'):
            found = self.offset[pieces] / falling
        return np.where(found > 0, found, np.inf)


class RoadSurface:
    """The road surface of a town.

    Args:
        lanes: of the town.
    """

    def __init__(self, lanes: Iterable[Lane]) -> None:
        corners: list[NDArray[np.float64]] = []
        owner: list[int] = []
        keys: list[LaneKey] = []
        for lane in lanes:
            chosen = _cuts(lane)
            inner, outer = lane.inner[chosen], lane.outer[chosen]
            strips = [(inner, outer, len(keys))]
            if lane.outermost:
                across = outer - inner
                width = np.maximum(np.linalg.norm(across, axis=1), 1e-6)[:, None]
                strips.append((outer, outer + across / width * _SKIRT_M, -1))
            keys.append(lane.key)
            for near, far, index in strips:
                quads = np.stack([near[:-1], near[1:], far[1:], far[:-1]], axis=1)
                corners.append(quads)
                owner += [index] * len(quads)
        self.keys: tuple[LaneKey, ...] = tuple(keys)
        self._corners = np.concatenate([np.empty((0, 4, 3)), *corners])
        self._owner = np.array(owner, np.intp)
        self._centre = self._corners.mean(axis=1)
        spread = np.linalg.norm(self._corners - self._centre[:, None], axis=2)
        self._radius = spread.max(axis=1, initial=0.0)
        diagonals = self._corners[:, 2:] - self._corners[:, :2]
        self._normal = np.cross(diagonals[:, 0], diagonals[:, 1])

    def seen(
        self,
        camera: PinholeCamera,
        world_from_sensor: NDArray[np.float64],
        *,
        range_m: float,
        nearer: NDArray[np.float64] | None = None,
    ) -> SeenSurface:
        """Draw what a camera would see if the road were all there is.

        Args:
            camera: size and field of view.
            world_from_sensor: (4, 4).
            range_m: how far away pieces are drawn, metres.
            nearer: (number of lanes,) metres by which the pieces of a lane are taken for nearer:
                of lanes that lie on each other in a junction that one stays on top.
        """
        origin = world_from_sensor[:3, 3]
        away = np.linalg.norm(self._centre - origin, axis=1)
        close = np.flatnonzero(away < range_m + self._radius)
        optical = camera.to_optical(self._centre[close], world_from_sensor)
        close = close[_in_sight(camera, optical, self._radius[close])]
        rank = away[close]
        owner = self._owner[close]
        if nearer is not None and len(nearer):
            rank = rank - np.where(owner >= 0, nearer[owner], 0.0)
        # Skirts first: they must not cover a neighbouring lane.
        order = np.lexsort((-rank, owner >= 0))[-_MOST:]
        close = close[order]
        corners = camera.to_optical(self._corners[close], world_from_sensor)
        piece = np.zeros((camera.height, camera.width), np.uint16)
        _draw(camera, corners, piece)
        normal = self._normal[close]
        offset = np.einsum('ij,ij->i', normal, self._centre[close] - origin)
        return SeenSurface(piece, self._owner[close], normal, offset)


def _cuts(lane: Lane) -> NDArray[np.intp]:
    """Return the samples at which a lane is cut into nearly flat pieces."""
    middle = (lane.inner + lane.outer) / 2
    ways = np.diff(middle, axis=0)
    ways /= np.maximum(np.linalg.norm(ways, axis=1), 1e-9)[:, None]
    kept, begin = [0], 0
    for index, following in enumerate(ways[1:], 1):
        long = lane.s[index + 1] - lane.s[begin] > _PIECE_M
        if long or ways[begin] @ following < _BEND_COSINE:
            kept.append(index)
            begin = index
    return np.array([*kept, len(lane.s) - 1], np.intp)


def _in_sight(
    camera: PinholeCamera, centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which spheres (N, 3) of the optical frame, radii (N,), reach into the picture."""
    x, y, z = centres.T
    seen = z + radii > NEAR_M
    for across, half in ((x, camera.width / 2), (y, camera.height / 2)):
        slant = np.hypot(half, camera.focal)
        seen &= np.abs(across) * (camera.focal / slant) - z * (half / slant) < radii
    return np.asarray(seen)


def _draw(camera: PinholeCamera, corners: NDArray[np.float64], piece: NDArray[np.uint16]) -> None:
    """Draw quadrilaterals (N, 4, 3) of the optical frame in order, numbered from 1."""
    limit = np.array([camera.width, camera.height]) * (_GUARD / 2 / camera.focal)
    inside = corners[..., 2] >= NEAR_M
    inside &= (np.abs(corners[..., :2]) <= limit * corners[..., 2:]).all(axis=2)
    whole = np.asarray(inside.all(axis=1))
    fixed = np.zeros((len(corners), 4, 2), np.int32)
    fixed[whole] = _fixed(camera, corners[whole])
    for number, easy in enumerate(whole, 1):
        outline = fixed[number - 1]
        if not easy:
            cut = _clipped(corners[number - 1], limit)
            if len(cut) < 3:
                continue
            outline = _fixed(camera, cut)
        cv2.fillConvexPoly(piece, outline, number, cv2.LINE_8, _SHIFT)


def _fixed(camera: PinholeCamera, points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Project to OpenCV's fixed-point numbers, whose whole ones are centres of pixels."""
    return np.rint((camera.project(points) - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _clipped(polygon: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut a polygon at the near plane and far outside the picture (Sutherland, Hodgman 1974)."""
    right, down = limit.tolist()
    corners = polygon.tolist()
    for a, b, c, d in (
        (0.0, 0.0, 1.0, -NEAR_M),
        (1.0, 0.0, right, 0.0),
        (-1.0, 0.0, right, 0.0),
        (0.0, 1.0, down, 0.0),
        (0.0, -1.0, down, 0.0),
    ):
        sides = [a * x + b * y + c * z + d for x, y, z in corners]
        kept = []
        for i, (here, side) in enumerate(zip(corners, sides, strict=True)):
            before, side_before = corners[i - 1], sides[i - 1]
            if (side >= 0) != (side_before >= 0):
                t = side_before / (side_before - side)
                kept.append([p + (q - p) * t for p, q in zip(before, here, strict=True)])
            if side >= 0:
                kept.append(here)
        corners = kept
        if len(corners) < 3:
            break
    return np.array(corners).reshape(-1, 3)
