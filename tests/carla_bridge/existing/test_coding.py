"""How semantic pictures are coded, and by which version of CARLA: by evidence or not at all."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from carla_bridge.existing.coding import coding_of
from lane_seg.carla_tags import tags_of
from lane_seg.errors import LaneSegError
from tests.carla_bridge.existing.files import coloured, red, street

VERSIONS = ('0.9.13', '0.9.14')


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('form', [lambda tags: tags, lambda tags: red(tags)[..., :3]])
def test_tags_tell_their_version_by_where_roads_and_lines_lie(version: str, form: object) -> None:
    samples = [street(version, seed) for seed in range(3)]
    coding = coding_of([form(sample) for sample in samples])  # type: ignore[operator]
    assert (coding.kind, coding.version) == ('tags', version)
    assert 'lie as they should' in coding.evidence
    for sample in samples:
        assert np.array_equal(coding.tags(form(sample), 'a'), sample)  # type: ignore[operator]


def test_tags_that_a_viewer_has_made_grey_are_tags() -> None:
    grey = cv2.cvtColor(street('0.9.14'), cv2.COLOR_GRAY2BGR)
    coding = coding_of([grey])
    assert (coding.kind, coding.version) == ('tags', '0.9.14')
    assert np.array_equal(coding.tags(grey, 'a'), street('0.9.14'))


@pytest.mark.parametrize(('version', 'extra'), [('0.9.13', 'Terrain'), ('0.9.14', 'Bicycle')])
def test_a_colour_of_one_palette_alone_tells_the_version(version: str, extra: str) -> None:
    tags = street(version, extra=extra)
    coding = coding_of([coloured(street(version), version), coloured(tags, version)])
    assert (coding.kind, coding.version) == ('palette', version)
    assert np.array_equal(coding.tags(coloured(tags, version), 'a'), tags)


def test_colours_that_all_versions_share_are_not_guessed_about() -> None:
    picture = coloured(street('0.9.13'), '0.9.13')
    with pytest.raises(
        LaneSegError, match='none of Fences, Terrain .* none of Bicycle, .*Train'
    ) as e:
        coding_of([picture])
    assert '--version 0.9.14' in str(e.value)
    for version in VERSIONS:
        coding = coding_of([picture], version=version)
        assert np.array_equal(coding.tags(picture, 'a'), street(version))


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (lambda tags: np.full_like(tags, 11), r'Roads \(1\) are 0\.0% of the lower half'),
        (lambda tags: np.where(tags == 24, 1, tags), r'RoadLines \(24\) have 0 pixels'),
        (lambda tags: np.where(tags == 2, 24, tags), r'RoadLines \(24\) are no lines but areas'),
        (lambda tags: np.flipud(tags), r'are 0\.0% of the lower half'),
        (lambda tags: np.where(tags == 3, 28, tags) + (tags == 11), r'it has no tags \[24, 28\]'),
    ],
)
def test_evidence_that_is_missing_is_named(spoil: object, said: str) -> None:
    samples = [np.asarray(spoil(street('0.9.14')), np.uint8)]  # type: ignore[operator]
    if said.startswith('it has no'):
        coding = coding_of(samples)
        assert coding.version == '0.9.14'
        assert 'it has no tags [24, 28]' in coding.evidence
        return
    with pytest.raises(LaneSegError, match=f'(?s)no table fits.*{said}.*--version 0.9.13'):
        coding_of(samples)


def test_lines_that_do_not_lie_on_the_road_are_poles_of_the_other_table() -> None:
    tags = street('0.9.14')
    tags[tags == 24] = 1
    cv2.line(tags, (10, 40), (10, 60), 24, 1)
    tags[40:61, 7:10] = tags[40:61, 11:14] = 2
    with pytest.raises(LaneSegError, match='of what surrounds RoadLines'):
        coding_of([tags])


def test_what_a_person_says_is_taken_with_a_word_of_doubt() -> None:
    coding = coding_of([street('0.9.14')], version='0.9.15')
    assert coding.evidence == 'CARLA 0.9.15, as asked'
    coding = coding_of([np.full((20, 20), 11, np.uint8)], version='0.9.13')
    assert 'although Roads (7) are 0.0% of the lower half' in coding.evidence


def test_tags_that_the_version_does_not_have_are_refused() -> None:
    coding = coding_of([street('0.9.14')], version='0.9.13')
    with pytest.raises(
        LaneSegError, match=r'frame: expected tags of CARLA 0\.9\.13, found \[24\]'
    ):
        coding.tags(street('0.9.14'), 'frame')


@pytest.mark.parametrize('spoil', ['jpeg', 'scaled'])
def test_blended_colours_are_refused_in_words(spoil: str) -> None:
    picture = coloured(street('0.9.14', extra='Bicycle'), '0.9.14')
    if spoil == 'jpeg':
        blended = cv2.imdecode(cv2.imencode('.jpg', picture)[1], cv2.IMREAD_COLOR)
    else:
        blended = cv2.resize(picture, (100, 60), interpolation=cv2.INTER_LINEAR)
    with pytest.raises(LaneSegError, match='exactly, found .*once JPEG cannot be turned back'):
        coding_of([blended])
    coding = coding_of([picture], version='0.9.14')
    with pytest.raises(LaneSegError, match='^a: expected colours'):
        coding.tags(blended, 'a')


def test_instance_pictures_are_read_when_a_person_says_so() -> None:
    tags = street('0.9.14')
    instance = np.dstack([np.full_like(tags, 200), np.full_like(tags, 17), tags])
    with pytest.raises(LaneSegError, match='--kind tags'):
        coding_of([instance])
    coding = coding_of([instance], kind='tags')
    assert coding.version == '0.9.14'
    assert np.array_equal(coding.tags(instance, 'a'), tags)


def test_a_mask_of_lanes_is_sent_to_where_it_can_be_read() -> None:
    mask = np.where(street('0.9.14') == tags_of('0.9.14')['RoadLines'], 255, 0).astype(np.uint8)
    with pytest.raises(LaneSegError, match=r'grey values \[0, 255\].* format folders'):
        coding_of([mask])
