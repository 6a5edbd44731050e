"""Pinhole camera as CARLA's: projection, culling and clipping of polygons.

Image coordinates (u, v) are continuous: (0, 0) is the upper left corner of the image, so the pixel
in row r and column c covers u from c to c + 1, v from r to r + 1, and its centre is at
(c + 0.5, r + 0.5). The principal point is (width / 2, height / 2), as in the projection matrix
that CARLA's users build from the field of view.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Transform
from carla_bridge.pinhole import PinholeCamera

__all__ = ['FAR_M', 'NEAR_M', 'OVERSAMPLING', 'SHIFT', 'Ragged', 'View']

NEAR_M = 0.1
"""Depth in metres in front of which nothing is drawn."""

FAR_M = 1000.0
"""Depth in metres that the sky has, CARLA's far plane."""

OVERSAMPLING = 2
"""Samples per pixel and axis at which polygons are drawn; a pixel's first one is its centre."""

SHIFT = 4
"""Bits behind the binary point of the coordinates that `View.outlines` returns."""

_GUARD = 6.0  # polygons are cut at this many image half-widths: OpenCV walks along all rows


@dataclass(frozen=True, eq=False)
class Ragged:
    """Polygons of differing vertex counts in one array.

    Attributes:
        points: (V, 3) float64, the vertices of all polygons, one polygon after the other.
        starts: (N,) intp, index of each polygon's first vertex.
        counts: (N,) intp, its number of vertices, at least 3.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]

    @staticmethod
    def of(polygons: list[NDArray[np.float64]]) -> Ragged:
        """Join polygons of shape (n, 3) each."""
        counts = np.array([len(polygon) for polygon in polygons], np.intp)
        points = np.concatenate(polygons) if polygons else np.empty((0, 3))
        return Ragged(points.astype(np.float64), np.cumsum(counts) - counts, counts)

    def chosen(self, which: NDArray[np.intp]) -> Ragged:
        """Return some of the polygons, in the order of `which`."""
        counts = self.counts[which]
        starts = np.cumsum(counts) - counts
        index = np.arange(counts.sum()) + np.repeat(self.starts[which] - starts, counts)
        return Ragged(self.points[index], starts, counts)


class View:
    """A camera at its place in the world.

    Args:
        spec: size and field of view.
        transform: of the camera: it looks along its x axis, y points to the right.

    Attributes:
        origin: (3,) float64, place of the camera in the world, metres.
        rotation: (3, 3) float64, from world axes to camera axes: x right, y down, z depth.
    """

    def __init__(self, spec: PinholeCamera, transform: Transform) -> None:
        self.spec = spec
        matrix = transform.matrix()
        self.origin: NDArray[np.float64] = matrix[:3, 3]
        self.rotation: NDArray[np.float64] = np.stack(
            [matrix[:3, 1], -matrix[:3, 2], matrix[:3, 0]]
        )
        self._half = np.array([spec.width / 2, spec.height / 2])

    def to_camera(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn world points (..., 3) into camera coordinates (..., 3), metres."""
        turned: NDArray[np.float64] = (points - self.origin) @ self.rotation.T
        return turned

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project camera points (..., 3) of positive depth to (u, v) of shape (..., 2)."""
        uv: NDArray[np.float64] = points[..., :2] * (self.spec.focal / points[..., 2:])
        return uv + self._half

    def in_sight(
        self, centres: NDArray[np.float64], radii: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Tell which spheres reach into the picture.

        Args:
            centres: (N, 3) in camera coordinates.
            radii: (N,) metres.
        """
        x, y, z = centres.T
        seen: NDArray[np.bool_] = (z + radii > NEAR_M) & (z - radii < 2 * FAR_M)
        for across, half in ((x, self._half[0]), (y, self._half[1])):
            angle = math.atan2(half, self.spec.focal)
            seen &= np.abs(across) * math.cos(angle) - z * math.sin(angle) < radii
        return seen

    def inverse_depth(
        self, normals: NDArray[np.float64], points: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Describe planes by what a pixel needs to know its depth.

        Args:
            normals: (N, 3) world directions.
            points: (N, 3) a world point of each plane.

        Returns:
            (N, 3) float32 coefficients (a, b, c) with
            `1 / depth = a * (u - width / 2) / f + b * (v - height / 2) / f + c`, in 1 / metres.
        """
        turned = normals @ self.rotation.T
        offset = np.einsum('ij,ij->i', normals, points - self.origin)
        offset = np.where(np.abs(offset) < 1e-6, 1e-6, offset)
        return np.asarray(turned / offset[:, None], np.float32)

    def outlines(self, polygons: Ragged) -> list[NDArray[np.int32] | None]:
        """Clip and project polygons to what OpenCV draws.

        Args:
            polygons: in camera coordinates.

        Returns:
            One entry each: (n, 2) int32 fixed-point sample coordinates (see `fixed`), or None
            where nothing is left after clipping.
        """
        if not len(polygons.counts):
            return []
        points, starts = polygons.points, polygons.starts
        limit = self._half * (_GUARD / self.spec.focal)
        inside = (points[:, 2] >= NEAR_M) & (np.abs(points[:, :2]) <= limit * points[:, 2:]).all(
            axis=1
        )
        whole = np.logical_and.reduceat(inside, starts)
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            fixed = self.fixed(points)
        result: list[NDArray[np.int32] | None] = []
        for start, count, easy in zip(
            starts.tolist(), polygons.counts.tolist(), whole.tolist(), strict=True
        ):
            if easy:
                result.append(fixed[start : start + count])
                continue
            cut = self._clipped(points[start : start + count])
            result.append(self.fixed(cut) if len(cut) else None)
        return result

    def fixed(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Project camera points (N, 3) to sample coordinates (N, 2) times 2 ** SHIFT.

        Sample (0, 0) lies in the centre of pixel (0, 0), sample (OVERSAMPLING, 0) in the centre
        of the next one; OpenCV's integer coordinates are centres.
        """
        samples = (self.project(points) - 0.5) * (OVERSAMPLING << SHIFT)
        return np.rint(np.nan_to_num(samples, posinf=0.0, neginf=0.0)).astype(np.int32)

    def _clipped(self, polygon: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cut a polygon (N, 3) at the near plane and the guard band (Sutherland-Hodgman)."""
        right, down = (self._half * (_GUARD / self.spec.focal)).tolist()
        corners: list[tuple[float, float, float]] = [tuple(row) for row in polygon.tolist()]
        # Plain numbers: arrays of a handful of corners would take ten times as long.
        for a, b, c, d in (
            (0.0, 0.0, 1.0, -NEAR_M),
            (1.0, 0.0, right, 0.0),
            (-1.0, 0.0, right, 0.0),
            (0.0, 1.0, down, 0.0),
            (0.0, -1.0, down, 0.0),
        ):
            sides = [a * x + b * y + c * z + d for x, y, z in corners]
            if min(sides) >= 0:
                continue
            kept = []
            before, side_before = corners[-1], sides[-1]
            for here, side in zip(corners, sides, strict=True):
                if (side >= 0) != (side_before >= 0):
                    t = side_before / (side_before - side)
                    x, y, z = (p + (q - p) * t for p, q in zip(before, here, strict=True))
                    kept.append((x, y, z))
                if side >= 0:
                    kept.append(here)
                before, side_before = here, side
            if len(kept) < 3:
                return np.empty((0, 3))
            corners = kept
        return np.array(corners)
