"""What stands beside the road: trees, lamp poles, buildings, guard rails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.draw import Canvas
from lane_seg_scene.road import RoadLayout, RoadPiece
from lane_seg_scene.sprites import Gallery, facades, trees
from lane_seg_scene.weather import Colour, Weather

__all__ = ['Props', 'SeenProp']

LOOP_M = 2400.0
"""The surroundings repeat after this many metres of road."""
_REACH_M = 260.0
_BEHIND_M = 28.0  # the longest house still begins in here when its end passes the camera

Outline: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Prop:
    """One thing at arc length `s`, `t` metres left of the centre line.

    `kind` is 'tree', 'lamp', 'sign' or 'house'; `size` is the height in metres, `length` the
    length along the road, `variant` picks a picture; `open_end` is false for a house whose wall
    towards the camera hides behind the house before it.
    """

    kind: str
    s: float
    t: float
    size: float
    length: float = 0.0
    variant: int = 0
    open_end: bool = True


@dataclass(frozen=True)
class SeenProp:
    """A thing in reach: camera point of its foot; place, heading, length in the road's frame."""

    prop: Prop
    foot: NDArray[np.float64]
    x: float
    y: float
    heading: float
    length: float


class Props:
    """All surroundings of one scene.

    Args:
        rng: where they stand.
        layout: keeps them off the road.
        weather: colours.
    """

    def __init__(self, rng: np.random.Generator, layout: RoadLayout, weather: Weather) -> None:
        self._layout = layout
        self._weather = weather
        self._trees = Gallery(trees(rng, weather), weather)
        walls = facades(rng, weather)
        self._facades = Gallery(walls, weather)
        self._house_colours = [
            wall.picture[..., :3].mean(axis=(0, 1), dtype=np.float64) for wall in walls[::2]
        ]
        self._items = sorted(_place(rng, layout), key=lambda item: item.s)
        self._s = np.array([item.s for item in self._items])
        self._t = np.array([item.t for item in self._items])
        self._length = np.array([item.length for item in self._items])
        self._post_colour = weather.lit((128.0, 130, 128))
        self._rail_colour = weather.lit((150.0, 152, 150))
        self._rail_dark = weather.lit((95.0, 98, 98))

    def visible(self, canvas: Canvas, piece: RoadPiece, here: float) -> list[SeenProp]:
        """Things in reach, in no particular order."""
        ahead = np.mod(self._s - here + _BEHIND_M, LOOP_M) - _BEHIND_M
        chosen = np.flatnonzero(ahead < _REACH_M)
        s, t = here + ahead[chosen], self._t[chosen]
        x, y, heading = piece.at(s, t)
        # Both ends of a house lie on the curve, so a row of houses closes in bends as well.
        x_end, y_end, _ = piece.at(s + self._length[chosen], t)
        length = np.hypot(x_end - x, y_end - y)
        heading = np.where(length > 0, np.arctan2(y_end - y, x_end - x), heading)
        feet = canvas.camera.to_camera(np.stack([x, y, np.zeros_like(x)], axis=-1))
        return [
            SeenProp(self._items[index], foot, *values)
            for index, foot, values in zip(
                chosen.tolist(),
                feet,
                np.stack([x, y, heading, length], axis=1).tolist(),
                strict=True,
            )
            if foot[2] > -_BEHIND_M
        ]

    def draw(self, canvas: Canvas, seen: SeenProp) -> None:
        """Draw one thing."""
        item, foot, heading = seen.prop, seen.foot, seen.heading
        depth = float(foot[2])
        if item.kind == 'house':
            self._house(canvas, seen)
        elif depth < 1.0:
            return
        elif item.kind == 'tree':
            sprite = self._trees.look(item.variant, depth)
            canvas.sprite(foot, item.size, sprite.picture, sprite.mask)
        elif item.kind == 'lamp':
            self._lamp(canvas, item, foot, heading)
        else:
            self._sign(canvas, item, foot)

    def _house(self, canvas: Canvas, seen: SeenProp) -> None:
        item, foot, heading = seen.prop, seen.foot, seen.heading
        rotation = canvas.camera.rotation
        along = rotation @ np.array([math.cos(heading), math.sin(heading), 0.0]) * seen.length
        out = 12.0 * math.copysign(1.0, item.t)
        away = rotation @ np.array([-math.sin(heading), math.cos(heading), 0.0]) * out
        down = rotation @ np.array([0.0, 0.0, -1.0]) * item.size
        depth = max(float(foot[2]), 1.0)
        if depth > 90.0:
            colour = self._weather.hazed(self._house_colours[item.variant % 4], depth)
            canvas.polygon(np.array([foot, foot - down, foot - down + away, foot + away]), colour)
            front_face = np.array([foot, foot - down, foot - down + along, foot + along])
            canvas.polygon(front_face, colour)
            return
        front, end = 2 * (item.variant % 4), 2 * (item.variant % 4) + 1
        top = foot - down
        if foot[2] > 1.0 and item.open_end:
            canvas.wall(top, away, down, self._facades.look(end, depth).picture)
        canvas.wall(top, along, down, self._facades.look(front, depth).picture)

    def _lamp(self, canvas: Canvas, item: Prop, foot: NDArray[np.float64], heading: float) -> None:
        colour = self._weather.hazed(self._post_colour * 0.8, float(foot[2]))
        up = canvas.camera.rotation @ np.array([0.0, 0.0, item.size])
        inward = -math.copysign(1.0, item.t)
        arm = canvas.camera.rotation @ np.array(
            [-math.sin(heading) * inward, math.cos(heading) * inward, 0.05]
        )
        side = np.array([0.07, 0.0, 0.0])
        canvas.polygon(
            np.array([foot - side, foot + side, foot + up + side / 2, foot + up - side / 2]),
            colour,
        )
        thick = np.array([0.0, 0.09, 0.0])
        tip = foot + up + arm * 2.0
        canvas.polygon(np.array([foot + up, tip, tip + thick, foot + up + thick]), colour)
        head = np.array([tip, tip + arm * 0.7, tip + arm * 0.7 + thick * 1.6, tip + thick * 1.6])
        bright = (190.0, 235.0, 250.0) if self._weather.lamps else colour
        canvas.polygon(head, bright)

    def _sign(self, canvas: Canvas, item: Prop, foot: NDArray[np.float64]) -> None:
        depth = float(foot[2])
        up = canvas.camera.rotation @ np.array([0.0, 0.0, item.size])
        side = np.array([0.04, 0.0, 0.0])
        pole = np.array([foot - side, foot + side, foot + up + side, foot + up - side])
        canvas.polygon(pole, self._weather.hazed(self._post_colour, depth))
        angle = np.linspace(0, 2 * math.pi, (4, 3, 12)[item.variant % 3], endpoint=False)
        disc = np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(angle)], axis=1)
        rim, inner = (
            ((150.0, 80, 30), (150.0, 80, 30)),
            ((40.0, 40, 190), (225.0, 228, 228)),
            ((40.0, 40, 190), (225.0, 228, 228)),
        )[item.variant % 3]
        centre = foot + up
        canvas.polygon(centre + disc * 0.42, self._weather.hazed(self._weather.lit(rim), depth))
        canvas.polygon(centre + disc * 0.28, self._weather.hazed(self._weather.lit(inner), depth))

    def shadow(self, seen: SeenProp, sun: Colour) -> Outline:
        """Outline of the shadow on the ground of one thing.

        Args:
            seen: the thing.
            sun: unit vector to the sun in the frame of the road piece.

        Returns:
            (N, 2) float64 ground points in metres.
        """
        item, heading = seen.prop, seen.heading
        foot = np.array([seen.x, seen.y])
        lean = -sun[:2] / sun[2]  # movement of the shadow per metre of height
        if item.kind == 'house':
            out = 12.0 * math.copysign(1.0, item.t)
            ahead = np.array([math.cos(heading), math.sin(heading)]) * seen.length
            away = np.array([-math.sin(heading), math.cos(heading)]) * out
            base = np.array([foot, foot + ahead, foot + ahead + away, foot + away])
            both = np.concatenate([base, base + lean * item.size]).astype(np.float32)
            return np.asarray(cv2.convexHull(both)[:, 0], np.float64)
        if item.kind == 'tree':
            angle = np.linspace(0, 2 * math.pi, 18, endpoint=False)
            ragged = 1.0 + 0.22 * np.sin(angle * 5 + item.variant) * np.cos(angle * 3)
            ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * ragged[:, None]
            crown = ring * 0.27 * item.size
            crown += np.outer(crown @ sun[:2], lean) * 0.8  # stretched away from the sun
            return np.asarray(foot + lean * 0.62 * item.size + crown, np.float64)
        side = np.array([-sun[1], sun[0]]) * 0.09
        tip = foot + lean * item.size
        return np.array([foot - side, foot + side, tip + side, tip - side])

    def draw_rails(self, canvas: Canvas, piece: RoadPiece, here: float) -> None:
        """Draw guard rails; they stand in front of everything beside the road."""
        sides = (
            (self._layout.rail_left, self._layout.left + self._layout.shoulder * 0.7),
            (self._layout.rail_right, self._layout.right - self._layout.shoulder * 0.7),
        )
        for exists, t in sides:
            if exists:
                self._rail(canvas, piece, here, t)

    def _rail(self, canvas: Canvas, piece: RoadPiece, here: float, t: float) -> None:
        first = math.floor(here / 4.0) * 4.0
        s = first + np.concatenate([np.arange(-4.0, 40.0, 4.0), np.arange(40.0, 240.0, 10.0)])
        x, y, _ = piece.at(s, t)
        lines = [
            canvas.camera.to_camera(np.stack([x, y, np.full_like(x, z)], axis=-1))
            for z in (0.0, 0.46, 0.58, 0.66, 0.80)
        ]
        thin = np.array([0.06, 0.0, 0.0])
        for foot, head in zip(lines[0][11::-1], lines[2][11::-1], strict=True):
            if foot[2] > 1.0:
                post = np.array([foot - thin, foot + thin, head + thin, head - thin])
                canvas.polygon(post, self._weather.hazed(self._rail_dark, float(foot[2])))
        for part in (slice(17, None), slice(8, 18), slice(0, 9)):  # far to near: haze differs
            depth = float(lines[0][part][:, 2].mean())
            for low, high, colour in ((1, 4, self._rail_colour), (2, 3, self._rail_dark)):
                band = np.concatenate([lines[low][part], lines[high][part][::-1]])
                canvas.polygon(band, self._weather.hazed(colour, depth))


