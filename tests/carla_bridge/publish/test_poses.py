"""From CARLA's frames to those of ROS: against the formulas of ros-bridge, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from std_msgs.msg import Header

from carla_bridge.pinhole import OPTICAL_FROM_CARLA
from carla_bridge.publish.poses import RosPose, stamp_parts, twist_of

carla = pytest.importorskip('carla', reason='needs the client')

ANGLE = st.floats(-180.0, 180.0)
METRES = st.floats(-1e3, 1e3)


def matrix(
    *, x: float = 0, y: float = 0, z: float = 0, roll: float = 0, pitch: float = 0, yaw: float = 0
) -> NDArray[np.float64]:
    """What CARLA's own library says about a pose."""
    place = carla.Transform(
        carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw, roll=roll)
    )
    return np.array(place.get_matrix())


def rotation_of(quaternion: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """(3, 3), column by column: how a quaternion turns each axis."""
    x, y, z, w = quaternion
    axis = np.array([x, y, z])
    columns = [unit + 2 * np.cross(axis, np.cross(axis, unit) + w * unit) for unit in np.eye(3)]
    return np.column_stack(columns)


def from_euler(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """Rotation about the fixed axes x, y, z, radians: transforms3d's 'sxyz' of ros-bridge."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in (roll, pitch, yaw))
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


@given(x=METRES, y=METRES, z=METRES, roll=ANGLE, pitch=ANGLE, yaw=ANGLE)
def test_a_pose_is_that_of_ros_bridge(
    x: float, y: float, z: float, roll: float, pitch: float, yaw: float
) -> None:
    pose = RosPose.of(matrix(x=x, y=y, z=z, roll=roll, pitch=pitch, yaw=yaw))
    assert pose.position == pytest.approx((x, -y, z), abs=1e-3)
    assert math.hypot(*pose.rotation) == pytest.approx(1.0)
    expected = from_euler(math.radians(roll), -math.radians(pitch), -math.radians(yaw))
    assert rotation_of(pose.rotation) == pytest.approx(expected, abs=1e-5)


@given(roll=ANGLE, pitch=ANGLE, yaw=ANGLE)
def test_the_optical_frame_is_the_cameras_with_other_axes(
    roll: float, pitch: float, yaw: float
) -> None:
    place = matrix(roll=roll, pitch=pitch, yaw=yaw)
    body = rotation_of(RosPose.of(place).rotation)
    optical = rotation_of(RosPose.of(place, optical=True).rotation)
    x_right, y_down, z_depth = optical.T
    assert z_depth == pytest.approx(body[:, 0], abs=1e-6)
    assert x_right == pytest.approx(-body[:, 1], abs=1e-6)
    assert y_down == pytest.approx(-body[:, 2], abs=1e-6)
    # What lies on the optical axis is on it in both worlds.
    ahead = place[:3, :3] @ OPTICAL_FROM_CARLA.T @ np.array([0.0, 0.0, 1.0])
    assert z_depth == pytest.approx(ahead * [1, -1, 1], abs=1e-6)


def test_a_level_camera_has_the_rotation_that_everybody_knows() -> None:
    pose = RosPose.of(matrix(x=0.65, y=0.2, z=2.0), optical=True)
    assert pose.position == pytest.approx((0.65, -0.2, 2.0))
    assert pose.rotation == pytest.approx((-0.5, 0.5, -0.5, 0.5)) or pose.rotation == (
        pytest.approx((0.5, -0.5, 0.5, -0.5))
    )


def test_a_transform_names_parent_child_and_time() -> None:
    header = Header(frame_id='map')
    msg = RosPose.of(matrix(x=3.0, y=4.0)).transform_msg(header, 'ego_vehicle')
    assert (msg.header.frame_id, msg.child_frame_id) == ('map', 'ego_vehicle')
    moved = msg.transform.translation
    assert (moved.x, moved.y, moved.z) == pytest.approx((3.0, -4.0, 0.0))
    assert msg.transform.rotation.w == pytest.approx(1.0)


def test_a_car_that_drives_east_and_turns_right_says_so_in_its_own_frame() -> None:
    # CARLA's yaw 90 is to the right of x; velocity along the nose; turning right is positive.
    twist = twist_of(matrix(yaw=90.0), (0.0, 10.0, 0.0), (0.0, 0.0, 20.0))
    assert (twist.linear.x, twist.linear.y) == pytest.approx((10.0, 0.0), abs=1e-5)
    assert twist.angular.z == pytest.approx(-math.radians(20.0))


@given(st.integers(0, 10**15))
def test_a_stamp_is_the_nearest_nanosecond(nanoseconds: int) -> None:
    seconds, rest = stamp_parts(nanoseconds / 1e9)
    assert 0 <= rest < 10**9
    # A double has 53 bits: about a tenth of a microsecond at a million seconds.
    assert abs(seconds * 10**9 + rest - nanoseconds) <= 100


def test_a_stamp_never_has_a_whole_second_of_nanoseconds() -> None:
    assert stamp_parts(1.9999999999) == (2, 0)
