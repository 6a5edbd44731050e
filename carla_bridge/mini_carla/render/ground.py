"""The ground of a town: which surfaces a camera sees, in which order, with which colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Surface
from carla_bridge.mini_carla.render.camera import FAR_M, Ragged, View
from carla_bridge.mini_carla.render.items import ItemBuffer, Items
from carla_bridge.mini_carla.render.labels import kind_number
from carla_bridge.mini_carla.render.layers import DrawingOrder
from carla_bridge.mini_carla.render.polygons import are_convex, flat_pieces, normals, widths

__all__ = ['GONE', 'Ground']

GONE = 0.97
"""Paint that is worn further is neither drawn nor labelled."""

_LAYERS: Final = {'terrain': 0, 'road': 1, 'shoulder': 1, 'sidewalk': 1, 'kerb': 1}
_PAINT_LAYER = 2

# BGR in white light.
_COLOURS: Final = {
    'terrain': (58, 104, 88),
    'road': (92, 90, 88),
    'shoulder': (112, 116, 118),
    'sidewalk': (150, 154, 158),
    'kerb': (172, 176, 178),
}
_PAINTS: Final = {'white': (228, 232, 234), 'yellow': (62, 178, 222)}

_LEVEL_M = 0.5  # kerbs are steps as well, but hide nothing worth a test
_STEEP = 0.1  # faces of kerbs are seen from both sides
_THIN = 0.2  # paint narrower than this share of a pixel is left out


class Ground:
    """All surfaces of a town, ready to be drawn.

    Args:
        surfaces: of the town.

    Attributes:
        level: whether the ground has no hills that could hide something.
    """

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        surfaces = [surface for surface in surfaces if surface.wear < GONE]
        groups = flat_pieces([surface.vertices for surface in surfaces])
        # In the order of the surfaces again: equal distances are drawn in this order.
        owner = _joined([index for index, _ in groups], ()).astype(np.intp)
        back = np.argsort(owner, kind='stable')
        counts = _joined([np.full(len(g), g.shape[1]) for _, g in groups], ()).astype(np.intp)
        points = _joined([corners.reshape(-1, 3) for _, corners in groups], (3,))
        self._polygons = Ragged(points, np.cumsum(counts) - counts, counts).chosen(back)
        low = _joined([corners.min(axis=1) for _, corners in groups], (3,))[back]
        high = _joined([corners.max(axis=1) for _, corners in groups], (3,))[back]
        self._centre = (low + high) / 2
        self._corner = self._polygons.points[self._polygons.starts]
        self._radius = np.linalg.norm(high - low, axis=1) / 2
        self._normal = _joined([normals(corners) for _, corners in groups], (3,))[back]
        self._width = _joined([widths(corners) for _, corners in groups], ())[back]
        self._convex = _joined([are_convex(corners) for _, corners in groups], ())[back] > 0
        pieces = [surfaces[index] for index in owner[back].tolist()]
        layer = np.array([_LAYERS.get(piece.kind, _PAINT_LAYER) for piece in pieces], np.intp)
        self._paint = layer == _PAINT_LAYER
        self._order = DrawingOrder(low[:, :2], high[:, :2], layer)
        self._items = _items(pieces, self._normal)
        self._floor = float(low[:, 2].min(initial=np.inf)) if len(low) else 0.0
        self.level = bool(high[:, 2].max(initial=self._floor) - self._floor < _LEVEL_M)

    def draw(self, view: View, buffer: ItemBuffer) -> None:
        """Draw what the camera sees, on a plain that reaches to the horizon."""
        self._draw_plain(view, buffer)
        centres = view.to_camera(self._centre)
        seen = view.in_sight(centres, self._radius)
        towards = np.einsum('ij,ij->i', self._normal, view.origin - self._corner)
        seen &= (towards > 0.0) | (self._normal[:, 2] < _STEEP)
        nearest = np.maximum(centres[:, 2] - self._radius, 1.0)
        seen &= ~self._paint | (self._width * view.spec.focal > _THIN * nearest)
        keys = self._order.keys(float(view.origin[0]), float(view.origin[1]))
        which = self._order.sorted(keys, np.flatnonzero(seen))
        chosen = self._polygons.chosen(which)
        items = self._items.chosen(which)
        items.plane[:] = view.inverse_depth(self._normal[which], self._corner[which])
        points = view.to_camera(chosen.points)
        outlines = view.outlines(Ragged(points, chosen.starts, chosen.counts))
        buffer.draw(buffer.add(items), outlines, self._convex[which])

    def _draw_plain(self, view: View, buffer: ItemBuffer) -> None:
        """Draw endless terrain a little below the lowest surface."""
        x, y, z = view.origin.tolist()
        floor = min(self._floor - 0.05, z - 0.2)
        far = 4 * FAR_M
        corners = np.array([[x - far, y - far, floor], [x + far, y - far, floor]])
        corners = np.concatenate([corners, corners[::-1] + (0.0, 2 * far, 0.0)])
        up = np.array([[0.0, 0.0, 1.0]])
        items = Items.plain(
            kind=np.array([kind_number('terrain')], np.uint8),
            instance=np.zeros(1, np.uint16),
            colour=np.array([_COLOURS['terrain']], np.uint8),
            normal=up.astype(np.float32),
            plane=view.inverse_depth(up, corners[:1]),
        )
        outlines = view.outlines(Ragged.of([view.to_camera(corners)]))
        buffer.draw(buffer.add(items), outlines, np.array([True]))


def _items(surfaces: Sequence[Surface], normal: NDArray[np.float64]) -> Items:
    """Look the surfaces' properties up; planes are left 0, they depend on the camera."""
    painted = np.array([surface.kind not in _LAYERS for surface in surfaces], np.bool_)
    instance = np.array([surface.instance for surface in surfaces], np.uint16)
    rows = [_COLOURS.get(surface.kind, _COLOURS['road']) for surface in surfaces]
    colour = np.array(rows, np.float64).reshape(-1, 3)
    # Roads were laid in different years.
    age = 1.0 + 0.14 * (((instance * 0.618) % 1.0) - 0.5)
    road = np.array([surface.kind == 'road' for surface in surfaces], np.bool_)
    colour = np.where(road[:, None], colour * age[:, None], colour)
    tins = [_PAINTS['yellow' if surface.colour == 'yellow' else 'white'] for surface in surfaces]
    paint = np.array(tins, np.float64).reshape(-1, 3)
    return Items(
        kind=np.array([kind_number(surface.kind) for surface in surfaces], np.uint8),
        instance=instance,
        colour=colour.astype(np.uint8),
        paint=paint.astype(np.uint8) * painted[:, None],
        painted=painted,
        wear=np.array([surface.wear for surface in surfaces], np.float32),
        emission=np.zeros(len(surfaces), np.float32),
        normal=normal.astype(np.float32),
        plane=np.zeros((len(surfaces), 3), np.float32),
    )


def _joined(parts: Sequence[NDArray[np.generic]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Join arrays (n, *shape) to one of float64, also when there are none."""
    empty: NDArray[np.generic] = np.empty((0, *shape))
    return np.concatenate([empty, *parts]).astype(np.float64)
