"""Layout, loss and stamps of images that do arrive."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_ros.doctor.check_images import check_images
from lane_seg_ros.doctor.checks import findings_of
from lane_seg_ros.doctor.observations import ClockTopic, Message, ProbeResult
from lane_seg_ros.middleware import PROFILE_PATH
from tests.lane_seg_ros.doctor.observed import (
    NOW_NS,
    PERIOD_NS,
    bad_codes,
    camera_info,
    image,
    layout,
    messages,
    process,
    publisher,
    seen,
    the,
)

HALF = tuple(message for number, message in enumerate(messages(60)) if number % 2 == 0)
SMALL = process(segments_bytes=(549408,))
SIM_CLOCK = ClockTopic(
    (publisher(),), tuple(Message(NOW_NS + n * PERIOD_NS, n * PERIOD_NS) for n in range(60))
)


def test_an_even_stream_is_well_and_told_in_numbers() -> None:
    found = the(check_images(seen()), 'rate')
    assert found.severity == 'ok'
    assert found.what == '30.0 images per second, 1280 x 720 bgr8'
    assert '60 images, 0 lost on the way; period by stamps 33.3 ms' in found.evidence


def test_loss_with_a_small_segment_says_who_must_load_the_profile() -> None:
    topic = image(
        messages=HALF,
        publishers=(publisher(process=SMALL),),
        probe=ProbeResult(received=50, seconds=2.0, lost=0),
    )
    found = the(check_images(seen(images=(topic,))), 'loss')
    assert found.severity == 'error'
    assert '29 of 59 images lost (49.2%), by sequence numbers' in found.evidence
    assert '549408 bytes' in found.evidence
    assert 'over UDP alone 0 of 50 lost' in found.evidence
    assert 'on the side of the camera (/camera)' in found.fix
    assert f'FASTRTPS_DEFAULT_PROFILES_FILE={PROFILE_PATH}' in found.fix
    assert 'input_reliability:=reliable' in found.fix


def test_loss_in_spite_of_a_large_segment_is_not_blamed_on_it() -> None:
    found = the(check_images(seen(images=(image(messages=HALF),))), 'loss')
    assert 'PROFILES_FILE' not in found.fix
    assert 'has no time' in found.cause


def test_loss_without_sequence_numbers_is_told_from_the_stamps() -> None:
    kept = tuple(m for n, m in enumerate(messages(60)) if n % 3)
    topic = image(messages=tuple(replace(m, sequence=None) for m in kept))
    found = the(check_images(seen(images=(topic,))), 'loss')
    assert '19 of 59 images lost (32.2%), by the gaps in the stamps' in found.evidence


def test_a_single_loss_is_a_warning() -> None:
    topic = image(messages=messages(60)[:30] + messages(60)[31:])
    assert the(check_images(seen(images=(topic,))), 'loss').severity == 'warning'


def test_a_small_segment_is_told_before_anything_is_lost() -> None:
    topic = image(publishers=(publisher(process=SMALL),))
    found = the(check_images(seen(images=(topic,))), 'segment-small')
    assert found.severity == 'warning'
    assert 'image 2764800 bytes, segment 549408 bytes' in found.evidence


def test_nearly_total_loss_is_told_as_such() -> None:
    topic = image(messages=messages(2), publishers=(publisher(process=SMALL),))
    found = the(check_images(seen(images=(topic,))), 'few-images')
    assert found.severity == 'error'
    assert str(PROFILE_PATH) in found.fix


def test_frames_that_the_camera_left_out_are_not_called_lost() -> None:
    skipped = tuple(replace(m, sequence=n) for n, m in enumerate(HALF[:10] + HALF[15:]))
    findings = list(check_images(seen(images=(image(messages=skipped),))))
    assert 'loss' not in bad_codes(findings)
    assert the(findings, 'camera-skips').severity == 'note'


@pytest.mark.parametrize('cause', ['encoding', 'step', 'truncated', 'size'])
def test_images_that_the_node_refuses_are_told_with_its_own_words(cause: str) -> None:
    topic = image(refusals={cause: (12, 'the words of image_from_msg')})
    found = the(check_images(seen(images=(topic,))), f'image-{cause}')
    assert found.severity == 'error'
    assert found.evidence == 'the words of image_from_msg'
    assert '12 of 60' in found.what


def test_padded_rows_are_noted() -> None:
    topic = image(formats={layout(width=1270, step=3840): 60})
    assert the(check_images(seen(images=(topic,))), 'padding').severity == 'note'


def test_a_topic_with_two_resolutions_is_named() -> None:
    topic = image(formats={layout(): 40, layout(width=640, step=1920): 20})
    found = the(check_images(seen(images=(topic,))), 'format-changes')
    assert '1280 x 720' in found.evidence
    assert '640 x 720' in found.evidence


def shifted(seconds: float) -> tuple[Message, ...]:
    return tuple(replace(m, stamp_ns=m.stamp_ns + round(seconds * 1e9)) for m in messages())


def test_zero_stamps_are_one_error_and_not_several() -> None:
    topic = image(messages=tuple(replace(m, stamp_ns=0) for m in messages()))
    assert bad_codes(findings_of(seen(images=(topic,)))) == {'stamp-zero'}


@given(at=st.integers(1, 59), back_s=st.floats(0.1, 1000))
def test_every_jump_back_is_found_with_its_length(at: int, back_s: float) -> None:
    times = messages(at) + shifted(-back_s - 59 * PERIOD_NS / 1e9)[at:]
    found = the(check_images(seen(images=(image(messages=times),))), 'stamp-backward')
    assert found.severity == 'error'
    assert '1 of 59' in found.evidence


def test_system_time_beside_a_simulators_clock_is_an_error() -> None:
    found = the(findings_of(seen(clock=SIM_CLOCK)), 'stamp-system-time')
    assert 'use_sim_time:=true' in found.fix


def test_simulation_time_with_a_clock_is_well_and_without_one_noted() -> None:
    topic = image(messages=messages(first_stamp_ns=0))
    with_clock = the(findings_of(seen(images=(topic,), clock=SIM_CLOCK)), 'stamp-sim-time')
    without = the(findings_of(seen(images=(topic,))), 'stamp-sim-time')
    assert (with_clock.severity, without.severity) == ('ok', 'note')


def test_two_sources_of_simulation_time_are_a_warning_and_an_error_once_it_jumps_back() -> None:
    bridge = publisher(node='/bridge')
    two = replace(SIM_CLOCK, publishers=(publisher(), bridge))
    found = the(findings_of(seen(clock=two)), 'several-clocks')
    assert found.severity == 'warning'
    assert '/bridge' in found.evidence
    mixed = replace(two, messages=(*SIM_CLOCK.messages, *SIM_CLOCK.messages))
    found = the(findings_of(seen(clock=mixed)), 'several-clocks')
    assert found.severity == 'error'
    assert 'jumped back 1 times in 120 messages' in found.evidence


@pytest.mark.parametrize(
    ('shift_s', 'codes'),
    [(-0.5, {'stamp-old'}), (0.5, {'stamp-future'}), (0.0, set()), (-0.1, set())],
)
def test_old_and_future_stamps_are_told(shift_s: float, codes: set[str]) -> None:
    times = shifted(shift_s)
    found = findings_of(
        seen(images=(image(messages=times),), camera_infos=(camera_info(messages=times),))
    )
    assert bad_codes(found) == codes


def test_repeated_stamps_are_told() -> None:
    times = tuple(
        replace(m, stamp_ns=messages()[n // 2].stamp_ns) for n, m in enumerate(messages())
    )
    found = the(check_images(seen(images=(image(messages=times),))), 'stamp-repeated')
    assert '30 of 59' in found.evidence
