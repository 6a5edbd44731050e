"""Paint covers what its marks say, where they say, and the borders run through its middle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from carla_bridge.mini_carla.geometry import Surface, Town
from carla_bridge.mini_carla.towns.curve import Curve, Element, Pose
from carla_bridge.mini_carla.towns.network import (
    NO_MARK,
    Lane,
    LaneSection,
    Network,
    Poly3,
    Road,
    RoadMark,
)
from carla_bridge.mini_carla.towns.numbering import Numbers
from carla_bridge.mini_carla.towns.paint import borders, painted_surfaces

SPACE_M = RoadMark().space_m

KINDS = ('solid', 'broken', 'solid solid', 'solid broken', 'broken solid')


def area_seen_from_above(surface: Surface) -> float:
    """Signed area in square metres, positive if counter-clockwise in OpenDRIVE's frame."""
    x, y = surface.vertices[:, 0].astype(np.float64), -surface.vertices[:, 1].astype(np.float64)
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def distance_to_line(
    points: NDArray[np.float64], line: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances (N,) of points (N, 2) to a polyline (M, 2)."""
    begin, along = line[:-1], np.diff(line, axis=0)
    share = ((points[:, None] - begin) * along).sum(-1) / (along**2).sum(-1)
    foot = begin + np.clip(share, 0, 1)[..., None] * along
    found: NDArray[np.float64] = np.linalg.norm(points[:, None] - foot, axis=-1).min(axis=1)
    return found


def road_with(mark: RoadMark, curvature: float, length: float, lane_id: int) -> Network:
    marks = ((0.0, NO_MARK), (5.0, mark))
    width = (Poly3(0.0, 3.0),)
    lanes = tuple(
        Lane(i, 'driving', width if i else (), marks if i == lane_id else ((0.0, NO_MARK),))
        for i in (1, 0, -1)
    )
    curve = Curve(Pose(30.0, -20.0, 0.7), (Element(length, 0.0, curvature),))
    return Network('Town_test', (Road(7, curve, (LaneSection(0.0, lanes),)),))


def paint_of(network: Network) -> list[Surface]:
    return list(painted_surfaces(network, Numbers(), np.random.default_rng(0)))


@given(
    kind=st.sampled_from(KINDS),
    curvature=st.floats(-0.02, 0.02),
    length=st.floats(20.0, 120.0),
    lane_id=st.sampled_from([1, 0, -1]),
)
def test_paint_covers_the_length_times_the_width_of_its_lines(
    kind: str, curvature: float, length: float, lane_id: int
) -> None:
    mark = RoadMark(kind, width_m=0.2, dash_m=3.0, gap_m=6.0)
    network = road_with(mark, curvature, length, lane_id)
    (border,) = borders(network)
    painted_m = np.linalg.norm(np.diff(border.points, axis=0), axis=1).sum()
    # Dashes are measured along the reference line, which is longer or shorter than the border.
    stretch = painted_m / (length - 5.0)
    periods, rest = divmod(length - 5.0, 9.0)
    last = min(rest, 3.0)
    dashes = (periods * 3.0 + (last if last > 0.1 else 0.0)) * stretch
    expected = sum(painted_m if word == 'solid' else dashes for word in kind.split()) * 0.2
    areas = [area_seen_from_above(surface) for surface in paint_of(network)]
    assert min(areas) > 0
    assert sum(areas) == pytest.approx(expected, rel=0.02)


@given(
    kind=st.sampled_from(KINDS),
    curvature=st.floats(-0.02, 0.02),
    lane_id=st.sampled_from([1, 0, -1]),
)
def test_the_edges_of_paint_are_half_a_width_from_the_border(
    kind: str, curvature: float, lane_id: int
) -> None:
    mark = RoadMark(kind, width_m=0.2, space_m=0.3)
    network = road_with(mark, curvature, 60.0, lane_id)
    (border,) = borders(network)
    vertices = np.concatenate([surface.vertices for surface in paint_of(network)])
    distances = distance_to_line(vertices[:, :2].astype(np.float64), border.points[:, :2])
    if ' ' in kind:
        inner, outer = 0.15, 0.35
        assert np.minimum(abs(distances - inner), abs(distances - outer)).max() < 2e-3
    else:
        assert abs(distances - 0.1).max() < 2e-3


@pytest.mark.parametrize('lane_id', [1, 0, -1])
def test_the_solid_line_of_a_mixed_mark_lies_on_the_side_that_its_name_says(lane_id: int) -> None:
    network = road_with(RoadMark('solid broken'), 0.0, 60.0, lane_id)
    road = network.roads[0]
    areas: dict[bool, float] = {True: 0.0, False: 0.0}
    middle = {1: 3.0, 0: 0.0, -1: -3.0}[lane_id]
    x, y, heading = (float(v[0]) for v in road.curve.at(np.array([0.0])))
    for surface in paint_of(network):
        px, py, _ = surface.vertices.mean(axis=0).tolist()
        t = (-py - y) * np.cos(heading) - (px - x) * np.sin(heading)
        areas[t > middle] += area_seen_from_above(surface)
    # Left on the reference line, inside elsewhere; inside is right of a left lane's border.
    solid_is_left = lane_id <= 0
    assert areas[solid_is_left] > 2 * areas[not solid_is_left]


def test_borders_have_a_point_at_least_every_half_metre_and_run_with_s(town: Town) -> None:
    for border in town.borders:
        steps = np.linalg.norm(np.diff(border.points, axis=0), axis=1)
        # s is measured on the reference line; an outer border of a curve is longer.
        assert steps.max() <= 0.5 * 1.25
        assert steps.min() > 0.2


def test_every_lane_mark_of_a_town_lies_on_a_border(town: Town) -> None:
    by_box = [(b, b.points.min(axis=0) - 1.0, b.points.max(axis=0) + 1.0) for b in town.borders]
    marks = [surface for surface in town.surfaces if surface.kind == 'lane_mark']
    assert marks
    for surface in marks[:: max(1, len(marks) // 150)]:
        vertices = surface.vertices.astype(np.float64)
        fits = False
        for border, low, high in by_box:
            if (
                border.colour != surface.colour
                or (vertices < low).any()
                or (vertices > high).any()
            ):
                continue
            # Of a double mark: half the space between the lines, and a whole line.
            double = ' ' in border.kind
            reach = SPACE_M / 2 + border.width_m if double else border.width_m / 2
            distances = distance_to_line(vertices[:, :2], border.points[:, :2])
            fits = fits or bool((distances < reach + 5e-3).all())
        assert fits


def test_pieces_of_one_mark_share_a_number_that_no_other_mark_has(town: Town) -> None:
    middles: dict[int, set[str]] = {}
    for surface in town.surfaces:
        if surface.colour:
            middles.setdefault(surface.instance, set()).add(f'{surface.kind} {surface.colour}')
    assert all(len(kinds) == 1 for kinds in middles.values())
    marks = [kinds for kinds in middles.values() if any('lane_mark' in kind for kind in kinds)]
    assert len(marks) == len(town.borders)


def test_the_hills_are_more_worn_than_the_highway() -> None:
    from carla_bridge.mini_carla.towns import load_town

    wear = {
        name: np.array([s.wear for s in load_town(name).surfaces if s.kind == 'lane_mark'])
        for name in ('Town_hills', 'Town_highway')
    }
    assert all(((w >= 0) & (w <= 1)).all() for w in wear.values())
    assert wear['Town_hills'].mean() > wear['Town_highway'].mean() + 0.2
    assert wear['Town_hills'].std() > 0.1
