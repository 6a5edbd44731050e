"""Everything that stands on the ground, drawn over it: houses, trees, poles, vehicles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box
from carla_bridge.mini_carla.render.boxes import BoxSet, above_ground, split
from carla_bridge.mini_carla.render.camera import NEAR_M, OVERSAMPLING, SHIFT, Ragged, View
from carla_bridge.mini_carla.render.items import SKY_ITEM, ItemBuffer, Items
from carla_bridge.mini_carla.render.order import depth_order
from carla_bridge.mini_carla.render.shapes import crown_outline

__all__ = ['Solids']

_SMALLEST = 0.4  # boxes with a smaller radius in pixels are left out
_DETAIL = 7.0  # and below this radius they show no windows, wheels and lamps
_NEARER = 1.01  # ground that hides a box is nearer by more than rounding
_FOOT_M = 0.15
_SPOT = 40  # pixels up to which the corners of a box speak for all of it
_CABIN_RANK = 4
_CABIN_FOOT = 0.08

# Leaves in the shade, in the light, and at the top: size, shift in x and y, brightness.
_FOLIAGE = ((1.0, 0.0, 0.0, 0.72), (0.74, -0.1, 0.17, 0.95), (0.42, -0.2, 0.38, 1.16))
_LEAVES = np.array(
    [
        [
            crown_outline(28, 1.7 * look + 0.6 * part) * size + (x, y)
            for part, (size, x, y, _) in enumerate(_FOLIAGE)
        ]
        for look in range(7)
    ]
)


class Solids:
    """The boxes of a town, to which each picture adds those of the traffic.

    Args:
        boxes: what stands still.
        height: of the ground in metres at world x, y.

    Attributes:
        still: the boxes, foundations cut off.
    """

    def __init__(self, boxes: Sequence[Box], height: Callable[[float, float], float]) -> None:
        pieces = [piece for box in boxes for piece in split(box)]
        self.still = BoxSet([above_ground(piece, height) for piece in pieces])

    def draw(self, view: View, buffer: ItemBuffer, moving: BoxSet, *, level: bool) -> None:
        """Draw what the camera sees.

        Args:
            view: the camera.
            buffer: holds the ground already.
            moving: the traffic.
            level: whether the ground is level; otherwise hills may hide a box.
        """
        seen: list[tuple[BoxSet, NDArray[np.intp]]] = []
        for boxes in (self.still, moving):
            radius = np.linalg.norm(boxes.extent, axis=1)
            centre = view.to_camera(boxes.centre)
            large = radius * view.spec.focal > _SMALLEST * centre[:, 2]
            seen.append((boxes, np.flatnonzero(view.in_sight(centre, radius) & large)))
        order = self._order(view, seen)
        parts = [_faces(view, boxes, which) for boxes, which in seen]
        parts += [_crowns(view, boxes, which) for boxes, which in seen]
        first = len(seen[0][1])  # boxes of the traffic count on from those that stand still
        offsets = (0, first, 0, first)
        box = np.concatenate([part[3] + off for part, off in zip(parts, offsets, strict=True)])
        rank = np.concatenate([part[4] for part in parts])
        position = np.empty(len(order), np.intp)
        position[order] = np.arange(len(order))
        sequence = np.lexsort((rank, position[box]))
        outlines = [outline for part in parts for outline in part[1]]
        outlines = [outlines[index] for index in sequence.tolist()]
        convex = np.concatenate([part[2] for part in parts])[sequence]
        items = Items.joined([part[0] for part in parts]).chosen(sequence)
        number = buffer.add(items)
        if level:
            buffer.draw(number, outlines, convex)
            return
        hidden = self._partly_hidden(view, buffer, seen)[order].tolist()
        ends = np.searchsorted(position[box][sequence], np.arange(len(order) + 1)).tolist()
        for behind, (start, end) in zip(hidden, pairwise(ends), strict=True):
            part = (outlines[start:end], convex[start:end])
            if behind == 2:
                continue
            if behind:
                _draw_behind_hills(view, buffer, number + start, number, *part)
            else:
                buffer.draw(number + start, *part)

    def _partly_hidden(
        self, view: View, buffer: ItemBuffer, seen: list[tuple[BoxSet, NDArray[np.intp]]]
    ) -> NDArray[np.intp]:
        """Tell how far boxes are behind a nearer slope of the ground.

        Returns:
            For each box 0 if no corner is hidden, 1 if one is, 2 if the box is small and all are.
        """
        corners = np.concatenate([boxes.corners[which] for boxes, which in seen])
        # What stands on the ground touches it: look a little above its foot.
        top = corners[..., 2].max(axis=1, keepdims=True)
        corners[..., 2] += (top - corners[..., 2]).clip(0.0, _FOOT_M)
        points = view.to_camera(corners)
        ahead = points[..., 2] > NEAR_M
        points[..., 2] = points[..., 2].clip(NEAR_M)
        uv = view.project(points)
        size = np.array([view.spec.width, view.spec.height])
        inside = ((uv >= 0) & (uv < size)).all(axis=-1) & ahead
        place = (uv.clip(0, size - 1) * OVERSAMPLING).astype(np.intp)
        item = buffer.samples[place[..., 1], place[..., 0]]
        nearness = np.einsum('mki,mki->mk', buffer.items.plane[item], points / points[..., 2:])
        hidden = inside & (item > SKY_ITEM) & (nearness * points[..., 2] > _NEARER)
        small = (np.ptp(uv, axis=1) < _SPOT).all(axis=1)
        return np.where(hidden.all(axis=1) & small, 2, hidden.any(axis=1)).astype(np.intp)

    def _order(self, view: View, seen: list[tuple[BoxSet, NDArray[np.intp]]]) -> NDArray[np.intp]:
        """Sort the visible boxes of both sets, counted through."""

        def both(name: str) -> NDArray[np.float64]:
            return np.concatenate([getattr(boxes, name)[which] for boxes, which in seen])

        corners = both('corners')
        points = view.to_camera(corners)
        behind = (points[..., 2] < NEAR_M).any(axis=1)
        points[..., 2] = points[..., 2].clip(NEAR_M)
        uv = view.project(points)
        rectangles = np.concatenate([uv.min(axis=1), uv.max(axis=1)], axis=1)
        rectangles[behind] = (-np.inf, -np.inf, np.inf, np.inf)
        return depth_order(
            both('centre'), both('axes'), both('extent'), corners, rectangles, view.origin
        )


_Part = tuple[
    Items,
    list['NDArray[np.int32] | None'],
    NDArray[np.bool_],
    NDArray[np.intp],
    NDArray[np.intp],
]


def _faces(view: View, boxes: BoxSet, which: NDArray[np.intp]) -> _Part:
    """Return items, outlines, convexity, box (position in `which`) and rank of visible faces."""
    faces = boxes.faces
    place = np.full(len(boxes), -1, np.intp)
    place[which] = np.arange(len(which))
    corner = faces.polygons.points[faces.polygons.starts]
    towards = np.einsum('ij,ij->i', faces.normal, view.origin - corner) > 0
    size = np.linalg.norm(boxes.extent, axis=1) * view.spec.focal
    depth = view.to_camera(boxes.centre)[:, 2].clip(NEAR_M)
    detailed = size > _DETAIL * depth
    shown = (place[faces.box] >= 0) & towards & ((faces.rank % 2 == 0) | detailed[faces.box])
    index = np.flatnonzero(shown)
    box = faces.box[index]
    items = Items.plain(
        kind=boxes.kind[box],
        instance=boxes.instance[box],
        colour=faces.colour[index],
        normal=faces.normal[index].astype(np.float32),
        plane=view.inverse_depth(faces.normal[index], corner[index]),
        emission=faces.emission[index],
    )
    polygons = faces.polygons.chosen(index)
    outlines = view.outlines(
        Ragged(view.to_camera(polygons.points), polygons.starts, polygons.counts)
    )
    # Seen from below its foot a cabin stands behind the body.
    eye = np.einsum('mj,mj->m', boxes.axes[:, 2], view.origin - boxes.centre) / boxes.extent[:, 2]
    under = (eye < _CABIN_FOOT)[box] & (faces.rank[index] >= _CABIN_RANK)
    rank = np.where(under, faces.rank[index] - 2 * _CABIN_RANK, faces.rank[index])
    return items, outlines, np.ones(len(index), np.bool_), place[box], rank


def _crowns(view: View, boxes: BoxSet, which: NDArray[np.intp]) -> _Part:
    """Return the same of the crowns of trees, which turn a ragged disc to the viewer."""
    positions = np.flatnonzero(boxes.crown[which])
    trees = which[positions]
    towards = np.array([-view.rotation[2, 0], -view.rotation[2, 1], 0.0])
    towards /= max(float(np.linalg.norm(towards)), 1e-6)
    right = np.array([towards[1], -towards[0], 0.0])
    centre, extent = boxes.centre[trees], boxes.extent[trees]
    variant = (centre[:, 0] * 7).astype(np.intp) % len(_LEAVES)
    outline = _LEAVES[variant] * extent[:, None, None, [0, 2]]  # (trees, parts, corners, 2)
    points = centre[:, None, None] + outline[..., :1] * right
    points[..., 2] += outline[..., 1]
    parts, corners = _LEAVES.shape[1:3]
    total = len(trees) * parts
    counts = np.full(total, corners, np.intp)
    polygons = Ragged(points.reshape(-1, 3), np.arange(total) * corners, counts)
    index = np.repeat(trees, parts)
    bright = np.tile([part[3] for part in _FOLIAGE], len(trees))[:, None]
    items = Items.plain(
        kind=boxes.kind[index],
        instance=boxes.instance[index],
        colour=(boxes.colour[index] * bright).clip(0, 255).astype(np.uint8),
        normal=np.tile(np.array([0.0, 0.0, 1.0], np.float32), (total, 1)),
        plane=view.inverse_depth(np.tile(towards, (total, 1)), boxes.centre[index]),
    )
    outlines = view.outlines(Ragged(view.to_camera(polygons.points), polygons.starts, counts))
    rank = np.tile(np.arange(parts), len(trees))
    return items, outlines, np.zeros(total, np.bool_), np.repeat(positions, parts), rank


def _draw_behind_hills(
    view: View,
    buffer: ItemBuffer,
    number: int,
    ground: int,
    outlines: list[NDArray[np.int32] | None],
    convex: NDArray[np.bool_],
) -> None:
    """Draw one box, but leave what a nearer slope of the ground (items below `ground`) hides."""
    points = [outline for outline in outlines if outline is not None]
    if not points:
        return
    every = np.concatenate(points) >> SHIFT
    x0, y0 = (every.min(axis=0) - 1).clip(0).tolist()
    x1, y1 = (every.max(axis=0) + 2).clip(0).tolist()
    window = (slice(y0, y1), slice(x0, x1))
    before = buffer.samples[window].copy()
    if not before.size:
        return
    buffer.draw(number, outlines, convex)
    after = buffer.samples[window]
    rows, columns = np.nonzero((after != before) & (before > SKY_ITEM) & (before < ground))
    old, new = before[rows, columns], after[rows, columns]
    focal = view.spec.focal
    pixel = np.ones((len(rows), 3))
    pixel[:, 0] = ((columns + x0) / OVERSAMPLING + 0.5 - view.spec.width / 2) / focal
    pixel[:, 1] = ((rows + y0) / OVERSAMPLING + 0.5 - view.spec.height / 2) / focal
    plane = buffer.items.plane
    ground_near = np.einsum('ij,ij->i', plane[old], pixel)
    box_near = np.einsum('ij,ij->i', plane[new], pixel)
    hidden = ground_near > _NEARER * box_near
    after[rows[hidden], columns[hidden]] = old[hidden]
