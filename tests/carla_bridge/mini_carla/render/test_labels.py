"""The tag of each kind of thing, by version."""

from __future__ import annotations

import pytest

from carla_bridge.mini_carla.render.labels import KINDS, kind_number, tag_table
from lane_seg.errors import LaneSegError


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
        tag_table('latest')
