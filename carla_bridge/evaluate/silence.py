"""Which topic is silent, and what to start."""

from __future__ import annotations

from lane_seg.errors import LaneSegError
from lane_seg_ros.live.recorder import Recorder

__all__ = ['silence_error']


def silence_error(recorder: Recorder, patience_s: float) -> LaneSegError:
    """Return an error that names each silent topic, who publishes it, and what to do.

    Args:
        recorder: that has waited.
        patience_s: for how long.
    """
    topics, heard = recorder.topics, recorder.heard
    remap = f'lane-seg run --ros-args -r image:={topics.image}'
    if topics.camera_info:
        remap += f' -r camera_info:={topics.camera_info}'
    is_seen = heard.frames or heard.images
    wanted = (
        ('the camera', topics.image, is_seen, 'start `carla-bridge publish`, or name --image'),
        (
            *('labels', topics.label, heard.labels),
            'start `carla-bridge publish` (it has a semantic camera), or name --label',
        ),
        ('masks', topics.mask, heard.masks, f'start the node: {remap}; or name --mask'),
    )
    lines = []
    for what, topic, count, advice in wanted:
        publishers = recorder.publishers_of(topic)
        if count:
            lines.append(f'  {topic}: {what}, there')
        elif not publishers:
            lines.append(f'  {topic}: {what}, nobody publishes it; {advice}')
        elif topic == topics.mask:
            lines.append(
                f'  {topic}: {what}, published but silent: the node gets no image; is its image '
                f'topic {topics.image}? {remap}'
            )
        else:
            lines.append(
                f'  {topic}: {what}, published but silent: the simulation stands still, or large '
                'messages get lost on the way (`lane-seg doctor` looks for the causes)'
            )
    return LaneSegError(
        f'expected camera, labels and masks, found silence for {patience_s:g} s:\n'
        + '\n'.join(lines)
        + '\nROS_DOMAIN_ID must be the same everywhere.'
    )
