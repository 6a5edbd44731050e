"""Is the frame of the images one that looks along its z axis, as cameras do in ROS?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import ImageTopic, Observations, Transform, Transforms

__all__ = ['check_frames', 'up_in_frame']

# cos 45 degrees: an axis that is nearer to 'up' than that is called up.
_UP = 0.707


def check_frames(seen: Observations) -> Iterator[Finding]:
    """Frames that are empty, or whose axes are those of a body and not of a camera."""
    if seen.transforms.unreadable:
        yield Finding(
            'note',
            'tf-unread',
            'tf',
            'the axes of the frames could not be looked at, only their names',
            evidence=seen.transforms.unreadable,
            fix='install the package, or ros2 run tf2_ros tf2_echo <base frame> <camera frame>',
        )
    for image in seen.images:
        if image.format is None:
            continue
        frame = image.format.frame_id
        if not frame:
            yield Finding(
                'warning',
                'frame-empty',
                image.name,
                'the images name no coordinate frame',
                evidence="header.frame_id is ''",
                cause='the driver does not fill it in; nothing can be projected or shown in 3D',
                fix='set frame_id of the camera driver, such as camera_optical_frame',
            )
            continue
        up = up_in_frame(frame, seen.transforms)
        if up is None:
            yield from _judge_by_name(image, frame, seen.transforms)
        elif up[2] > _UP:
            yield Finding(
                'error' if '/carla/' in image.name else 'warning',
                'frame-not-optical',
                image.name,
                'the frame of the images has no optical rotation',
                evidence=(
                    f"tf: the z axis of '{frame}' points up ({up[2]:.2f} of 1); that of a camera "
                    'points forward (x right, y down, REP-103)'
                ),
                cause=(
                    "the driver uses the camera body's frame; CARLA's native interface does so "
                    'for every camera'
                ),
                fix=_add_optical_frame(frame),
            )
        elif up[1] < -_UP:
            yield Finding(
                'ok',
                'frame',
                image.name,
                f"'{frame}' looks along its z axis, as it should",
                evidence=f'tf: its y axis points down ({-up[1]:.2f} of 1)',
            )
        else:
            yield Finding(
                'note',
                'frame-undecided',
                image.name,
                f"whether '{frame}' has the optical rotation cannot be told",
                evidence=f'tf: up is ({up[0]:.2f}, {up[1]:.2f}, {up[2]:.2f}) in it',
                cause='the camera is tilted by more than 45 degrees',
            )


def up_in_frame(frame: str, transforms: Transforms) -> NDArray[np.float64] | None:
    """The direction 'up' of the root of the tf tree, in the axes of a frame.

    Args:
        frame: to look for.
        transforms: the tf tree; its root is taken to be level.

    Returns:
        (3,) float64 of length 1; None where tf was not read, does not hold the frame, or goes
        in circles.
    """
    parents = {link.child: link for link in transforms.links}
    if frame not in parents:
        return None
    rotation = np.eye(3)
    name, passed = frame, set[str]()
    while name in parents:
        if name in passed:
            return None
        passed.add(name)
        turn = _matrix(parents[name])
        if turn is None:
            return None
        rotation = turn @ rotation
        name = parents[name].parent
    return rotation.T @ np.array([0.0, 0.0, 1.0])


def _matrix(link: Transform) -> NDArray[np.float64] | None:
    """(3, 3) rotation from child to parent axes; None of a quaternion without direction."""
    quaternion = np.asarray(link.rotation, np.float64)
    with np.errstate(over='ignore'):  # an infinite length is refused below
        norm = float(np.linalg.norm(quaternion))
    if not np.isfinite(norm) or norm < 1e-6:
        return None
    x, y, z, w = quaternion / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _judge_by_name(image: ImageTopic, frame: str, transforms: Transforms) -> Iterator[Finding]:
    """CARLA's native topics are /carla/[parent/]<ros_name>/image with ros_name as the frame."""
    reason = transforms.unreadable or f"'{frame}' is not in the tf tree"
    parts = image.name.split('/')
    layout = image.format
    looks_native = (
        parts[1] == 'carla'
        and len(parts) >= 4
        and parts[-2] == frame
        and 'optical' not in frame
        and layout is not None
        and layout.encoding == 'bgra8'
    )
    if looks_native:
        yield Finding(
            'warning',
            'frame-native',
            image.name,
            "the frame is most likely CARLA's camera body: it has no optical rotation",
            evidence=(
                f"frame_id '{frame}' is the sensor's ros_name, as in CARLA's native ROS 2 "
                f'interface; {reason}'
            ),
            cause='CARLA 0.9.16 publishes tf of the sensor body (x forward, z up)',
            fix=_add_optical_frame(frame),
        )
    elif not transforms.unreadable:
        yield Finding(
            'note',
            'frame-unknown',
            image.name,
            f"the axes of the frame '{frame}' could not be looked at",
            evidence=reason,
            fix='ros2 run tf2_ros tf2_echo <base frame> ' + frame,
        )


def _add_optical_frame(frame: str) -> str:
    return (
        'ros2 run tf2_ros static_transform_publisher --roll -1.5707963 --pitch 0 '
        f'--yaw -1.5707963 --frame-id {frame} --child-frame-id {frame}_optical, and use '
        f'{frame}_optical wherever points of this image are projected'
    )
