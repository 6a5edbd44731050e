"""OpenDRIVE 1.4 text of a road network, as the `carla` client's own parser reads it.

The client knows what it drives on from this text alone: waypoints, topology, lane marks,
crosswalks, landmarks and the paint that it calls road marks (objects named `Stencil_...`).
Reference: OpenDRIVE Format Specification, Rev. 1.4, 2015.
"""

from __future__ import annotations

from xml.etree import ElementTree

from carla_bridge.mini_carla.towns.network import (
    Junction,
    Lane,
    LaneSection,
    Link,
    Network,
    Poly3,
    Road,
    RoadMark,
    RoadObject,
)

__all__ = ['opendrive_text']

_PROJECTION = '+proj=tmerc +lat_0=0 +lon_0=0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs'

_STOP_SIGN = '206'
"""CARLA's type of a stop sign."""


def opendrive_text(network: Network) -> str:
    """Return the network as an OpenDRIVE document that ends with a line break."""
    root = ElementTree.Element('OpenDRIVE')
    header = _add(
        root,
        'header',
        revMajor=1,
        revMinor=4,
        name=network.name,
        version=1,
        date='2025-01-01T00:00:00',
        north=0.0,
        south=0.0,
        east=0.0,
        west=0.0,
        vendor='lane_seg_ros mini_carla',
    )
    _add(header, 'geoReference').text = _PROJECTION
    for road in network.roads:
        _add_road(root, road, network)
    for junction in network.junctions:
        _add_junction(root, junction)
    ElementTree.indent(root, ' ')
    return ElementTree.tostring(root, encoding='unicode', xml_declaration=True) + '\n'


def _add(
    parent: ElementTree.Element, tag: str, **attributes: float | str | None
) -> ElementTree.Element:
    """Append an element; floats keep a nanometre, attributes that are None are left out."""
    texts = {
        key: f'{value:.12g}' if isinstance(value, float) else str(value)
        for key, value in attributes.items()
        if value is not None
    }
    return ElementTree.SubElement(parent, tag, texts)


def _add_poly(parent: ElementTree.Element, tag: str, offset: str, poly: Poly3) -> None:
    """Append one cubic record; `offset` is the name of its s attribute."""
    values = {offset: poly.s, 'a': poly.a, 'b': poly.b, 'c': poly.c, 'd': poly.d}
    _add(parent, tag, **values)


def _add_road(root: ElementTree.Element, road: Road, network: Network) -> None:
    node = _add(
        root,
        'road',
        name=f'Road {road.id}',
        length=road.curve.length,
        id=road.id,
        junction=road.junction,
    )
    link = _add(node, 'link')
    for tag, target in (('predecessor', road.predecessor), ('successor', road.successor)):
        if target is not None:
            _add(
                link,
                tag,
                elementType=target.kind,
                elementId=target.id,
                contactPoint=target.contact,
            )
    kind = _add(node, 'type', s=0.0, type='town')
    _add(kind, 'speed', max=road.speed_kmh, unit='km/h')
    plan = _add(node, 'planView')
    starts = road.curve.starts
    for s, pose, element in zip(starts, road.curve.poses, road.curve.elements, strict=True):
        geometry = _add(
            plan,
            'geometry',
            s=float(s),
            x=pose.x,
            y=pose.y,
            hdg=pose.heading,
            length=element.length,
        )
        if element.kind == 'spiral':
            _add(geometry, 'spiral', curvStart=element.start, curvEnd=element.end)
        elif element.kind == 'arc':
            _add(geometry, 'arc', curvature=element.start)
        else:
            _add(geometry, 'line')
    profile = _add(node, 'elevationProfile')
    for poly in road.elevation:
        _add_poly(profile, 'elevation', 's', poly)
    _add(node, 'lateralProfile')
    lanes = _add(node, 'lanes')
    _add_poly(lanes, 'laneOffset', 's', Poly3(0.0, 0.0))
    for i, section in enumerate(road.sections):
        _add_section(lanes, road, i, section, network)
    objects = _add(node, 'objects')
    for i, thing in enumerate(road.objects):
        _add_object(objects, f'{road.id}{i:03d}', thing)
    signals = _add(node, 'signals')
    for i, stop in enumerate(road.stops):
        _add_stop_sign(signals, f'{road.id}{900 + i}', road, *stop)


