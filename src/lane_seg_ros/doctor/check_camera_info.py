"""Does the CameraInfo describe the camera whose images come with it?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import CameraInfoTopic, ImageTopic, Intrinsics, Observations

__all__ = ['carla_native_fov', 'check_camera_infos', 'focal_length']

# A real calibration moves the principal point by a few per cent.
_CENTRE_TOLERANCE = 0.15
# Relative; P of an undistorted monocular camera repeats K.
_SAME = 1e-3
# Fields of view below 1 and above 179 degrees: no camera is meant.
_LONGEST_FOCAL_LENGTH = 0.5 / math.tan(math.radians(0.5))
# Relative; CARLA computes in float32 and float64. A wider one would find a field of view for many
# a correct focal length.
_ROUNDING = 1e-5


def focal_length(width: int, fov_deg: float) -> float:
    """Focal length in pixels of an ideal camera with a horizontal field of view in degrees."""
    return width / (2 * math.tan(math.radians(fov_deg) / 2))


def carla_native_fov(fx: float, width: int) -> float | None:
    """The field of view for which CARLA 0.9.16 publishes this focal length by mistake.

    Its native ROS 2 interface computes width / (2 tan(fov) pi / 360) with fov in degrees, that is
    the tangent of a number that is not in radians (mended by carla PR 9462).

    Args:
        fx: as published, in pixels.
        width: of the image, in pixels.

    Returns:
        Degrees, 1 to 179: a whole number if one fits, else tenths; None if none gives this value.
    """
    if not (math.isfinite(fx) and fx and width > 0):
        return None
    # Tangents repeat: a fraction fits something else sooner than a whole number does.
    for fov in (*map(float, range(1, 180)), *(tenths / 10 for tenths in range(10, 1791))):
        if math.isclose(fx, _native_focal_length(width, fov), rel_tol=_ROUNDING):
            return fov
    return None


def check_camera_infos(seen: Observations) -> Iterator[Finding]:
    """Intrinsics that are missing, impossible, of another size, or of CARLA's wrong formula."""
    by_image = {info.image: info for info in seen.camera_infos}
    published = {info.name for info in seen.camera_infos if info.publishers}
    for image in seen.images:
        info = by_image.get(image.name)
        if info is None or not info.publishers:
            # A label beside its image shares the image's camera_info.
            shared = f'{image.name.rpartition("/")[0]}/camera_info' in published
            if image.messages and not shared:
                yield Finding(
                    'note',
                    'info-missing',
                    image.name,
                    'nobody publishes a camera_info beside this image',
                    cause='lane_seg_node needs none; projecting the mask to the road does',
                    fix='let the camera driver publish camera_info, or name it: --camera-info',
                )
        elif info.intrinsics is None:
            yield Finding(
                'warning',
                'info-silent',
                info.name,
                'the camera_info has a publisher, but no message came',
                evidence=f'{len(image.messages)} images in {seen.seconds:.1f} s',
                fix="look at the camera driver's log",
            )
        else:
            findings = [*_check_matrix(info, info.intrinsics), *_check_size(info, image)]
            yield from findings or [_well(info, info.intrinsics)]


def _well(info: CameraInfoTopic, intrinsics: Intrinsics) -> Finding:
    fov = math.degrees(2 * math.atan(intrinsics.width / (2 * intrinsics.k[0])))
    return Finding(
        'ok',
        'info',
        info.name,
        f'K fits the image: field of view {fov:.1f} degrees',
        evidence=_numbers(intrinsics),
    )


def _numbers(intrinsics: Intrinsics) -> str:
    k = intrinsics.k
    return (
        f'fx {k[0]:g}, fy {k[4]:g}, cx {k[2]:g}, cy {k[5]:g}, {intrinsics.width} x '
        f'{intrinsics.height} (width x height)'
    )


