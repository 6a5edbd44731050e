"""What a picture is made of: items, and the buffer that says which item each sample shows.

Picture, label and depth come from one drawing: polygons leave their item's number in a buffer,
and tables indexed by that number give colour, tag, instance and the plane for the depth. So a
label can never disagree with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from carla_bridge.mini_carla.render.camera import OVERSAMPLING, SHIFT
from carla_bridge.pinhole import PinholeCamera
from lane_seg.errors import LaneSegError

__all__ = ['GROUND_ITEM', 'MOST_ITEMS', 'SKY_ITEM', 'ItemBuffer', 'Items']

SKY_ITEM = 0
"""Number of the item that is left where nothing was drawn."""

GROUND_ITEM = 1
"""Number of the first item that was drawn."""

MOST_ITEMS = 65535
"""Numbers that a sample can hold."""


@dataclass(frozen=True, eq=False)
class Items:
    """Properties of N flat things, one row each.

    Attributes:
        kind: (N,) uint8, position in `labels.KINDS`.
        instance: (N,) uint16.
        colour: (N, 3) uint8 BGR, in white light; of paint, that of the road below it.
        paint: (N, 3) uint8 BGR of the paint, 0 where there is none.
        painted: (N,) bool.
        wear: (N,) float32 of the paint, 0 to 1.
        emission: (N,) float32, 1 for what shines by itself, 0 otherwise.
        normal: (N, 3) float32, unit vector in the world.
        plane: (N, 3) float32, see `View.inverse_depth`.
    """

    kind: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    colour: NDArray[np.uint8]
    paint: NDArray[np.uint8]
    painted: NDArray[np.bool_]
    wear: NDArray[np.float32]
    emission: NDArray[np.float32]
    normal: NDArray[np.float32]
    plane: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kind)

    @staticmethod
    def plain(
        kind: NDArray[np.uint8],
        instance: NDArray[np.uint16],
        colour: NDArray[np.uint8],
        normal: NDArray[np.float32],
        plane: NDArray[np.float32],
        emission: NDArray[np.float32] | None = None,
    ) -> Items:
        """Make items without paint; arguments as the attributes, no emission by default."""
        count = len(kind)
        return Items(
            kind=kind,
            instance=instance,
            colour=colour,
            paint=np.zeros((count, 3), np.uint8),
            painted=np.zeros(count, np.bool_),
            wear=np.zeros(count, np.float32),
            emission=np.zeros(count, np.float32) if emission is None else emission,
            normal=normal,
            plane=plane,
        )

    @staticmethod
    def joined(parts: list[Items]) -> Items:
        """Put items one after the other."""
        return Items(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(Items)
            }
        )

    def chosen(self, which: NDArray[np.intp]) -> Items:
        """Return some of the items, in the order of `which`."""
        return Items(**{field.name: getattr(self, field.name)[which] for field in fields(Items)})


class ItemBuffer:
    """Numbers of the items that the samples of one image show.

    Args:
        spec: size of the image.

    Attributes:
        samples: (OVERSAMPLING * H, OVERSAMPLING * W) uint16; every OVERSAMPLING-th one, from
            the first on, is the centre of a pixel.
        items: what the numbers stand for.
    """

    def __init__(self, spec: PinholeCamera) -> None:
        self._spec = spec
        shape = (spec.height * OVERSAMPLING, spec.width * OVERSAMPLING)
        self.samples: NDArray[np.uint16] = np.zeros(shape, np.uint16)
        self._parts: list[Items] = []
        self._count = 0

    def add(self, items: Items) -> int:
        """Take items in and return the number of the first; `draw` puts them into the picture.

        Raises:
            LaneSegError: there are more items than numbers.
        """
        first = self._count
        self._count += len(items)
        if self._count > MOST_ITEMS:
            raise LaneSegError(
                f'expected at most {MOST_ITEMS} items in one picture, found {self._count}; '
                'build the town of fewer surfaces'
            )
        self._parts.append(items)
        return first

    @property
    def items(self) -> Items:
        """All items so far."""
        if len(self._parts) > 1:
            self._parts = [Items.joined(self._parts)]
        return self._parts[0]

    def draw(
        self,
        first: int,
        outlines: list[NDArray[np.int32] | None],
        convex: NDArray[np.bool_],
    ) -> None:
        """Draw polygons over what is there.

        Args:
            first: number of the item of the first polygon; the others follow.
            outlines: as `View.outlines` returns them.
            convex: (N,) whether a polygon may be drawn by the fast way.
        """
        samples, fill, fill_any = self.samples, cv2.fillConvexPoly, cv2.fillPoly
        for number, (outline, simple) in enumerate(
            zip(outlines, convex.tolist(), strict=True), first
        ):
            if outline is None:
                continue
            if simple:
                fill(samples, outline, number, cv2.LINE_8, SHIFT)
            else:
                fill_any(samples, [outline], number, cv2.LINE_8, SHIFT)

    def pixels(self) -> NDArray[np.uint16]:
        """Return the item in the centre of every pixel, (H, W) uint16."""
        return np.ascontiguousarray(self.samples[::OVERSAMPLING, ::OVERSAMPLING])

    def topmost(self) -> NDArray[np.uint16]:
        """Return the last drawn item that has a part in each pixel's colour, (H, W) uint16."""
        spread = cv2.dilate(self.samples, np.ones((3, 3), np.uint8))
        return np.ascontiguousarray(spread[::OVERSAMPLING, ::OVERSAMPLING], dtype=np.uint16)
