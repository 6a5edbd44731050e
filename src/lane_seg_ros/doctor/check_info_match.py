"""Does each CameraInfo come with an image: in its frame, under its stamp?"""

from __future__ import annotations

from collections.abc import Iterator

from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import CameraInfoTopic, ImageTopic, Observations

__all__ = ['check_info_matches']

# Of fewer nothing can be said; and a CameraInfo may be kept for all who come later, and sent once.
_FEWEST = 5
# The first and the last of either may have come before and after we looked.
_MATCHED_SHARE = 0.5


def check_info_matches(seen: Observations) -> Iterator[Finding]:
    """A CameraInfo of another frame, or whose stamps are not those of the images."""
    infos = {info.image: info for info in seen.camera_infos}
    for image in seen.images:
        info = infos.get(image.name)
        if info is not None and info.intrinsics is not None and image.format is not None:
            yield from _check_frame(image, info, image.format.frame_id, info.intrinsics.frame_id)
            yield from _check_stamps(image, info)


def _check_frame(
    image: ImageTopic, info: CameraInfoTopic, of_image: str, of_info: str
) -> Iterator[Finding]:
    if of_image and of_info != of_image:  # an image without a frame is told elsewhere
        yield Finding(
            'warning',
            'info-frame',
            info.name,
            'the camera_info is of another frame than its image',
            evidence=f'frame_id of {image.name} is {of_image!r}, of the camera_info {of_info!r}',
            cause='two drivers share the names, or one of the two is set by hand',
            fix='give both the same frame_id; it must be the optical frame of this camera',
        )


def _check_stamps(image: ImageTopic, info: CameraInfoTopic) -> Iterator[Finding]:
    if not info.messages or not image.messages:
        return
    first, last = info.messages[0].arrived_ns, info.messages[-1].arrived_ns
    # Images without a stamp are told elsewhere.
    meanwhile = [
        one.stamp_ns for one in image.messages if first <= one.arrived_ns <= last and one.stamp_ns
    ]
    if min(len(meanwhile), len(info.messages)) < _FEWEST:
        return
    stamps = {one.stamp_ns for one in info.messages}
    matched = sum(stamp in stamps for stamp in meanwhile)
    if matched < _MATCHED_SHARE * len(meanwhile):
        yield Finding(
            'warning',
            'info-stamps',
            info.name,
            'the camera_info comes under other stamps than the images',
            evidence=f'{matched} of {len(meanwhile)} images share the stamp of a camera_info',
            cause='the driver takes the time twice, or another node publishes the camera_info',
            fix=(
                'publish both under one header; nodes that match them by exact time (image_proc, '
                'depth_image_proc, RTAB-Map) drop the images otherwise'
            ),
        )