def _check_matrix(info: CameraInfoTopic, intrinsics: Intrinsics) -> Iterator[Finding]:
    k, width, height = intrinsics.k, intrinsics.width, intrinsics.height
    fx, fy, cx, cy = k[0], k[4], k[2], k[5]
    shown = _numbers(intrinsics)
    if not any(k):
        yield Finding(
            'error',
            'k-zero',
            info.name,
            'K is all zero: the camera is not calibrated',
            evidence=shown,
            cause='the driver has no calibration file; zero stands for uncalibrated',
            fix='ros2 run camera_calibration cameracalibrator, and give its file to the driver',
        )
        return
    if not all(map(math.isfinite, k)) or fx <= 0 or fy <= 0 or width <= 0:
        wrong = carla_native_fov(fx, width)
        yield _wrong_formula(info, intrinsics, wrong) if wrong else _impossible(info, shown)
        return
    wrong = carla_native_fov(fx, width)
    # Only where the value makes no camera, or where the topic is CARLA's: a long lens may hit
    # one of the wrong values by chance.
    is_impossible = fx > _LONGEST_FOCAL_LENGTH * width
    if wrong is not None and (is_impossible or info.name.startswith('/carla/')):
        yield _wrong_formula(info, intrinsics, wrong)
        return
    if is_impossible:
        yield _impossible(info, shown)
        return
    if abs(cx - width / 2) > _CENTRE_TOLERANCE * width or (
        abs(cy - height / 2) > _CENTRE_TOLERANCE * height
    ):
        yield Finding(
            'warning',
            'k-centre',
            info.name,
            'the principal point lies far from the middle of the image',
            evidence=f'{shown}; the middle is {width / 2:g}, {height / 2:g}',
            cause='K was made for another image size, or the image was cropped without its K',
            fix=(
                f'scale K with the image: at half the size fx, fy, cx, cy halve too; for '
                f'{width} x {height} expect cx near {width / 2:g}, cy near {height / 2:g}'
            ),
        )
    p = intrinsics.p
    if any(p) and not _close(p[0], fx) and not _close(p[5], fy):
        yield Finding(
            'warning' if info.name.startswith('/carla/') else 'note',
            'kp-differ',
            info.name,
            'K and P disagree about the focal length',
            evidence=f'K: fx {fx:g}, fy {fy:g}; P: fx {p[0]:g}, fy {p[5]:g}',
            cause='right for a lens whose distortion is corrected with alpha; wrong without one',
            fix='for an undistorted camera set P = [K | 0] in the driver or its calibration file',
        )


def _impossible(info: CameraInfoTopic, shown: str) -> Finding:
    return Finding(
        'error',
        'k-impossible',
        info.name,
        'K describes no camera',
        evidence=shown,
        cause='focal length zero, negative, not finite, or a field of view below one degree',
        fix=(
            'correct the calibration file of the driver: fx = width / (2 tan(fov / 2)), cx = '
            'width / 2, cy = height / 2'
        ),
    )


def _wrong_formula(info: CameraInfoTopic, intrinsics: Intrinsics, fov: float) -> Finding:
    width, height = intrinsics.width, intrinsics.height
    right = focal_length(width, fov)
    return Finding(
        'error',
        'k-carla-native',
        info.name,
        "K is CARLA 0.9.16's wrong one: it took the tangent of degrees",
        evidence=(
            f'{_numbers(intrinsics)}; {width} / (2 tan({fov:g}) pi / 360) = '
            f'{_native_focal_length(width, fov):g}, which is fov {fov:g}'
        ),
        cause=(
            'the native ROS 2 interface of 0.9.16 computes width / (2 tan(fov) pi / 360) with '
            'fov in degrees (carla PR 9462 mends it)'
        ),
        fix=(
            f'use K = [{right:.6g}, 0, {width / 2:g}, 0, {right:.6g}, {height / 2:g}, 0, 0, 1] '
            f'for fov {fov:g}; or publish the camera with carla-bridge publish or the ros-bridge; '
            'or use a CARLA that has PR 9462'
        ),
    )


def _native_focal_length(width: int, fov: float) -> float:
    return width / (2 * math.tan(fov) * math.pi / 360)


def _check_size(info: CameraInfoTopic, image: ImageTopic) -> Iterator[Finding]:
    layout, intrinsics = image.format, info.intrinsics
    if layout is None or intrinsics is None:
        return
    if (layout.height, layout.width) != (intrinsics.height, intrinsics.width):
        yield Finding(
            'error',
            'k-size',
            info.name,
            'the camera_info is of another image size',
            evidence=(
                f'camera_info {intrinsics.width} x {intrinsics.height}, image {layout.width} x '
                f'{layout.height} (width x height)'
            ),
            cause='the image was resized or cropped, its camera_info was not',
            fix=(
                'resize both together (ros2 run image_proc resize_node does), or calibrate at '
                f'{layout.width} x {layout.height}'
            ),
        )


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_SAME)
