"""All checks, in the order in which one would look."""

from __future__ import annotations

from lane_seg_ros.doctor.check_arrival import check_arrival
from lane_seg_ros.doctor.check_camera_info import check_camera_infos
from lane_seg_ros.doctor.check_environment import check_environment
from lane_seg_ros.doctor.check_frame import check_frames
from lane_seg_ros.doctor.check_images import check_images
from lane_seg_ros.doctor.check_info_match import check_info_matches
from lane_seg_ros.doctor.check_semantic import check_semantic_images
from lane_seg_ros.doctor.check_stamps import check_clock
from lane_seg_ros.doctor.findings import Finding, in_order
from lane_seg_ros.doctor.observations import Observations

__all__ = ['findings_of']

_CHECKS = (
    check_arrival,
    check_images,
    check_clock,
    check_camera_infos,
    check_info_matches,
    check_frames,
    check_semantic_images,
    check_environment,
)


def findings_of(seen: Observations) -> tuple[Finding, ...]:
    """Everything there is to say, the worst first."""
    findings = [finding for check in _CHECKS for finding in check(seen)]
    if not seen.images:
        settings = seen.environment.settings
        findings.append(
            Finding(
                'error',
                'no-images',
                'graph',
                'there is no image topic at all',
                evidence=(
                    f'seen for {seen.seconds:.1f} s in ROS_DOMAIN_ID '
                    f'{settings.get("ROS_DOMAIN_ID", "0")}'
                ),
                cause='no camera is running, or it is in another domain or on a hidden network',
                fix='start the camera with the ROS_DOMAIN_ID of this shell, or run lane-seg play '
                'to have one',
            )
        )
    return in_order(findings)
