"""Moving cars: where they are at a moment and how they look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg_scene.draw import Canvas
from lane_seg_scene.road import RoadLayout, RoadPiece
from lane_seg_scene.weather import Colour, Weather

__all__ = ['Car', 'SeenCar', 'Traffic']

_LOOP_M = 420.0
_BEHIND_M = 50.0
_REACH_M = 220.0
_DETAIL_M = 70.0
_PAINTS = (
    (215.0, 218, 220),
    (170.0, 172, 172),
    (95.0, 95, 95),
    (38.0, 38, 40),
    (45.0, 40, 150),
    (125.0, 75, 40),
    (60.0, 90, 60),
    (70.0, 150, 190),
)


@dataclass(frozen=True, kw_only=True)
class Car:
    """One car.

    Attributes:
        t: metres left of the centre line.
        direction: 1 drives our way, -1 comes towards us.
        start: metres ahead of us at time 0.
        gain_mps: how much faster than us it goes along the road.
        swing_m: how far its distance to us swings.
        length, width, height: metres.
        paint: unlit colour.
        van: box without bonnet.
    """

    t: float
    direction: int
    start: float
    gain_mps: float
    swing_m: float
    length: float
    width: float
    height: float
    paint: tuple[float, float, float]
    van: bool

    def ahead(self, time_s: float) -> float:
        """Metres ahead of us at a moment."""
        swing = self.swing_m * math.sin(0.21 * time_s + self.start)
        if self.gain_mps == 0.0:
            return self.start + swing
        return (
            math.fmod(
                math.fmod(self.start + self.gain_mps * time_s + _BEHIND_M, _LOOP_M) + _LOOP_M,
                _LOOP_M,
            )
            - _BEHIND_M
        )


@dataclass(frozen=True)
class SeenCar:
    """A car in view: depth in metres, position and heading in the frame of the road piece."""

    car: Car
    depth: float
    x: float
    y: float
    heading: float


class Traffic:
    """All cars of one scene."""

    def __init__(
        self, rng: np.random.Generator, layout: RoadLayout, weather: Weather, speed_mps: float
    ) -> None:
        self._weather = weather
        self._cars: list[Car] = []
        density = float(rng.uniform(0.0, 1.0))
        for t, direction in layout.lane_centres:
            if direction < 0:
                gain = -speed_mps - float(rng.uniform(14, 22))
            elif abs(t - layout.ego_t) < 0.1:
                gain = 0.0
            else:
                gain = float(rng.choice([-1.0, 1.0]) * rng.uniform(1.0, 5.0))
            place = float(rng.uniform(14, 60))
            while place < _LOOP_M - 30:
                self._cars.append(_random_car(rng, t, direction, place, gain))
                place += 8.0 + float(rng.uniform(16, 70)) / max(density, 0.12)
        self._glass = weather.lit((70.0, 62, 55))
        self._dark = weather.lit((30.0, 30, 32))
        self._quads = {car: self._build(car) for car in self._cars}

    def visible(
        self, canvas: Canvas, piece: RoadPiece, here: float, time_s: float
    ) -> list[SeenCar]:
        """Cars in view, in no particular order."""
        ahead = np.array([car.ahead(time_s) for car in self._cars])
        chosen = np.flatnonzero((ahead > -15.0) & (ahead < _REACH_M))
        cars = [self._cars[index] for index in chosen.tolist()]
        if not cars:
            return []
        t = np.array([car.t for car in cars])
        x, y, heading = piece.at(here + ahead[chosen], t)
        depth = canvas.camera.to_camera(np.stack([x, y, np.zeros_like(x)], axis=-1))[:, 2]
        return [
            SeenCar(car, float(d), float(a), float(b), float(c))
            for car, d, a, b, c in zip(cars, depth, x, y, heading, strict=True)
            if d > -car.length / 2
        ]

    def shadows(self, seen: SeenCar, sun: Colour) -> list[tuple[NDArray[np.float64], bool]]:
        """Outlines on the ground (N, 2): the sun's shadow, then the dark patch underneath."""
        car = seen.car
        cos, sin = math.cos(seen.heading), math.sin(seen.heading)
        turn = np.array([[cos, sin], [-sin, cos]])
        base = np.array([(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)])
        base *= np.array([car.length, car.width]) / 2
        lean = turn @ (-sun[:2] / sun[2]) * car.height * 0.8
        cabin = base * np.array([0.5, 0.85]) + lean
        hull = cv2.convexHull(np.concatenate([base, cabin]).astype(np.float32))[:, 0]
        here = np.array([seen.x, seen.y])
        return [
            (hull.astype(np.float64) @ turn + here, False),
            (base * np.array([0.98, 0.92]) @ turn + here, True),
        ]

    def draw(self, canvas: Canvas, seen: SeenCar) -> None:
        """Draw one car: the sides of a box with a cabin that face the camera, then details."""
        car, camera = seen.car, canvas.camera
        angle = seen.heading if car.direction > 0 else seen.heading + math.pi
        cos, sin = math.cos(angle), math.sin(angle)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        place = np.array([seen.x, seen.y, 0.0])
        eye = turn @ (np.array([camera.x, camera.y, camera.z]) - place)

        quads = self._quads[car]
        facing = ((eye - quads.points[:, 0]) * quads.normals).sum(axis=1) > 0
        if seen.depth > _DETAIL_M:
            facing[len(_FACES) :] = False
        light = 0.62 + 0.38 * np.maximum(quads.normals @ (turn @ self._weather.sun), 0.0)
        light[quads.glowing] = 1.0
        haze = math.exp(-max(seen.depth, 0.0) / self._weather.haze_m)
        colours = np.minimum(quads.colours * light[:, None], 250.0) * haze
        colours += self._weather.haze * (1.0 - haze)
        world = quads.points[facing] @ turn + place
        canvas.quads(camera.to_camera(world), colours[facing])
        if abs(eye[1]) > car.width / 2 and seen.depth < _DETAIL_M:
            self._wheels(canvas, seen, eye, turn)

    def _wheels(
        self, canvas: Canvas, seen: SeenCar, eye: NDArray[np.float64], turn: NDArray[np.float64]
    ) -> None:
        car = seen.car
        side = math.copysign(car.width / 2 + 0.01, eye[1])
        angle = np.linspace(0, 2 * math.pi, 14, endpoint=False)
        for place in (-0.3 * car.length, 0.31 * car.length):
            for radius, colour in ((0.34, self._dark), (0.19, self._dark * 3.0)):
                x, z = place + radius * np.cos(angle), 0.34 + radius * np.sin(angle)
                wheel = np.stack([x, np.full_like(x, side), z], axis=1) @ turn
                points = canvas.camera.to_camera(wheel + np.array([seen.x, seen.y, 0.0]))
                canvas.polygon(points, self._weather.hazed(colour, seen.depth))

    def _build(self, car: Car) -> _Quads:
        """All sides of a car with their colours."""
        half, side = car.length / 2, car.width / 2
        corners = _shape(car)
        points = [corners[list(face.corners)] for face in _FACES]
        weather = self._weather
        materials = {'paint': weather.lit(car.paint), 'glass': self._glass, 'dark': self._dark}
        colours: list[Colour] = [materials[face.material] for face in _FACES]
        rear: Colour = np.array([40.0, 40, 235])
        front: Colour = np.array([235.0, 248, 252])
        if not weather.lamps:
            rear, front = weather.lit((45.0, 42, 165)), weather.lit((185.0, 190, 190))
        for end, lamp in ((-half - 0.01, rear), (half + 0.01, front)):
            points.append(_end_quad(end, 0.0, side - 0.04, 0.26, 0.40))
            colours.append(self._dark)
            points.append(_end_quad(end, 0.0, 0.26, 0.46, 0.58))
            colours.append(weather.lit((185.0, 200, 200)))
            for sign in (-1.0, 1.0):
                points.append(_end_quad(end, sign * (side - 0.22), 0.17, 0.66, 0.82))
                colours.append(lamp)
        quads = np.array(points)
        normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 2] - quads[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        glowing = np.zeros(len(quads), bool)
        glowing[len(_FACES) :] = weather.lamps
        return _Quads(quads, normals, np.array(colours), glowing)


@dataclass(frozen=True)
class _Quads:
    """Sides of one car in its own frame.

    `points` (N, 4, 3) and outward unit `normals` (N, 3) in metres, `colours` (N, 3) in this
    light, `glowing` (N,) for lamps, which need no light.
    """

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    colours: NDArray[np.float64]
    glowing: NDArray[np.bool_]


@dataclass(frozen=True)
class _Face:
    corners: tuple[int, ...]
    material: str


# Corners of `_shape` counter-clockwise seen from outside, so that the normal points out.
_FACES = (
    _Face((0, 8, 10, 2), 'dark'),  # rear axle and tyres
    _Face((3, 11, 9, 1), 'dark'),  # front axle and tyres
    _Face((4, 5, 7, 6), 'paint'),  # bonnet and boot lid
    _Face((8, 10, 6, 4)[::-1], 'paint'),  # rear
    _Face((11, 9, 5, 7)[::-1], 'paint'),  # front
    _Face((8, 4, 5, 9)[::-1], 'paint'),  # right side
    _Face((11, 7, 6, 10)[::-1], 'paint'),  # left side
    _Face((12, 16, 18, 14), 'glass'),  # rear window
    _Face((13, 15, 19, 17), 'glass'),  # windscreen
    _Face((12, 13, 17, 16), 'glass'),  # right windows
    _Face((15, 14, 18, 19), 'glass'),  # left windows
    _Face((16, 17, 19, 18), 'paint'),  # roof
)


def _shape(car: Car) -> NDArray[np.float64]:
    """Corners (20, 3) in the frame of the car: x forward, y left, z up from the ground.

    0-3 underside on the ground, 4-7 belt line, 8-11 sill, 12-15 foot and 16-19 top of the cabin;
    each four are rear right, front right, rear left, front left.
    """
    a, b = car.length / 2, car.width / 2
    belt = car.height * (0.62 if not car.van else 0.55)
    foot = (-0.86 * a, 0.42 * a) if not car.van else (-0.99 * a, 0.80 * a)
    top = (-0.56 * a, 0.10 * a) if not car.van else (-0.97 * a, 0.55 * a)

    def four(rear: float, front: float, y: float, z: float) -> list[tuple[float, float, float]]:
        return [(rear, -y, z), (front, -y, z), (rear, y, z), (front, y, z)]

    return np.array(
        four(-a * 0.9, a * 0.9, b * 0.92, 0.0)
        + four(-a, a, b, belt)
        + four(-a, a, b, 0.28)
        + four(*foot, b * 0.96, belt)
        + four(*top, b * 0.80, car.height)
    )


def _end_quad(x: float, y: float, half: float, low: float, high: float) -> NDArray[np.float64]:
    """Upright rectangle (4, 3) across the car at `x`, facing outwards."""
    a, b = (y - half, y + half) if x > 0 else (y + half, y - half)
    return np.array([(x, a, low), (x, b, low), (x, b, high), (x, a, high)])


def _random_car(
    rng: np.random.Generator, t: float, direction: int, start: float, gain: float
) -> Car:
    van = bool(rng.random() < 0.2)
    return Car(
        t=t + float(rng.uniform(-0.25, 0.25)),
        direction=direction,
        start=start,
        gain_mps=gain,
        swing_m=4.0 if gain == 0.0 else 0.0,
        length=float(rng.uniform(4.6, 6.2) if van else rng.uniform(3.8, 4.8)),
        width=float(rng.uniform(1.9, 2.1) if van else rng.uniform(1.7, 1.9)),
        height=float(rng.uniform(1.9, 2.7) if van else rng.uniform(1.4, 1.6)),
        paint=_PAINTS[int(rng.integers(len(_PAINTS)))],
        van=van,
    )
