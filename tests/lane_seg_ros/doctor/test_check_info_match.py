"""A CameraInfo that does not belong to the image that it comes with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lane_seg_ros.doctor.check_info_match import check_info_matches
from tests.lane_seg_ros.doctor.observed import (
    bad_codes,
    camera_info,
    image,
    intrinsics,
    layout,
    messages,
    seen,
    the,
)


def test_a_camera_info_of_another_frame_is_told_with_both() -> None:
    info = camera_info(intrinsics=intrinsics(frame_id='lidar'))
    found = the(check_info_matches(seen(camera_infos=(info,))), 'info-frame')
    assert "is 'camera_optical', of the camera_info 'lidar'" in found.evidence


def test_an_image_without_a_frame_is_not_told_twice() -> None:
    picture = image(formats={layout(frame_id=''): 60})
    assert not bad_codes(check_info_matches(seen(images=(picture,))))


def test_stamps_that_are_never_the_images_are_told_with_their_number() -> None:
    late = tuple(replace(one, stamp_ns=one.stamp_ns + 1) for one in messages())
    found = the(
        check_info_matches(seen(camera_infos=(camera_info(messages=late),))), 'info-stamps'
    )
    assert '0 of 60 images share the stamp' in found.evidence


@pytest.mark.parametrize(
    'infos',
    [
        messages(),
        messages()[:1],  # kept for all who come later, and sent once
        messages()[20:],  # came up later than the images
        messages()[::2] + messages()[1:30:2],  # some were lost
        (),
    ],
)
def test_stamps_that_fit_or_are_too_few_to_tell_are_well(infos: tuple[object, ...]) -> None:
    infos = tuple(sorted(infos, key=lambda one: one.arrived_ns))  # type: ignore[attr-defined]
    assert not bad_codes(check_info_matches(seen(camera_infos=(camera_info(messages=infos),))))


def test_a_camera_without_images_or_camera_info_says_nothing_here() -> None:
    for nothing in (
        seen(images=(image(messages=(), formats={}),)),
        seen(camera_infos=(camera_info(messages=(), intrinsics=None),)),
        seen(camera_infos=()),
    ):
        assert not list(check_info_matches(nothing))
