"""Shapes of boxes: the faces that a building, a car or a pole is drawn with.

A shape is a list of flat faces in coordinates that run from -1 to 1 over the box, so that one
shape serves boxes of every size. Faces lie on convex parts; what is painted on a face (a window,
a lamp) follows it and has a higher rank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ['SHAPES', 'Shape', 'crown_outline', 'shape_name']


@dataclass(frozen=True, eq=False)
class Shape:
    """Faces of one shape; x points ahead, y right, z up, each from -1 to 1.

    Attributes:
        faces: corners of each face, (n, 3) float64.
        normals: (F, 3) float64 outward normals, not of unit length.
        shade: (F, 3) float32 factors on the box's colour, in B, G, R.
        fixed: (F, 3) float32 colour added to it, BGR 0 to 255: a shade of 0 with a fixed colour
            makes glass or rubber.
        emission: (F,) float32, see `Items`.
        rank: (F,) int: drawn in rising order; a face of an even rank belongs to a part, one of an
            odd rank is painted on it. The part of rank 4, a cabin, stands on the others: seen
            from below its foot it is drawn first.
    """

    faces: list[NDArray[np.float64]]
    normals: NDArray[np.float64]
    shade: NDArray[np.float32]
    fixed: NDArray[np.float32]
    emission: NDArray[np.float32]
    rank: NDArray[np.intp]


class _Builder:
    """Collects faces; the outward side of a face is away from its part's middle."""

    def __init__(self) -> None:
        self._faces: list[NDArray[np.float64]] = []
        self._rows: list[tuple[NDArray[np.float64], float, tuple[float, ...], float, int]] = []

    def face(
        self,
        corners: NDArray[np.float64] | list[tuple[float, float, float]],
        middle: tuple[float, float, float],
        rank: int,
        *,
        shade: float = 1.0,
        fixed: tuple[float, float, float] = (0.0, 0.0, 0.0),
        emission: float = 0.0,
    ) -> NDArray[np.float64]:
        points = np.asarray(corners, np.float64)
        normal = np.cross(points[1] - points[0], points[2] - points[0])
        if normal @ (points.mean(axis=0) - np.array(middle)) < 0:
            normal = -normal
        self._faces.append(points)
        self._rows.append((normal, shade, fixed, emission, rank))
        return points

    def frustum(
        self,
        bottom: tuple[float, float, float],
        top: tuple[float, float, float],
        low: float,
        high: float,
        rank: int,
        shade: float = 1.0,
    ) -> list[NDArray[np.float64]]:
        """Add a part between two rectangles (back, front, half width); return its faces.

        The faces are rear, front, left, right, top.
        """
        (b0, b1, bw), (t0, t1, tw) = bottom, top
        at = [(b0, -bw, low), (b0, bw, low), (b1, bw, low), (b1, -bw, low)]
        up = [(t0, -tw, high), (t0, tw, high), (t1, tw, high), (t1, -tw, high)]
        middle = ((b0 + b1) / 2, 0.0, (low + high) / 2)
        quads = [
            [at[0], at[1], up[1], up[0]],
            [at[2], at[3], up[3], up[2]],
            [at[3], at[0], up[0], up[3]],
            [at[1], at[2], up[2], up[1]],
            up,
        ]
        return [self.face(quad, middle, rank, shade=shade) for quad in quads]

    def inset(
        self,
        face: NDArray[np.float64],
        across: tuple[float, float],
        upward: tuple[float, float],
        rank: int,
        fixed: tuple[float, float, float],
        emission: float = 0.0,
    ) -> None:
        """Paint a part of a four-cornered face: shares of its width and height from corner 0."""
        a, b, c, d = face
        corners = [
            (a + (b - a) * u) * (1 - v) + (d + (c - d) * u) * v
            for u, v in (
                (across[0], upward[0]),
                (across[1], upward[0]),
                (across[1], upward[1]),
                (across[0], upward[1]),
            )
        ]
        # Outward as the face below: its middle lies behind both.
        middle = face.mean(axis=0) * 0.5
        self.face(np.array(corners), tuple(middle), rank, shade=0, fixed=fixed, emission=emission)

    def built(self) -> Shape:
        normals, shade, fixed, emission, rank = zip(*self._rows, strict=True)
        return Shape(
            faces=self._faces,
            normals=np.array(normals),
            shade=np.repeat(np.array(shade, np.float32)[:, None], 3, axis=1),
            fixed=np.array(fixed, np.float32),
            emission=np.array(emission, np.float32),
            rank=np.array(rank, np.intp),
        )


