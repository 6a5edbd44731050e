"""Towns out of OpenDRIVE texts."""

from __future__ import annotations

import numpy as np
import pytest

from carla_bridge.mini_carla.geometry import Town
from carla_bridge.mini_carla.opendrive_reader import GENERATED_MAP, town_of_opendrive
from carla_bridge.mini_carla.towns import available_towns, load_town
from lane_seg.errors import LaneSegError

ROAD = (
    '<OpenDRIVE><road name="r" length="50" id="4" junction="-1"><planView>'
    '<geometry s="0" x="0" y="0" hdg="0" length="50">{shape}</geometry></planView>'
    '<lanes>{offset}<laneSection s="0"><center><lane id="0" type="none">'
    '<roadMark sOffset="0" type="broken" color="yellow" width="0.2"/></lane></center>'
    '<right><lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/>'
    '<roadMark sOffset="0" type="solid" color="standard" width="0.1"/></lane></right>'
    '</laneSection></lanes></road></OpenDRIVE>'
)


def borders_of(town: Town) -> dict[tuple[int, int, str, str], list[np.ndarray]]:
    found: dict[tuple[int, int, str, str], list[np.ndarray]] = {}
    for border in town.borders:
        key = (border.road, border.lane, border.kind, border.colour)
        found.setdefault(key, []).append(border.points)
    return found


@pytest.mark.parametrize('name', ['Town_grid', 'Town_hills'])
def test_a_town_of_ours_comes_back_from_its_own_text(name: str) -> None:
    assert name in available_towns()
    built = load_town(name)
    read = town_of_opendrive(built.opendrive, 0)
    assert read.name == GENERATED_MAP
    assert read.opendrive == built.opendrive
    assert len(read.spawn_points) == len(built.spawn_points)
    for ours, theirs in zip(built.spawn_points, read.spawn_points, strict=True):
        assert ours.matrix() == pytest.approx(theirs.matrix(), abs=1e-4)
    first, second = borders_of(built), borders_of(read)
    assert set(first) == set(second)
    for key, lines in first.items():
        for ours, theirs in zip(lines, second[key], strict=True):
            assert ours == pytest.approx(theirs, abs=1e-4)
    for place in built.spawn_points[::20]:
        assert read.height(place.x, place.y) == pytest.approx(
            built.height(place.x, place.y), abs=1e-3
        )


def test_a_road_has_the_paint_that_its_text_states() -> None:
    town = town_of_opendrive(ROAD.format(shape='<line/>', offset=''), 0)
    marks = {(border.kind, border.colour, border.width_m) for border in town.borders}
    assert marks == {('broken', 'yellow', 0.2), ('solid', 'white', 0.1)}
    assert {surface.kind for surface in town.surfaces} >= {'road', 'lane_mark', 'terrain'}
    assert town.boxes == ()


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('<OpenDRIVE', 'expected an OpenDRIVE document'),
        ('<OpenDRIVE/>', 'with roads, found none'),
        ('<OpenDRIVE><road/></OpenDRIVE>', "KeyError\\('id'\\)"),
        (ROAD.format(shape='<paramPoly3/>', offset=''), 'found paramPoly3 on road 4'),
        (
            ROAD.format(shape='<line/>', offset='<laneOffset s="0" a="1.5" b="0" c="0" d="0"/>'),
            'without laneOffset',
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(text: str, said: str) -> None:
    with pytest.raises(LaneSegError, match=said):
        town_of_opendrive(text, 0)
