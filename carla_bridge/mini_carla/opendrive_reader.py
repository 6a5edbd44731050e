"""A town out of any OpenDRIVE text, for `generate_opendrive_world`: roads, paint, bare land.

Read are lines, arcs and clothoids, elevation, lanes with their widths, and lane marks. Roads of
junctions are drawn like all others; crosswalks, signals and superelevation are left out of the
picture, while the client gets the text as it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

from carla_bridge.mini_carla.geometry import Town
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
from carla_bridge.mini_carla.towns.plan import TownPlan, build, spawn_points
from carla_bridge.mini_carla.towns.scenery import Scenery
from lane_seg.errors import LaneSegError

__all__ = ['GENERATED_MAP', 'town_of_opendrive']

GENERATED_MAP = 'OpenDriveMap'
"""Name of the map that `generate_opendrive_world` makes, CARLA's and ours."""

_DRIVING = ('driving', 'bidirectional', 'entry', 'exit', 'onRamp', 'offRamp', 'connectingRamp')
_MARKS = ('solid', 'broken', 'solid solid', 'solid broken', 'broken solid', 'broken broken')
_BARE = Scenery(buildings=None, trees=None)
_MAX_GAP_M = 0.1


def town_of_opendrive(text: str, seed: int) -> Town:
    """Build a town of an OpenDRIVE document.

    Args:
        text: XML.
        seed: of the wear of the paint.

    Raises:
        LaneSegError: it is no OpenDRIVE, or has what we cannot draw.
    """
    try:
        # Not from strangers: whoever may call us may also shut the simulation down.
        root = ElementTree.fromstring(text)
        nodes = root.findall('road')
        roads = tuple(_road(node) for node in nodes)
    except (ElementTree.ParseError, TypeError, KeyError, ValueError) as error:
        raise LaneSegError(f'expected an OpenDRIVE document, found: {error!r}') from error
    if not roads:
        raise LaneSegError('expected an OpenDRIVE document with roads, found none')
    hilly = any(poly != Poly3(poly.s, 0.0) for road in roads for poly in road.elevation)
    town = build(TownPlan(Network(GENERATED_MAP, roads), _BARE, hilly), seed)
    open_roads = tuple(
        road for node, road in zip(nodes, roads, strict=True) if node.get('junction', '-1') == '-1'
    )
    starts = tuple(spawn_points(Network(GENERATED_MAP, open_roads)))
    return replace(town, opendrive=text, spawn_points=starts)


def _road(node: ElementTree.Element) -> Road:
    number = int(node.attrib['id'])
    offsets = [_poly(record, 's') for record in node.findall('lanes/laneOffset')]
    if any((poly.a, poly.b, poly.c, poly.d) != (0.0, 0.0, 0.0, 0.0) for poly in offsets):
        raise LaneSegError(
            f'expected roads without laneOffset, found one on road {number}, which mini_carla '
            'cannot draw; use a world of its own instead'
        )
    elevation = tuple(_poly(record, 's') for record in node.findall('elevationProfile/elevation'))
    return Road(
        id=number,
        curve=_curve(node, number),
        sections=tuple(_section(part) for part in node.findall('lanes/laneSection')),
        elevation=elevation or (Poly3(0.0, 0.0),),
    )


def _curve(node: ElementTree.Element, number: int) -> Curve:
    geometries = node.findall('planView/geometry')
    poses = [
        Pose(float(part.attrib['x']), float(part.attrib['y']), float(part.attrib['hdg']))
        for part in geometries
    ]
    curve = Curve(poses[0], tuple(_element(part, number) for part in geometries))
    for stated, found in zip(poses, curve.poses, strict=True):
        if math.hypot(stated.x - found.x, stated.y - found.y) > _MAX_GAP_M:
            raise LaneSegError(f'expected a reference line without gaps, found one: road {number}')
    return curve


def _element(node: ElementTree.Element, number: int) -> Element:
    length = float(node.attrib['length'])
    arc, spiral = node.find('arc'), node.find('spiral')
    if spiral is not None:
        return Element(length, float(spiral.attrib['curvStart']), float(spiral.attrib['curvEnd']))
    if arc is not None:
        curvature = float(arc.attrib['curvature'])
        return Element(length, curvature, curvature)
    if node.find('line') is None:
        kinds = ', '.join(child.tag for child in node)
        raise LaneSegError(
            f'expected line, arc or spiral, found {kinds} on road {number}, which mini_carla '
            'cannot draw'
        )
    return Element(length)


def _section(node: ElementTree.Element) -> LaneSection:
    lanes = sorted(node.iter('lane'), key=lambda lane: -int(lane.attrib['id']))
    return LaneSection(float(node.attrib['s']), tuple(_lane(lane) for lane in lanes))


def _lane(node: ElementTree.Element) -> Lane:
    kind = node.get('type', 'none')
    if kind in _DRIVING:
        kind = 'driving'
    elif kind != 'sidewalk':
        # Paved and not for driving; there is no other ground of that width.
        kind = 'shoulder'
    return Lane(
        id=int(node.attrib['id']),
        kind=kind,
        width=tuple(_poly(record, 'sOffset') for record in node.findall('width')),
        marks=tuple(_marks(node)) or ((0.0, NO_MARK),),
    )


def _marks(lane: ElementTree.Element) -> Iterator[tuple[float, RoadMark]]:
    for node in lane.findall('roadMark'):
        kind = node.get('type', 'none')
        lines = node.findall('type/line')
        dashed = next((line for line in lines if float(line.get('space', '0')) > 0), None)
        dash, gap = 3.0, 6.0
        if dashed is not None:
            dash, gap = float(dashed.attrib['length']), float(dashed.attrib['space'])
        mark = RoadMark(
            kind=kind if kind in _MARKS else 'none',
            colour='yellow' if node.get('color') == 'yellow' else 'white',
            width_m=float(node.get('width', '0.15')) or 0.15,
            dash_m=dash,
            gap_m=gap,
        )
        yield float(node.get('sOffset', '0')), mark


def _poly(node: ElementTree.Element, offset: str) -> Poly3:
    return Poly3(*(float(node.attrib[name]) for name in (offset, 'a', 'b', 'c', 'd')))
