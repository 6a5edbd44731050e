"""Tag tables by version, and tags read back from colours."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from lane_seg.carla_tags import UNKNOWN_TAG, palette_of, tags_from_palette, tags_of
from lane_seg.errors import LaneSegError

VERSIONS = ('0.9.13', '0.9.16')


@pytest.mark.carla
@pytest.mark.skipif(importlib.util.find_spec('carla') is None, reason='needs the carla client')
def test_the_tags_are_those_of_the_installed_client() -> None:
    import carla

    theirs = {name: int(label) for name, label in carla.CityObjectLabel.names.items()}
    ours = dict(tags_of('0.9.16'))
    assert theirs.pop('NONE') == ours.pop('None')  # a reserved word of Python
    assert theirs.pop('Any') == UNKNOWN_TAG
    assert ours == theirs


@pytest.mark.parametrize(
    ('version', 'road_lines', 'roads'),
    [('0.9.12', 6, 7), ('0.9.13', 6, 7), ('0.9.14', 24, 1), ('0.9.15-dirty', 24, 1)]
    + [('0.9.16', 24, 1), ('0.10.0', 24, 1)],
)
def test_road_lines_have_the_number_of_the_version(
    version: str, road_lines: int, roads: int
) -> None:
    assert tags_of(version)['RoadLines'] == road_lines
    assert tags_of(version)['Roads'] == roads


@pytest.mark.parametrize('version', ['latest', '', '0.9'])
def test_what_is_no_version_is_named(version: str) -> None:
    with pytest.raises(LaneSegError, match=repr(version)):
        tags_of(version)


@pytest.mark.parametrize('version', VERSIONS)
def test_every_tag_has_a_colour_of_its_own(version: str) -> None:
    palette = palette_of(version)
    assert len(palette) == len(tags_of(version))
    assert len(np.unique(palette, axis=0)) == len(palette)


@pytest.mark.parametrize('version', VERSIONS)
@given(
    tags=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                       elements=st.integers(0, 22)),
    alpha=st.booleans(),
)  # fmt: skip
def test_tags_survive_the_way_through_colours(
    version: str, tags: NDArray[np.uint8], alpha: bool
) -> None:
    palette = palette_of(version)
    image = np.ascontiguousarray(palette[tags][..., ::-1])
    if alpha:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    np.testing.assert_array_equal(tags_from_palette(image, palette), tags)


def test_a_colour_that_no_tag_has_is_unknown() -> None:
    image = np.full((2, 3, 3), 1, np.uint8)
    assert (tags_from_palette(image, palette_of('0.9.16')) == UNKNOWN_TAG).all()
