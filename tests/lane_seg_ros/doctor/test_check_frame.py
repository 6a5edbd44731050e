"""Frames of cameras: optical, body, empty, unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lane_seg_ros.doctor.check_frame import check_frames, up_in_frame
from lane_seg_ros.doctor.observations import Transform, Transforms
from tests.lane_seg_ros.doctor.observed import (
    LEVEL,
    OPTICAL,
    bad_codes,
    image,
    layout,
    seen,
    the,
)


def picture(frame_id: str, *, name: str = '/camera/image', encoding: str = 'bgr8') -> object:
    return image(name=name, formats={layout(frame_id=frame_id, encoding=encoding): 60})


def yaw(degrees: float) -> tuple[float, float, float, float]:
    half = math.radians(degrees) / 2
    return (0.0, 0.0, math.sin(half), math.cos(half))


def test_an_empty_frame_is_named() -> None:
    found = the(check_frames(seen(images=(picture(''),))), 'frame-empty')
    assert 'frame_id' in found.fix


def test_an_optical_frame_is_well() -> None:
    assert the(check_frames(seen()), 'frame').severity == 'ok'


def test_a_body_frame_gets_the_command_that_adds_the_optical_one() -> None:
    tree = Transforms((Transform('map', 'ego', yaw(30)), Transform('ego', 'front', LEVEL)))
    topic = picture('front', name='/carla/ego/front/image')
    found = the(check_frames(seen(images=(topic,), transforms=tree)), 'frame-not-optical')
    assert found.severity == 'error'
    assert 'points up (1.00 of 1)' in found.evidence
    assert '--frame-id front --child-frame-id front_optical' in found.fix
    assert '--roll -1.5707963 --pitch 0 --yaw -1.5707963' in found.fix


@given(
    st.lists(st.floats(-180, 180), min_size=0, max_size=6),
    st.booleans(),
    st.floats(0.01, 100),
)
def test_the_verdict_does_not_depend_on_heading_or_on_the_length_of_the_chain(
    headings: list[float], is_optical: bool, scale: float
) -> None:
    links = [
        Transform('base' if not n else f'link{n}', f'link{n + 1}', yaw(heading))
        for n, heading in enumerate(headings)
    ]
    parent = links[-1].child if links else 'base'
    rotation = OPTICAL if is_optical else LEVEL
    # A quaternion that was not normalised stands for the same rotation.
    x, y, z, w = (scale * value for value in rotation)
    links.append(Transform(parent, 'camera_optical', (x, y, z, w)))
    codes = bad_codes(check_frames(seen(transforms=Transforms(tuple(links)))))
    assert codes == (set() if is_optical else {'frame-not-optical'})


@given(
    st.lists(
        st.builds(
            Transform,
            st.sampled_from('abcd'),
            st.sampled_from(['a', 'b', 'camera_optical']),
            st.tuples(*[st.floats(width=64)] * 4),
        )
    )
)
def test_no_tree_breaks_the_check(links: list[Transform]) -> None:
    up = up_in_frame('camera_optical', Transforms(tuple(links)))
    assert up is None or np.linalg.norm(up) == pytest.approx(1.0)


def test_without_tf_carlas_native_frame_is_recognised_by_its_name() -> None:
    tree = Transforms(unreadable="tf was not read: No module named 'tf2_msgs'")
    topic = picture('front', name='/carla/hero/front/image', encoding='bgra8')
    findings = list(check_frames(seen(images=(topic, picture('x')), transforms=tree)))
    assert [finding.code for finding in findings] == ['tf-unread', 'frame-native']
    found = the(findings, 'frame-native')
    assert "No module named 'tf2_msgs'" in found.evidence
    assert 'static_transform_publisher' in found.fix


@pytest.mark.parametrize(
    ('frame', 'name'),
    [
        ('ego/rgb_front', '/carla/ego/rgb_front/image'),  # the ros-bridge, which has the rotation
        ('front_optical', '/carla/hero/front_optical/image'),
        ('front', '/camera/front/image'),
        ('image', '/image'),
    ],
)
def test_other_frames_are_not_suspected_by_their_name(frame: str, name: str) -> None:
    topic = picture(frame, name=name, encoding='bgra8')
    findings = list(check_frames(seen(images=(topic,), transforms=Transforms())))
    assert [f.code for f in findings] == ['frame-unknown']
