"""Intrinsics that are wrong, and above all CARLA 0.9.16's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_ros.doctor.check_camera_info import (
    carla_native_fov,
    check_camera_infos,
    focal_length,
)
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import Intrinsics
from tests.lane_seg_ros.doctor.observed import (
    bad_codes,
    camera_info,
    image,
    intrinsics,
    layout,
    seen,
    the,
)

FRAME = 'camera_optical'


def k_of(fx: float, width: int, height: int) -> tuple[float, ...]:
    return (fx, 0.0, width / 2, 0.0, fx, height / 2, 0.0, 0.0, 1.0)


def p_of(k: tuple[float, ...]) -> tuple[float, ...]:
    return (*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0)


def native(width: int, fov: float) -> float:
    """The line of CARLA 0.9.16's camera publisher."""
    return width / (2.0 * math.tan(fov) * math.pi / 360.0)


def findings_about(wrong: Intrinsics, *, topic: str = '/camera/camera_info') -> list[Finding]:
    picture = image(
        formats={
            layout(height=wrong.height, width=wrong.width, step=3 * wrong.width): 60,
        }
    )
    info = camera_info(name=topic, intrinsics=wrong)
    return list(check_camera_infos(seen(images=(picture,), camera_infos=(info,))))


def test_the_example_of_the_pull_request_is_recognised_and_put_right() -> None:
    k = k_of(289306.87, 1616, 1240)
    found = the(findings_about(Intrinsics(1240, 1616, k, p_of(k), FRAME)), 'k-carla-native')
    assert found.severity == 'error'
    assert 'which is fov 60' in found.evidence
    assert 'K = [1399.5, 0, 808, 0, 1399.5, 620, 0, 0, 1] for fov 60' in found.fix


@given(fov=st.integers(1, 179), width=st.integers(16, 8192))
def test_every_field_of_view_in_whole_degrees_is_found_again(fov: int, width: int) -> None:
    assert carla_native_fov(native(width, fov), width) == fov


@given(fov=st.integers(1, 179), width=st.sampled_from([640, 800, 1280, 1616, 1920]))
def test_on_a_carla_topic_no_wrong_k_passes(fov: int, width: int) -> None:
    k = k_of(native(width, fov), width, width // 2)
    found = findings_about(
        Intrinsics(width // 2, width, k, p_of(k), FRAME), topic='/carla/hero/front/camera_info'
    )
    assert bad_codes(found) == {'k-carla-native'}


@given(fov=st.floats(10, 170), width=st.sampled_from([640, 800, 1280, 1616, 1920]))
def test_a_correct_k_passes_everywhere_but_on_carlas_topics(fov: float, width: int) -> None:
    k = k_of(focal_length(width, fov), width, width // 2)
    assert not bad_codes(findings_about(Intrinsics(width // 2, width, k, p_of(k), FRAME)))


@pytest.mark.parametrize('fov', range(10, 171))
def test_on_carlas_topics_a_correct_k_in_whole_degrees_passes(fov: int) -> None:
    k = k_of(focal_length(800, fov), 800, 600)
    found = findings_about(
        Intrinsics(600, 800, k, p_of(k), FRAME), topic='/carla/hero/front/camera_info'
    )
    assert not bad_codes(found)
    assert f'{fov:.1f} degrees' in the(found, 'info').what


@given(
    k=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 9),
    p=st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 12),
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 2**32 - 1),
)
def test_no_content_of_the_message_breaks_the_check(
    k: tuple[float, ...], p: tuple[float, ...], width: int, height: int
) -> None:
    assert findings_about(Intrinsics(height, width, k, p, FRAME))


@pytest.mark.parametrize(
    ('k', 'code'),
    [
        ((0.0,) * 9, 'k-zero'),
        (k_of(-900.0, 1280, 720), 'k-impossible'),
        (k_of(math.nan, 1280, 720), 'k-impossible'),
        (k_of(1e6, 1280, 720), 'k-impossible'),
        (k_of(450.0, 640, 360), 'k-centre'),
    ],
)
def test_a_matrix_that_fits_no_camera_is_named(k: tuple[float, ...], code: str) -> None:
    found = findings_about(intrinsics(k=k, p=p_of(k)))
    assert bad_codes(found) == {code}
    assert the(found, code).fix


def test_k_of_another_image_size_is_an_error_with_both_sizes() -> None:
    picture = image(formats={layout(height=360, width=640, step=1920): 60})
    found = the(check_camera_infos(seen(images=(picture,))), 'k-size')
    assert found.severity == 'error'
    assert 'camera_info 1280 x 720, image 640 x 360' in found.evidence


def test_k_and_p_that_disagree_are_noted() -> None:
    other = p_of(k_of(700.0, 1280, 720))
    found = the(findings_about(intrinsics(p=other)), 'kp-differ')
    assert 'K: fx 900, fy 900; P: fx 700, fy 700' in found.evidence


def test_a_label_shares_the_camera_info_of_the_image_beside_it() -> None:
    both = (image(), image(name='/camera/label'))
    assert [f.code for f in check_camera_infos(seen(images=both))] == ['info']


def test_a_missing_and_a_silent_camera_info_are_told_apart() -> None:
    assert the(check_camera_infos(seen(camera_infos=())), 'info-missing').severity == 'note'
    mute = camera_info(messages=(), intrinsics=None)
    found = the(check_camera_infos(seen(camera_infos=(mute,))), 'info-silent')
    assert found.severity == 'warning'