_GLASS = (58.0, 50.0, 44.0)
_RUBBER = (26.0, 25.0, 24.0)
_TAIL = (40.0, 34.0, 200.0)
_HEAD = (225.0, 240.0, 245.0)


def _block() -> Shape:
    build = _Builder()
    build.frustum((-1, 1, 1), (-1, 1, 1), -1, 1, 0)
    return build.built()


def _car(cabin: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Shape:
    """A car; `cabin` is (back, front, half width) at its foot and at the roof."""
    build = _Builder()
    build.frustum((-0.94, 0.94, 0.88), (-0.94, 0.94, 0.88), -0.98, -0.62, 0, shade=0.12)
    body = build.frustum((-1, 1, 1), (-1, 0.98, 0.96), -0.62, 0.08, 2)
    for axle in (-0.62, 0.64):
        for side in (-1, 1):
            ring = np.linspace(0, 2 * math.pi, 12, endpoint=False)
            for size, colour in ((1.0, _RUBBER), (0.55, (120.0, 118.0, 116.0))):
                wheel = np.stack(
                    [
                        axle + 0.145 * size * np.cos(ring),
                        np.full(12, side * 0.995),
                        -0.57 + 0.43 * size * np.sin(ring),
                    ],
                    axis=1,
                )
                build.face(wheel, (axle, 0.0, -0.57), 3, shade=0, fixed=colour)
    rear, front = body[0], body[1]
    for across in ((0.03, 0.24), (0.76, 0.97)):
        build.inset(rear, across, (0.55, 0.88), 3, _TAIL, 1.0)
        build.inset(front, across, (0.5, 0.82), 3, _HEAD, 1.0)
    build.inset(rear, (0.38, 0.62), (0.3, 0.52), 3, (200.0, 205.0, 205.0))
    build.inset(rear, (0.0, 1.0), (0.0, 0.22), 3, (40.0, 40.0, 40.0))
    build.inset(front, (0.28, 0.72), (0.3, 0.62), 3, (34.0, 34.0, 34.0))
    foot, roof = cabin
    glass = build.frustum(foot, roof, 0.08, 1.0, 4)
    for index, pane in enumerate(glass[:4]):
        parts = ((0.06, 0.94),) if index < 2 else ((0.07, 0.46), (0.5, 0.93))
        for part in parts:
            build.inset(pane, part, (0.1, 0.86), 5, _GLASS)
    return build.built()


def _rail() -> Shape:
    """A guard rail: a beam with a groove, on two posts."""
    build = _Builder()
    for post in (-0.5, 0.5):
        ends = (post - 0.02, post + 0.02, 0.6)
        build.frustum(ends, ends, -1, 0.2, 0, shade=0.7)
    for face in build.frustum((-1, 1, 1), (-1, 1, 1), 0.05, 1, 2)[2:4]:
        build.inset(face, (0, 1), (0.4, 0.62), 3, (84.0, 84.0, 82.0))
    return build.built()


def _signal() -> Shape:
    """A traffic light: a dark housing with three lamps ahead."""
    build = _Builder()
    faces = build.frustum((-1, 1, 1), (-1, 1, 1), -1, 1, 0, shade=0.35)
    for low, colour in ((0.68, (40, 40, 225)), (0.37, (20, 60, 70)), (0.06, (30, 70, 30))):
        build.inset(faces[1], (0.2, 0.8), (low, low + 0.26), 1, colour, 1.0 if low > 0.6 else 0)
    return build.built()


SHAPES: Final = {
    'block': _block(),
    'car': _car(((-0.9, 0.45, 0.9), (-0.62, 0.12, 0.74))),
    'van': _car(((-1.0, 0.78, 0.96), (-0.98, 0.55, 0.88))),
    'rail': _rail(),
    'signal': _signal(),
}
"""All shapes by name; crowns of trees have none, see `crown_outline`."""


def shape_name(kind: str, extent: tuple[float, float, float]) -> str:
    """Return the name of the shape of a box of some kind and half sizes in metres."""
    if kind == 'vehicle':
        return 'van' if extent[2] > 0.95 or extent[0] > 2.75 else 'car'
    return {'traffic_light': 'signal', 'guard_rail': 'rail'}.get(kind, 'block')


def crown_outline(count: int, phase: float) -> NDArray[np.float64]:
    """Return the outline of a tree's crown around (0, 0), (count, 2), about 1 in radius."""
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    waves = 0.5 * np.sin(angle * 2 + phase) + np.sin(angle * 5 + 2.3 * phase)
    waves += 0.8 * np.sin(angle * 9 + 4.1 * phase)
    radius = 0.98 + 0.05 * waves
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
