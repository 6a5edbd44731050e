"""The OpenDRIVE text: well-formed, linked both ways, equal to the network that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from carla_bridge.mini_carla.geometry import Town
    from carla_bridge.mini_carla.towns.network import Network


def test_the_text_holds_every_road_with_its_length(town: Town, network: Network) -> None:
    root = ElementTree.fromstring(town.opendrive)
    lengths = {int(r.get('id', '')): float(r.get('length', '')) for r in root.iter('road')}
    assert lengths == pytest.approx({road.id: road.curve.length for road in network.roads})
    for road in root.iter('road'):
        parts = [float(g.get('length', '')) for g in road.iter('geometry')]
        assert sum(parts) == pytest.approx(float(road.get('length', '')))


def test_the_text_names_its_maker_and_not_carla_as_its_source(town: Town) -> None:
    header = ElementTree.fromstring(town.opendrive).find('header')
    assert header is not None
    assert 'mini_carla' in header.get('vendor', '')


def test_links_between_roads_point_back(town: Town) -> None:
    roads = {r.get('id'): r for r in ElementTree.fromstring(town.opendrive).iter('road')}
    checked = 0
    for name, road in roads.items():
        if road.get('junction') != '-1':
            continue
        for own, tag in (('start', 'predecessor'), ('end', 'successor')):
            link = road.find(f'link/{tag}')
            assert link is not None, f'road {name} has no {tag}'
            if link.get('elementType') == 'road':
                back = 'predecessor' if link.get('contactPoint') == 'start' else 'successor'
                other = roads[link.get('elementId')].find(f'link/{back}')
                assert other is not None
                assert (other.get('elementId'), other.get('contactPoint')) == (name, own)
                checked += 1
    assert checked or 'grid' in town.name


def test_lane_links_name_lanes_that_exist(town: Town) -> None:
    root = ElementTree.fromstring(town.opendrive)
    roads = {road.get('id'): road for road in root.iter('road')}

    def lanes_at(link: ElementTree.Element) -> set[str | None]:
        sections = roads[link.get('elementId')].findall('lanes/laneSection')
        section = sections[0 if link.get('contactPoint') == 'start' else -1]
        return {lane.get('id') for lane in section.iter('lane')}

    for road in roads.values():
        first, *_, last = [None, *road.findall('lanes/laneSection')]
        for section, tag in ((first, 'predecessor'), (last, 'successor')):
            link = road.find(f'link/{tag}')
            if section is None or link is None or link.get('elementType') != 'road':
                continue
            targets = [target.get('id') for target in section.iterfind(f'.//lane/link/{tag}')]
            assert targets
            assert set(targets) <= lanes_at(link)


def test_connections_of_a_junction_start_on_the_lane_that_they_name(town: Town) -> None:
    root = ElementTree.fromstring(town.opendrive)
    roads = {road.get('id'): road for road in root.iter('road')}
    connections = list(root.iter('connection'))
    assert bool(connections) == ('grid' in town.name)
    for connection in connections:
        way = roads[connection.get('connectingRoad')]
        link, lane_link = way.find('link/predecessor'), connection.find('laneLink')
        before = way.find(".//lane[@id='-1']/link/predecessor")
        assert link is not None and lane_link is not None and before is not None
        assert link.get('elementId') == connection.get('incomingRoad')
        assert before.get('id') == lane_link.get('from')


def test_dashes_stand_in_the_text_as_they_are_painted(town: Town, network: Network) -> None:
    root = ElementTree.fromstring(town.opendrive)
    written = {
        (float(line.get('length', '')), float(line.get('space', '')), float(line.get('width', '')))
        for mark in root.iter('roadMark')
        for line in mark.iter('line')
        if float(line.get('space', '')) > 0
    }
    planned = {
        (mark.dash_m, mark.gap_m, mark.width_m)
        for road in network.roads
        for section in road.sections
        for lane in section.lanes
        for _, mark in lane.marks
        if 'broken' in mark.kind
    }
    assert written == planned
