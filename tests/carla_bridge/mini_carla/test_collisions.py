"""Overlap of upright cuboids, against the area that clipping one by the other leaves."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from carla_bridge.mini_carla.collisions import Footprint, Obstacles, footprint_of, overlap
from carla_bridge.mini_carla.geometry import Box, Transform

sizes = st.floats(0.3, 5.0)
footprints = st.builds(
    Footprint,
    x=st.floats(-6.0, 6.0),
    y=st.floats(-6.0, 6.0),
    yaw=st.floats(-3.2, 3.2),
    half_length=sizes,
    half_width=sizes,
    bottom=st.just(0.0),
    top=st.just(1.5),
)


def corners(footprint: Footprint) -> list[np.ndarray]:
    c, s = np.cos(footprint.yaw), np.sin(footprint.yaw)
    local = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (
        footprint.half_length,
        footprint.half_width,
    )
    return list(local @ np.array([[c, s], [-s, c]]) + (footprint.x, footprint.y))


def common_area(first: Footprint, second: Footprint) -> float:
    """Clip the first by each edge of the second (Sutherland and Hodgman)."""
    polygon = corners(first)
    edges = corners(second)
    for i, start in enumerate(edges):
        along = edges[(i + 1) % 4] - start
        normal = np.array([-along[1], along[0]])
        kept = []
        for j, here in enumerate(polygon):
            before = polygon[j - 1]
            inside, was_inside = (here - start) @ normal, (before - start) @ normal
            if (inside > 0) != (was_inside > 0):
                kept.append(before + (here - before) * was_inside / (was_inside - inside))
            if inside > 0:
                kept.append(here)
        polygon = kept
    x, y = np.array(polygon).reshape(-1, 2).T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


@given(footprints, footprints)
def test_footprints_overlap_if_and_only_if_they_share_an_area(
    first: Footprint, second: Footprint
) -> None:
    area = common_area(first, second)
    assume(not 0.0 < area < 1e-6)  # where they only touch, rounding decides
    assert overlap(first, second) == (area > 0.0)
    assert overlap(second, first) == (area > 0.0)


def test_what_lies_above_is_not_in_the_way() -> None:
    road = footprint_of(Transform(), (2.0, 1.0, 0.7), centred=False)
    bridge = footprint_of(Transform(z=5.0), (2.0, 1.0, 0.7), centred=False)
    assert overlap(road, road)
    assert not overlap(road, bridge)


def test_a_car_hits_trunks_and_walls_but_no_leaves() -> None:
    def box(kind: str, x: float) -> Box:
        return Box(kind, Transform(x=x, z=1.0), (0.3, 0.3, 1.0), (0, 0, 0), 1)  # type: ignore[arg-type]

    obstacles = Obstacles([box('trunk', 0.0), box('crown', 10.0), box('wall', 20.0)])

    def hit_at(x: float) -> str | None:
        found = obstacles.hit_by(footprint_of(Transform(x=x), (2.0, 0.9, 0.7), centred=False))
        return None if found is None else found.kind

    assert [hit_at(x) for x in (0.0, 10.0, 20.0, 15.0)] == ['trunk', None, 'wall', None]


def test_a_town_without_boxes_has_no_obstacles() -> None:
    car = footprint_of(Transform(), (2.0, 0.9, 0.7), centred=False)
    assert Obstacles([]).hit_by(car) is None