def _add_section(
    lanes: ElementTree.Element, road: Road, index: int, section: LaneSection, network: Network
) -> None:
    node = _add(lanes, 'laneSection', s=section.s)
    before = _neighbour_lanes(road, index - 1, road.predecessor, network)
    after = _neighbour_lanes(road, index + 1, road.successor, network)
    for tag, sign in (('left', 1), ('center', 0), ('right', -1)):
        side = [lane for lane in section.lanes if (lane.id > 0) - (lane.id < 0) == sign]
        if not side:
            continue
        group = _add(node, tag)
        for lane in side:
            kind = 'none' if lane.id == 0 else lane.kind
            item = _add(group, 'lane', id=lane.id, type=kind, level='false')
            if lane.id != 0:
                _add_lane_link(item, lane, before, after)
            for poly in lane.width:
                _add_poly(item, 'width', 'sOffset', poly)
            for offset, mark in lane.marks:
                _add_mark(item, offset, mark, lane.id)
            if lane.height_m:
                _add(item, 'height', sOffset=0.0, inner=lane.height_m, outer=lane.height_m)


def _neighbour_lanes(road: Road, index: int, link: Link | None, network: Network) -> set[int]:
    """Return the ids of the lanes that touch a section at one of its ends."""
    if 0 <= index < len(road.sections):
        return {lane.id for lane in road.sections[index].lanes}
    if link is None or link.kind == 'junction':
        return set()
    other = network.road(link.id)
    section = other.sections[0 if link.contact == 'start' else -1]
    return {lane.id for lane in section.lanes}


def _add_lane_link(
    item: ElementTree.Element, lane: Lane, before: set[int], after: set[int]
) -> None:
    link = _add(item, 'link')
    for tag, stated, there in (
        ('predecessor', lane.predecessor, before),
        ('successor', lane.successor, after),
    ):
        target = lane.id if stated is None else stated
        if target in there:
            _add(link, tag, id=target)


def _add_mark(item: ElementTree.Element, offset: float, mark: RoadMark, lane_id: int) -> None:
    painted = bool(mark.lines)
    node = _add(
        item,
        'roadMark',
        sOffset=offset,
        type=mark.kind,
        weight='standard',
        color=mark.colour if painted else 'standard',
        width=mark.width_m if painted else None,
        laneChange='both' if mark.kind == 'broken' else 'none',
    )
    if not painted:
        return
    kind = _add(node, 'type', name=mark.kind, width=mark.width_m)
    for word, t in mark.lines:
        _add(
            kind,
            'line',
            length=mark.dash_m if word == 'broken' else 1.0,
            space=mark.gap_m if word == 'broken' else 0.0,
            tOffset=-t if lane_id > 0 else t,
            sOffset=0.0,
            rule='none',
            width=mark.width_m,
        )


def _add_object(objects: ElementTree.Element, name: str, thing: RoadObject) -> None:
    us, vs = zip(*thing.outline, strict=True)
    node = _add(
        objects,
        'object',
        id=name,
        name=thing.name,
        type='crosswalk' if thing.kind == 'crosswalk' else 'roadMark',
        s=thing.s,
        t=thing.t,
        zOffset=0.0,
        hdg=0.0,
        pitch=0.0,
        roll=0.0,
        orientation='+' if thing.forward else '-',
        length=float(max(us) - min(us)),
        width=float(max(vs) - min(vs)),
    )
    outline = _add(node, 'outline')
    # The client closes no polygon by itself: the first corner comes once more at the end.
    for u, v in (*thing.outline, thing.outline[0]):
        _add(outline, 'cornerLocal', u=u, v=v, z=0.0)


def _add_stop_sign(
    signals: ElementTree.Element, name: str, road: Road, s: float, t: float, forward: bool
) -> None:
    lanes = [lane.id for lane in road.section_at(s).lanes if lane.kind == 'driving']
    side = [i for i in lanes if (i < 0) == forward]
    node = _add(
        signals,
        'signal',
        id=name,
        name=f'Sign_Stop_{name}',
        s=s,
        t=t,
        zOffset=2.2,
        hOffset=0.0,
        pitch=0.0,
        roll=0.0,
        orientation='+' if forward else '-',
        dynamic='no',
        country='OpenDRIVE',
        type=_STOP_SIGN,
        subtype='-1',
        value=-1.0,
        text='STOP',
        height=0.75,
        width=0.75,
    )
    _add(node, 'validity', fromLane=min(side), toLane=max(side))


def _add_junction(root: ElementTree.Element, junction: Junction) -> None:
    node = _add(root, 'junction', id=junction.id, name=f'Junction {junction.id}')
    for i, (incoming, connecting, lane) in enumerate(junction.connections):
        connection = _add(
            node,
            'connection',
            id=i,
            incomingRoad=incoming,
            connectingRoad=connecting,
            contactPoint='start',
        )
        _add(connection, 'laneLink', **{'from': lane, 'to': -1})
