"""Tag tables by version, checked against the installed client."""

from __future__ import annotations

import importlib.util

import pytest

from carla_bridge.mini_carla.render.labels import KINDS, kind_number, tag_table, tags
from lane_seg.errors import LaneSegError


@pytest.mark.carla
@pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the carla client')
def test_the_tags_are_those_of_the_installed_client() -> None:
    import carla

    theirs = {name: int(label) for name, label in carla.CityObjectLabel.names.items()}
    ours = dict(tags('0.9.16'))
    assert theirs.pop('NONE') == ours.pop('None')  # a reserved word of Python
    assert theirs.pop('Any') == 255
    assert ours == theirs


@pytest.mark.parametrize('version', ['0.9.14', '0.9.15', '0.9.16', '0.10.0'])
def test_newer_versions_have_the_cityscapes_order(version: str) -> None:
    table = tag_table(version)
    assert table[kind_number('road')] == 1
    assert table[kind_number('lane_mark')] == 24
    assert table[kind_number('guard_rail')] == 28
    assert table[kind_number('vehicle')] == 14


def test_version_0_9_13_has_its_own_numbers() -> None:
    table = tag_table('0.9.13')
    assert table[kind_number('road')] == 7
    assert table[kind_number('lane_mark')] == 6
    assert table[kind_number('vehicle')] == 10
    assert table[kind_number('terrain')] == 22


def test_all_paint_counts_as_road_lines() -> None:
    table = tag_table('0.9.16')
    for kind in ('lane_mark', 'crosswalk', 'stop_line', 'arrow'):
        assert table[kind_number(kind)] == 24
    assert len(table) == len(KINDS)


def test_an_unknown_kind_or_version_is_named() -> None:
    with pytest.raises(LaneSegError, match='zeppelin'):
        kind_number('zeppelin')
    with pytest.raises(LaneSegError, match='latest'):
        tags('latest')
