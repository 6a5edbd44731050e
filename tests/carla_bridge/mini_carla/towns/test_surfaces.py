"""The ground: complete, wound the same way round, in short pieces, kerbs that rise outwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from carla_bridge.mini_carla.towns.sampling import pieces

if TYPE_CHECKING:
    from carla_bridge.mini_carla.geometry import Surface, Town
    from carla_bridge.mini_carla.towns.network import Network


def plan_of(surface: Surface) -> NDArray[np.float64]:
    """Vertices (N, 2) in OpenDRIVE's plane."""
    return surface.vertices[:, :2].astype(np.float64) * (1.0, -1.0)


def area(points: NDArray[np.float64]) -> float:
    x, y = (points - points.mean(axis=0)).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def test_every_polygon_is_counter_clockwise_seen_from_above(town: Town) -> None:
    assert all(area(plan_of(surface)) > 0 for surface in town.surfaces)


def test_numbers_fit_the_instance_image(town: Town) -> None:
    numbers = {thing.instance for thing in (*town.surfaces, *town.boxes)}
    assert min(numbers) >= 1
    assert max(numbers) < 50_000


def test_the_carriageway_covers_the_driving_lanes_and_nothing_else(
    town: Town, network: Network
) -> None:
    roads = [road for road in network.roads if road.junction == -1]
    expected = 0.0
    for road in roads:
        s = np.linspace(0, road.curve.length, 4001)
        middle = (s[1:] + s[:-1]) / 2
        curvature = road.curve.curvature(middle)
        for section, end in zip(road.sections, road.section_ends(), strict=True):
            here = (middle >= section.s) & (middle < end)
            for lane in section.lanes:
                if lane.kind == 'driving' and lane.id != 0:
                    a = section.inner_t(lane.id, middle[here])
                    b = section.outer_t(lane.id, middle[here])
                    # The area element of (s, t) is 1 - curvature t.
                    strip = abs(b - a) * (1 - curvature[here] * (a + b) / 2)
                    expected += float(strip.sum()) * road.curve.length / 4000
    lows = [s for s in town.surfaces if s.kind == 'road']
    in_junctions = len(network.junctions)
    found = sum(area(plan_of(s)) for s in lows[: len(lows) - in_junctions])
    assert found == pytest.approx(expected, rel=2e-3)


def test_runs_of_samples_are_short_and_follow_each_other(network: Network) -> None:
    for road in network.roads:
        runs = pieces(road, 0.0, road.curve.length)
        assert runs[0][0] == 0.0
        assert runs[-1][-1] == pytest.approx(road.curve.length)
        for run, after in zip(runs, runs[1:], strict=False):
            assert run[-1] == after[0]
        assert all(0 < run[-1] - run[0] <= 6.0 + 1e-6 for run in runs)


def test_chords_stay_within_five_millimetres_of_the_road(network: Network) -> None:
    for road in network.roads:
        for run in pieces(road, 0.0, road.curve.length)[::3]:
            ends = road.points(run, 0.0)
            middles = road.points((run[1:] + run[:-1]) / 2, 0.0)
            off = np.linalg.norm(middles - (ends[1:] + ends[:-1]) / 2, axis=1)
            assert off.max() < 5e-3


def test_kerbs_rise_from_the_carriageway_to_the_sidewalk(town: Town) -> None:
    kerbs = [s.vertices[:, 2] for s in town.surfaces if s.kind == 'kerb']
    walks = [s.vertices[:, 2] for s in town.surfaces if s.kind == 'sidewalk']
    assert bool(kerbs) == (town.name in ('Town_ring', 'Town_grid'))
    assert all(z.min() == 0.0 and z.max() == pytest.approx(0.12) for z in kerbs)
    assert all(z == pytest.approx(0.12) for z in walks)
