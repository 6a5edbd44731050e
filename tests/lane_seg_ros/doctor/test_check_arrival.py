"""Why no image arrives: what the doctor makes of what it saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_seg_ros.doctor.checks import findings_of
from lane_seg_ros.doctor.observations import ClockTopic, Endpoint, Message, ProbeResult
from tests.lane_seg_ros.doctor.observed import (
    CYCLONE_GID,
    GID,
    NAME,
    NOW_NS,
    OTHER_HOST_GID,
    bad_codes,
    image,
    process,
    publisher,
    seen,
    the,
)

STANDING_CLOCK = ClockTopic(
    (publisher(),), tuple(Message(NOW_NS + n, 7 * 10**9) for n in range(9))
)
RUNNING_CLOCK = ClockTopic(
    (publisher(),), tuple(Message(NOW_NS + n, 7 * 10**9 + n) for n in range(9))
)


def silent(**changes: object) -> object:
    return image(**{'messages': (), 'formats': {}, **changes})


def test_where_all_is_well_nothing_is_found() -> None:
    assert {f.severity for f in findings_of(seen())} == {'ok'}


def test_no_image_topic_at_all_is_an_error() -> None:
    assert 'no-images' in bad_codes(findings_of(seen(images=(), camera_infos=())))


def test_a_topic_that_nobody_publishes_names_the_one_that_was_meant() -> None:
    topic = silent(name='/camera/image_row', publishers=(), types=())
    found = the(
        findings_of(seen(images=(topic,), other_image_topics=('/camera/image_raw', '/depth'))),
        'no-publisher',
    )
    assert found.severity == 'error'
    assert found.fix == 'lane-seg run --ros-args -r image:=/camera/image_raw'
    assert '/depth' in found.evidence


def test_a_topic_of_another_type_is_named_with_its_type() -> None:
    topic = silent(types=('sensor_msgs/msg/CompressedImage',))
    findings = findings_of(seen(images=(topic,)))
    assert 'CompressedImage' in the(findings, 'wrong-type').evidence
    assert 'publisher-silent' not in bad_codes(findings)


def test_samples_over_udp_alone_prove_that_shared_memory_is_the_cause() -> None:
    topic = silent(
        publishers=(publisher(process=process(same_shared_memory=False)),),
        probe=ProbeResult(received=59, seconds=2.0, lost=0),
    )
    found = the(findings_of(seen(images=(topic,))), 'shared-memory-silent')
    assert 'over UDP alone 59 images in 2.0 s' in found.evidence
    assert 'process 4660 has another /dev/shm' in found.evidence
    assert 'FASTDDS_BUILTIN_TRANSPORTS=UDPv4' in found.fix
    assert '--ipc=host' in found.fix


@pytest.mark.parametrize(
    ('who', 'said'),
    [
        (process(same_shared_memory=False), 'another /dev/shm'),
        (process(uid=33), 'of user 33, this one of user 1000'),
        (None, 'another container'),
    ],
)
def test_without_a_probe_the_visible_differences_are_told(who: object, said: str) -> None:
    found = the(
        findings_of(seen(images=(silent(publishers=(publisher(process=who),)),))),
        'shared-memory-suspected',
    )
    assert said in found.evidence


@pytest.mark.parametrize('gid', [OTHER_HOST_GID, CYCLONE_GID, b''])
def test_shared_memory_is_not_blamed_where_it_is_not_used(gid: bytes) -> None:
    topic = silent(publishers=(publisher(gid=gid, process=None),))
    assert bad_codes(findings_of(seen(images=(topic,)))) == {'publisher-silent'}


def test_silence_over_udp_too_is_the_publishers_own() -> None:
    topic = silent(
        publishers=(publisher(process=process(uid=33)),), probe=ProbeResult(0, seconds=2.0)
    )
    found = the(findings_of(seen(images=(topic,))), 'publisher-silent')
    assert 'over UDP alone 0 images' in found.evidence
    assert 'UDPv4' not in found.fix


def test_a_standing_clock_means_that_the_simulator_is_paused() -> None:
    topic = silent(probe=ProbeResult(0, seconds=2.0))
    found = the(findings_of(seen(images=(topic,), clock=STANDING_CLOCK)), 'simulator-paused')
    assert '/clock stands at 7.000 s' in found.evidence
    assert 'simulator-paused' not in bad_codes(
        findings_of(seen(images=(topic,), clock=RUNNING_CLOCK))
    )


def test_a_failed_probe_is_told_and_proves_nothing() -> None:
    topic = silent(probe=ProbeResult(0, 0.0, error='the publisher was not found over UDP'))
    found = the(findings_of(seen(images=(topic,))), 'publisher-silent')
    assert 'UDP was not tried: the publisher was not found' in found.evidence


@pytest.mark.parametrize(
    ('offered', 'asked', 'code'),
    [
        ({'reliability': 'best_effort'}, {'reliability': 'reliable'}, 'qos-reliability'),
        ({'durability': 'volatile'}, {'durability': 'transient_local'}, 'qos-durability'),
        ({'reliability': 'reliable'}, {'reliability': 'best_effort'}, None),
        ({'durability': 'transient_local'}, {'durability': 'volatile'}, None),
        ({'reliability': 'best_effort'}, {'reliability': 'best_effort'}, None),
    ],
)
def test_ends_that_do_not_fit_are_named_with_both_sides(
    offered: dict[str, str], asked: dict[str, str], code: str | None
) -> None:
    topic = image(publishers=(publisher(**offered),), subscribers=(Endpoint('/viewer', **asked),))
    findings = findings_of(seen(images=(topic,)))
    assert bad_codes(findings) == ({code} if code else set())
    if code:
        found = the(findings, code)
        assert found.evidence.startswith('/camera (process 4660')
        assert '-> /viewer' in found.evidence
        assert '/viewer' in found.fix


def test_the_parameter_of_our_own_node_is_named() -> None:
    topic = image(
        publishers=(publisher(reliability='best_effort'),),
        subscribers=(Endpoint('/lane_seg_node', reliability='reliable'),),
    )
    found = the(findings_of(seen(images=(topic,))), 'qos-reliability')
    assert found.fix == 'start /lane_seg_node with -p input_reliability:=best_effort'


def test_two_publishers_on_one_topic_are_both_named() -> None:
    both = (publisher(), publisher(node='/old_camera', gid=GID[::-1], process=None))
    found = the(findings_of(seen(images=(image(publishers=both),))), 'several-publishers')
    assert '/camera' in found.evidence
    assert '/old_camera' in found.evidence


def test_the_worst_comes_first() -> None:
    severities = [f.severity for f in findings_of(seen(images=(silent(), image(name='/x'))))]
    order = ['error', 'warning', 'note', 'ok']
    assert severities == sorted(severities, key=order.index)
    assert NAME in {f.where for f in findings_of(seen(images=(replace(image(), name=NAME),)))}
