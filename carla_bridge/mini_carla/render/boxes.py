"""Boxes of a town or of the traffic as faces in the world."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box
from carla_bridge.mini_carla.render.camera import Ragged
from carla_bridge.mini_carla.render.labels import kind_number
from carla_bridge.mini_carla.render.shapes import SHAPES, shape_name

__all__ = ['BoxSet', 'Faces', 'above_ground', 'split']

_LONGEST_M = 8.0


@dataclass(frozen=True, eq=False)
class Faces:
    """F faces in the world; `box` says whose they are.

    Attributes:
        polygons: corners, metres.
        normal: (F, 3) float64 unit vectors outwards.
        colour: (F, 3) uint8 BGR in white light.
        emission: (F,) float32.
        rank: (F,) int, see `Shape`.
        box: (F,) int, index of the box, rising.
    """

    polygons: Ragged
    normal: NDArray[np.float64]
    colour: NDArray[np.uint8]
    emission: NDArray[np.float32]
    rank: NDArray[np.intp]
    box: NDArray[np.intp]


class BoxSet:
    """Some boxes, ready to be drawn.

    Args:
        boxes: in any order.

    Attributes:
        boxes: as given.
        kind: (M,) uint8, position in `labels.KINDS`.
        instance: (M,) uint16.
        centre: (M, 3) float64 in the world, metres.
        axes: (M, 3, 3) float64, row i is the direction of the box's own axis i.
        extent: (M, 3) float64 half sizes, metres.
        corners: (M, 8, 3) float64 in the world; the first four are the bottom.
        crown: (M,) bool, whether it is the crown of a tree, which has no faces.
        faces: of all other boxes.
    """

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.boxes = tuple(boxes)
        count = len(self.boxes)
        matrices = np.array([box.transform.matrix() for box in self.boxes]).reshape(count, 4, 4)
        self.kind = np.array([kind_number(box.kind) for box in self.boxes], np.uint8)
        self.instance = np.array([box.instance & 0xFFFF for box in self.boxes], np.uint16)
        self.centre = matrices[:, :3, 3]
        self.axes = matrices[:, :3, :3].transpose(0, 2, 1)
        self.extent = np.array([box.extent for box in self.boxes], np.float64).reshape(count, 3)
        self.crown = np.array([box.kind == 'crown' for box in self.boxes], np.bool_)
        self.colour = np.array([box.colour for box in self.boxes], np.float64).reshape(count, 3)
        signs = np.array(
            [(x, y, z) for z in (-1, 1) for x, y in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
        )
        self.corners = self._world(np.arange(count), np.asarray(signs, np.float64))
        self.faces = self._faces()

    def __len__(self) -> int:
        return len(self.boxes)

    def _world(self, which: NDArray[np.intp], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Place points (P, 3) of the unit box in the world for each box: (len(which), P, 3)."""
        local = points[None] * self.extent[which][:, None]
        placed: NDArray[np.float64] = local @ self.axes[which] + self.centre[which][:, None]
        return placed

    def _faces(self) -> Faces:
        groups: dict[str, list[int]] = {}
        for index, box in enumerate(self.boxes):
            if box.kind != 'crown':
                groups.setdefault(shape_name(box.kind, box.extent), []).append(index)
        points = [np.empty((0, 3))]
        counts, boxes, ranks = ([np.empty(0, np.intp)] for _ in range(3))
        normals, colours, emissions = [np.empty((0, 3))], [np.empty((0, 3))], [np.empty(0)]
        for name, members in groups.items():
            shape, which = SHAPES[name], np.array(members, np.intp)
            many = len(which)
            points.append(self._world(which, np.concatenate(shape.faces)).reshape(-1, 3))
            counts.append(np.tile([len(face) for face in shape.faces], many))
            boxes.append(np.repeat(which, len(shape.faces)))
            ranks.append(np.tile(shape.rank, many))
            # Normals scale with the inverse of the sizes.
            slope = shape.normals[None] / np.maximum(self.extent[which][:, None], 1e-3)
            normals.append((slope @ self.axes[which]).reshape(-1, 3))
            colours.append(
                (self.colour[which][:, None] * shape.shade + shape.fixed).reshape(-1, 3)
            )
            emissions.append(np.tile(shape.emission, many))
        owner = np.concatenate(boxes)
        order = np.argsort(owner, kind='stable')
        count = np.concatenate(counts).astype(np.intp)
        polygons = Ragged(np.concatenate(points), np.cumsum(count) - count, count).chosen(order)
        normal = np.concatenate(normals)[order]
        return Faces(
            polygons=polygons,
            normal=normal / np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-9),
            colour=np.concatenate(colours)[order].clip(0, 255).astype(np.uint8),
            emission=np.concatenate(emissions)[order].astype(np.float32),
            rank=np.concatenate(ranks)[order],
            box=owner[order],
        )


def split(box: Box) -> list[Box]:
    """Cut a long wall or guard rail into pieces, which sort among other boxes more easily."""
    length = box.extent[0] * 2
    if box.kind not in ('wall', 'guard_rail') or length <= _LONGEST_M:
        return [box]
    count = math.ceil(length / _LONGEST_M)
    ahead = box.transform.matrix()[:3, 0]
    half = box.extent[0] / count
    pieces = []
    for index in range(count):
        x, y, z = (ahead * (2 * index + 1 - count) * half).tolist()
        place = box.transform
        moved = replace(place, x=place.x + x, y=place.y + y, z=place.z + z)
        pieces.append(replace(box, transform=moved, extent=(half, *box.extent[1:])))
    return pieces


def above_ground(box: Box, height: Callable[[float, float], float]) -> Box:
    """Cut off what of an upright box lies below the ground, as foundations do.

    Args:
        box: any box; only upright ones change.
        height: of the ground in metres at world x, y.
    """
    place = box.transform
    if place.pitch or place.roll or box.kind == 'crown':
        return box
    corners = BoxSet([box]).corners[0, :4]
    floor = min(height(x, y) for x, y in corners[:, :2].tolist())
    low, high = place.z - box.extent[2], place.z + box.extent[2]
    if not low < floor < high:
        return box
    middle, half = (floor + high) / 2, (high - floor) / 2
    return replace(
        box,
        transform=replace(place, z=middle),
        extent=(box.extent[0], box.extent[1], half),
    )
