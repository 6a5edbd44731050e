"""A straight road with known paint, and a projector of its own to check the renderer with."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box, Surface, Town, Transform
from carla_bridge.pinhole import PinholeCamera

Height = Callable[[float, float], float]

MARKS = ((-3.5, 0.15, 'white'), (0.0, 0.12, 'yellow'), (3.5, 0.3, 'white'))
"""Distance to the right of x = y = 0 in metres, width in metres, colour; all solid."""


def level(x: float, y: float) -> float:
    """Height of a plain."""
    return 0.0


def hill(x: float, y: float) -> float:
    """Height of a road that climbs to a crest at x = 50 m and falls behind it."""
    return 5.0 * math.exp(-(((x - 50.0) / 18.0) ** 2))


def strip(
    y: float, width: float, start: float, end: float, height: Height, lift: float = 0.0
) -> NDArray[np.float32]:
    """Return a piece of a lane along x, (4, 3)."""
    left, right = y - width / 2, y + width / 2
    corners = [(start, left), (start, right), (end, right), (end, left)]
    return np.array([(x, y, height(x, y) + lift) for x, y in corners][::-1], np.float32)


def straight_town(height: Height = level, boxes: tuple[Box, ...] = (), wear: float = 0.0) -> Town:
    """Return a town with one road along x from -12 to 180 m, 10 m wide, in pieces of 6 m."""
    surfaces = []
    for start in range(-12, 180, 6):
        surfaces += [
            Surface('terrain', strip(side, 60.0, start, start + 6, height), instance=9)
            for side in (-35.0, 35.0)
        ]
        surfaces.append(Surface('road', strip(0.0, 10.0, start, start + 6, height), instance=1))
        for number, (y, width, colour) in enumerate(MARKS, 2):
            piece = strip(y, width, start, start + 6, height)
            surfaces.append(Surface('lane_mark', piece, colour, number, wear))
    return Town('Town_test', '', tuple(surfaces), boxes, (), (Transform(z=0.5),), height)


def vehicle(x: float, y: float, yaw: float = 0.0, z: float = 0.0) -> Box:
    """Return a red car that stands on height `z`."""
    place = Transform(x, y, z + 0.75, yaw=yaw)
    return Box('vehicle', place, (2.3, 0.95, 0.75), (40, 40, 200), 77)


def local_to(points: NDArray[np.floating], transform: Transform) -> NDArray[np.float64]:
    """Turn world points (N, 3) into metres ahead of, right of and above a camera."""
    matrix = transform.matrix()
    turned: NDArray[np.float64] = np.asarray(points, np.float64) - matrix[:3, 3]
    return turned @ matrix[:3, :3]


def projected(
    points: NDArray[np.floating], camera: PinholeCamera, transform: Transform
) -> NDArray[np.float64]:
    """Project a polygon (N, 3) to (u, v), (M, 2), written out from the axes of the camera.

    What is less than 0.2 m ahead is cut off first; M is 0 when that is everything.
    """
    local = local_to(points, transform)
    kept = []
    for here, after in zip(local, np.roll(local, -1, axis=0), strict=True):
        if here[0] >= 0.2:
            kept.append(here)
        if (here[0] >= 0.2) != (after[0] >= 0.2):
            kept.append(here + (after - here) * (0.2 - here[0]) / (after[0] - here[0]))
    ahead, right, up = np.array(kept).reshape(-1, 3).T
    focal = focal_length(camera)
    return np.stack(
        [camera.width / 2 + focal * right / ahead, camera.height / 2 - focal * up / ahead], axis=1
    )


def focal_length(camera: PinholeCamera) -> float:
    """Return the focal length in pixels."""
    return camera.width / (2 * math.tan(math.radians(camera.fov_deg) / 2))


def pixel_rays(camera: PinholeCamera, transform: Transform) -> NDArray[np.float64]:
    """Return world directions (H * W, 3) of depth 1 through the centres of all pixels."""
    row, column = np.indices((camera.height, camera.width)).reshape(2, -1) + 0.5
    focal = focal_length(camera)
    right, up = (column - camera.width / 2) / focal, (camera.height / 2 - row) / focal
    rays = np.stack([np.ones_like(right), right, up], axis=1)
    turned: NDArray[np.float64] = rays @ transform.matrix()[:3, :3].T
    return turned


def signed_distance(
    polygon: NDArray[np.float64], pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far pixels (P, 2) lie inside a polygon (n, 2), in pixels; -inf far outside."""
    result = np.full(len(pixels), -np.inf)
    if not len(polygon):
        return result
    low, high = polygon.min(axis=0) - 3, polygon.max(axis=0) + 3
    near = np.flatnonzero(((pixels > low) & (pixels < high)).all(axis=1))
    point, a, b = pixels[near, None], polygon[None], np.roll(polygon, -1, axis=0)[None]
    edge = b - a
    share = ((point - a) * edge).sum(axis=2) / (edge**2).sum(axis=2).clip(1e-12)
    gap = np.linalg.norm(point - a - share.clip(0, 1)[..., None] * edge, axis=2).min(axis=1)
    crosses = (a[..., 1] > point[..., 1]) != (b[..., 1] > point[..., 1])
    with np.errstate(divide='ignore', invalid='ignore'):
        where = a[..., 0] + (point[..., 1] - a[..., 1]) / edge[..., 1] * edge[..., 0]
    inside = (crosses & (point[..., 0] < where)).sum(axis=1) % 2 == 1
    result[near] = np.where(inside, gap, -gap)
    return result
