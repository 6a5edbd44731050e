"""Order of drawing of boxes, against rays."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Box, Transform
from carla_bridge.mini_carla.render.boxes import BoxSet
from carla_bridge.mini_carla.render.order import depth_order

EVERYWHERE = (-np.inf, -np.inf, np.inf, np.inf)


def box(x: float, y: float, yaw: float, extent: tuple[float, float, float]) -> Box:
    return Box('building', Transform(x, y, extent[2], yaw=yaw), extent, (90, 90, 90), 1)


def order_of(boxes: list[Box], eye: NDArray[np.float64]) -> list[int]:
    made = BoxSet(boxes)
    seen = np.array([EVERYWHERE] * len(boxes), np.float64)
    return depth_order(made.centre, made.axes, made.extent, made.corners, seen, eye).tolist()


def entry(made: BoxSet, index: int, eye: NDArray[np.float64], ray: NDArray[np.float64]) -> float:
    """Distance along a ray at which it enters a box, infinite if it misses (slab method)."""
    origin = made.axes[index] @ (eye - made.centre[index])
    direction = made.axes[index] @ ray
    direction = np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    ends = np.stack([(-made.extent[index] - origin), (made.extent[index] - origin)]) / direction
    near, far = float(ends.min(axis=0).max()), float(ends.max(axis=0).min())
    return near if 0.0 < near < far else np.inf


def test_a_car_hides_the_far_part_of_a_long_wall_beside_it() -> None:
    wall = box(25.0, 5.0, 0.0, (25.0, 0.2, 2.0))  # begins at the camera: nearer than the car
    car = box(20.0, 3.0, 0.0, (2.4, 1.0, 0.8))
    assert order_of([car, wall], np.array([0.0, 0.0, 1.5])) == [1, 0]


def test_a_wall_hides_what_stands_behind_it() -> None:
    wall = box(25.0, 5.0, 0.0, (25.0, 0.2, 2.0))
    hut = box(8.0, 9.0, 20.0, (1.0, 1.0, 1.0))
    assert order_of([wall, hut], np.array([0.0, 0.0, 1.5])) == [1, 0]


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_along_every_ray_the_nearest_box_is_drawn_last(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # One box to a cell of 14 m, so that none reaches into another.
    boxes = [
        box(
            14.0 * i + rng.uniform(-2, 2),
            14.0 * j + rng.uniform(-2, 2),
            rng.uniform(0, 360),
            (rng.uniform(0.2, 3.3), rng.uniform(0.2, 3.3), rng.uniform(0.5, 6)),
        )
        for i in range(1, 5)
        for j in range(-2, 3)
    ]
    eye = np.array([0.0, rng.uniform(-5, 5), rng.uniform(0.5, 8.0)])
    made = BoxSet(boxes)
    place = np.argsort(order_of(boxes, eye))
    for angle in rng.uniform(-1.2, 1.2, 40):
        ray = np.array([np.cos(angle), np.sin(angle), rng.uniform(-0.3, 0.3)])
        entries = np.array([entry(made, i, eye, ray) for i in range(len(boxes))])
        hit = np.flatnonzero(np.isfinite(entries))
        if len(hit) > 1:
            nearest = hit[entries[hit].argmin()]
            assert place[nearest] == place[hit].max()