def _place(rng: np.random.Generator, layout: RoadLayout) -> list[Prop]:
    """Put things beside one loop of road."""
    items: list[Prop] = []

    def add(kind: str, s: float, t: float, size: float) -> None:
        items.append(Prop(kind=kind, s=s, t=t, size=size, variant=int(rng.integers(1 << 16))))

    edge = layout.shoulder + 0.4
    every = float(rng.uniform(24, 45))
    lamps = bool(layout.urban or rng.random() < 0.3)
    density = float(rng.uniform(0.01, 0.07))
    for side, border in ((1.0, layout.left), (-1.0, layout.right)):
        if layout.urban and rng.random() < 0.85:
            items += _house_row(rng, side, border + side * (edge + float(rng.uniform(0.5, 6.0))))
        count = rng.poisson(LOOP_M * density * (0.4 if layout.urban else 1.0))
        for s in rng.uniform(0, LOOP_M, count).tolist():
            far = float(rng.gamma(1.5, 7.0)) if not layout.urban else 0.0
            near = edge + 1.0 if not layout.urban else 1.0
            add('tree', s, border + side * (near + far), float(rng.uniform(4, 11)))
        if lamps and rng.random() < 0.8:
            for s in np.arange(float(rng.uniform(0, every)), LOOP_M, every).tolist():
                add('lamp', s, border + side * 0.7, 7.5)
        for s in rng.uniform(0, LOOP_M, rng.poisson(LOOP_M / 130)).tolist():
            if side < 0 or layout.lanes_left == 0:
                add('sign', s, border + side * 0.9, float(rng.uniform(1.9, 2.6)))
    return items


def _house_row(rng: np.random.Generator, side: float, t: float) -> list[Prop]:
    """Houses along one side whose fronts stand at `t`, `side` being its sign."""
    row: list[Prop] = []
    s = 0.0
    while s < LOOP_M - 30:
        length = float(rng.uniform(9, 26))
        if rng.random() < 0.8:
            size, back = float(rng.uniform(5, 18)), float(rng.choice([0.0, 0.0, 1.5]))
            before = row[-1] if row else None
            hidden = (
                before is not None
                and before.s + before.length > s - 0.1
                and before.size >= size
                and abs(before.t) <= abs(t) + back
            )
            variant = int(rng.integers(1 << 16))
            row.append(
                Prop(
                    kind='house',
                    s=s,
                    t=t + side * back,
                    size=size,
                    length=length,
                    variant=variant,
                    open_end=not hidden,
                )
            )
        s += length + (float(rng.uniform(3, 14)) if rng.random() < 0.4 else 0.0)
    return row
