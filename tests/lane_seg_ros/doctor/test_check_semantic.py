"""Raw tags, palette colours, camera pictures: which is which, and of which version."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lane_seg.carla_tags import PALETTE_0_9_13, PALETTE_0_9_14, TAGS_0_9_13, TAGS_0_9_14
from lane_seg_ros.doctor.check_semantic import (
    check_semantic_images,
    form_of,
    version_of_palette,
    version_of_tags,
)
from tests.lane_seg_ros.doctor.observed import image, layout, seen, the

TAGS = {'0.9.13': TAGS_0_9_13, '0.9.14': TAGS_0_9_14}
PALETTES = {'0.9.13': PALETTE_0_9_13, '0.9.14': PALETTE_0_9_14}
VERSIONS = ('0.9.13', '0.9.14')


def street(version: str, *, lines: bool = True) -> np.ndarray:
    """(60, 80) uint8 tags: sky, vegetation, a road with lines."""
    tags = np.full((60, 80), TAGS[version]['Sky'], np.uint8)
    tags[25:30] = TAGS[version]['Vegetation']
    tags[30:] = TAGS[version]['Roads']
    if lines:
        tags[30:, 38:41] = TAGS[version]['RoadLines']
    return tags


def raw(tags: np.ndarray) -> np.ndarray:
    picture = np.zeros((*tags.shape, 3), np.uint8)
    picture[..., 2] = tags
    return picture


def coloured(tags: np.ndarray, version: str) -> np.ndarray:
    return np.ascontiguousarray(PALETTES[version][tags][..., ::-1])


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('lines', [True, False])
def test_raw_tags_are_told_with_the_table_that_they_follow(version: str, lines: bool) -> None:
    picture = raw(street(version, lines=lines))
    assert form_of(picture) == 'tags'
    assert version_of_tags(picture[..., 2])[0] == version
    found = the(check_semantic_images(seen(images=(image(samples=(picture,)),))), 'semantic-tags')
    assert f'RoadLines is {TAGS[version]["RoadLines"]}' in found.fix


@pytest.mark.parametrize('version', VERSIONS)
def test_palette_colours_are_told_with_the_version_where_it_shows(version: str) -> None:
    tags = street(version)
    # Terrain has another colour in each version.
    tags[20:25] = TAGS[version]['Terrain']
    picture = coloured(tags, version)
    assert form_of(picture) == 'palette'
    assert version_of_palette(picture)[0] == version
    found = the(
        check_semantic_images(seen(images=(image(samples=(picture,)),))), 'semantic-palette'
    )
    assert 'tags_from_palette' in found.fix


def test_colours_that_both_versions_share_decide_nothing() -> None:
    assert version_of_palette(coloured(street('0.9.14'), '0.9.14'))[0] is None


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 28)
    )
)
def test_any_tags_are_read_as_tags_and_never_by_the_wrong_table(tags: np.ndarray) -> None:
    assert form_of(raw(tags)) == ('tags' if tags.any() else 'black')
    version, evidence = version_of_tags(tags)
    assert evidence
    if tags.max() > 22:
        assert version == '0.9.14'


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_no_picture_breaks_the_check(picture: np.ndarray) -> None:
    findings = list(check_semantic_images(seen(images=(image(samples=(picture,)),))))
    assert len(findings) <= 1


def test_a_camera_picture_is_no_semantic_one() -> None:
    assert form_of(noise()) == 'picture'
    assert not list(check_semantic_images(seen(images=(image(samples=(noise(),)),))))


@pytest.mark.parametrize(
    ('changes', 'severity'),
    [({'name': '/carla/hero/semantic/image'}, 'warning'), ({'is_label': True}, 'error')],
)
def test_a_camera_picture_on_a_semantic_topic_is_named(
    changes: dict[str, object], severity: str
) -> None:
    topic = image(samples=(noise(),), **changes)
    assert the(check_semantic_images(seen(images=(topic,))), 'semantic-unreadable').severity == (
        severity
    )


def test_class_numbers_in_one_channel_are_left_alone() -> None:
    ids = np.repeat(np.arange(48, dtype=np.uint8).reshape(6, 8, 1) % 3, 3, axis=2)
    topic = image(name='/label', samples=(ids,), formats={layout(encoding='mono8'): 60})
    assert not list(check_semantic_images(seen(images=(topic,))))


def test_of_a_black_semantic_image_nothing_is_claimed() -> None:
    topic = image(name='/semantic', samples=(np.zeros((6, 8, 3), np.uint8),))
    found = the(check_semantic_images(seen(images=(topic,))), 'semantic-black')
    assert found.severity == 'note'
