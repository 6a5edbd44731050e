"""The painted pixels of an image, put back onto the road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carla_bridge.labels.road_surface import SeenSurface, pixel_rays
from carla_bridge.pinhole import PinholeCamera

__all__ = ['Paint', 'View', 'paint_of']

_SAME_DEPTH = 0.1
_NOWHERE_M = 1e9
_NEAR_M = 0.01


@dataclass(frozen=True, eq=False)
class View:
    """A camera at its place.

    Attributes:
        camera: size and field of view.
        pose: (4, 4), world from sensor.
    """

    camera: PinholeCamera
    pose: NDArray[np.float64]

    @property
    def origin(self) -> NDArray[np.float64]:
        """Place of the camera in the world, (3,) metres."""
        return self.pose[:3, 3]

    @property
    def row(self) -> NDArray[np.float64]:
        """Way in the world, (3,), from one row of the image to the next one at depth 1 m."""
        return -self.pose[:3, 2] / self.camera.focal

    def pixels(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Project world points (N, 3); returns (N, 2) u and v, and (N,) which are in front."""
        optical = self.camera.to_optical(points, self.pose)
        ahead = optical[:, 2] > _NEAR_M
        optical[~ahead] = (0.0, 0.0, 1.0)
        return self.camera.project(optical), ahead

    def pixels_between(
        self, points: NDArray[np.float64], step: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return how many pixels a step (M, 2) in the plane, metres, from points (M, 3) is."""
        moved = points.copy()
        moved[:, :2] += step
        uv, ahead = self.pixels(np.concatenate([points, moved]))
        here, there = np.split(uv, 2)
        both = np.logical_and(*np.split(ahead, 2))
        return np.where(both, np.hypot(*(here - there).T), np.inf)


@dataclass(frozen=True, eq=False)
class Paint:
    """The P pixels with paint.

    Attributes:
        rows: (P,) in the image.
        columns: (P,) in the image.
        rays: (P, 3) world, from the camera to depth 1 m.
        depth: (P,) metres, inf where it is not known.
        points: (P, 3) what the pixels show, world, metres.
        piece: (P,) index of the piece of the road's surface, -1 where the map has no road.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    rays: NDArray[np.float64]
    depth: NDArray[np.float64]
    points: NDArray[np.float64]
    piece: NDArray[np.intp]


def paint_of(
    painted: NDArray[np.bool_],
    view: View,
    seen: SeenSurface,
    depth_m: NDArray[np.float32] | None,
) -> Paint:
    """Put the painted pixels back onto the road.

    Args:
        painted: (H, W) where they are.
        view: of the camera.
        seen: the road surface in this view.
        depth_m: (H, W) metres, or None: then they lie on that surface.
    """
    rows, columns = np.nonzero(painted)
    rays = pixel_rays(view.camera, view.pose, rows, columns)
    piece = seen.piece[rows, columns].astype(np.intp) - 1
    on_map = np.full(len(rows), np.inf)
    on_map[piece >= 0] = seen.depth(piece[piece >= 0], rays[piece >= 0])
    piece[np.isinf(on_map)] = -1
    depth = on_map
    if depth_m is not None:
        depth = depth_m[rows, columns].astype(np.float64)
        # Paint on another storey: the map's road lies behind it.
        with np.errstate(invalid='ignore'):
            piece[np.abs(depth - on_map) > 1.0 + _SAME_DEPTH * depth] = -1
    points = view.origin + rays * np.where(np.isfinite(depth), depth, _NOWHERE_M)[:, None]
    return Paint(rows, columns, rays, depth, points, piece)
