"""Boxes stand beside the roads, on the ground, clear of each other, and where the seed says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carla_bridge.mini_carla.geometry import Box
from carla_bridge.mini_carla.towns import load_town

if TYPE_CHECKING:
    from carla_bridge.mini_carla.geometry import Town
    from carla_bridge.mini_carla.towns.network import Network


def corners_of(box: Box) -> np.ndarray:
    """Ground corners (4, 2) in the world frame."""
    x, y, _ = box.extent
    local = [(sx * x, sy * y, 0.0, 1.0) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return np.array([(box.transform.matrix() @ corner)[:2] for corner in local])


def test_no_box_stands_on_a_driving_lane(town: Town, network: Network) -> None:
    points, reach = [], []
    for road in network.roads:
        s = np.linspace(0, road.curve.length, max(2, int(road.curve.length / 0.5)))
        for section, end in zip(road.sections, road.section_ends(), strict=True):
            here = s[(s >= section.s) & (s <= end)]
            for lane in section.lanes:
                if lane.kind == 'driving' and lane.id != 0:
                    a, b = section.inner_t(lane.id, here), section.outer_t(lane.id, here)
                    points.append(road.points(here, (a + b) / 2)[:, :2])
                    reach.append(abs(b - a) / 2)
    lanes, half = np.concatenate(points) * (1.0, -1.0), np.concatenate(reach)
    for box in town.boxes:
        samples = np.concatenate([corners_of(box), [(box.transform.x, box.transform.y)]])
        distance = np.linalg.norm(samples[:, None] - lanes, axis=2) - half
        assert distance.min() > -0.02, f'{box.kind} at {box.transform}'


def test_buildings_do_not_touch_each_other(town: Town) -> None:
    circles = [
        (box.transform.x, box.transform.y, math.hypot(*box.extent[:2]))
        for box in town.boxes
        if box.kind == 'building'
    ]
    assert len(circles) > 5
    for i, (x, y, r) in enumerate(circles):
        for a, b, q in circles[:i]:
            assert math.hypot(x - a, y - b) > r + q


def test_boxes_reach_down_to_the_ground(town: Town) -> None:
    for box in town.boxes:
        bottom = box.transform.z - box.extent[2]
        height = town.height(box.transform.x, box.transform.y)
        if box.kind == 'crown':
            assert bottom > height + 1.0
        elif box.kind == 'building':
            assert bottom == pytest.approx(height - 1.5, abs=0.01)
        else:
            assert bottom == pytest.approx(height, abs=0.25)


def test_a_tree_is_a_trunk_with_a_crown_of_the_same_number(town: Town) -> None:
    trunks = {box.instance: box for box in town.boxes if box.kind == 'trunk'}
    crowns = {box.instance: box for box in town.boxes if box.kind == 'crown'}
    assert trunks.keys() == crowns.keys()
    assert len(trunks) > 10


def test_rails_follow_the_road_even_along_an_emergency_bay() -> None:
    from carla_bridge.mini_carla.towns.catalogue import TOWNS

    road = TOWNS['Town_highway']().network.roads[0]
    town = load_town('Town_highway')
    rails = [box for box in town.boxes if box.kind == 'guard_rail']
    in_bay = [
        -box.transform.y - road.curve.start.y
        for box in rails
        if abs(box.transform.x - road.curve.start.x - 255.0) < 15.0 and box.transform.y > 0
    ]
    edge = abs(road.edge_t(255.0, -1, ('driving', 'median', 'shoulder')))
    assert edge == pytest.approx(1.4 + 3 * 3.75 + 5.5)
    assert sorted({round(abs(t), 3) for t in in_bay}) == pytest.approx([edge + 0.4])


def test_the_seed_decides_what_stands_there_and_never_the_road() -> None:
    first, again, other = (load_town('Town_ring', seed) for seed in (1, 1, 2))
    assert first.boxes == again.boxes
    assert first.boxes != other.boxes
    assert first.opendrive == other.opendrive
    assert [s.wear for s in first.surfaces] == [s.wear for s in again.surfaces]
    assert [s.wear for s in first.surfaces] != [s.wear for s in other.surfaces]
    for a, b in zip(first.surfaces, other.surfaces, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
