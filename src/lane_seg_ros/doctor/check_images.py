"""Can the node read the images, and do all of them arrive?"""

from __future__ import annotations

from collections.abc import Iterator

from lane_seg_ros.doctor.check_arrival import describe
from lane_seg_ros.doctor.check_stamps import check_stamps
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import Endpoint, ImageTopic, Observations
from lane_seg_ros.doctor.stream import Stream, stream_of
from lane_seg_ros.middleware import PROFILE_PATH

__all__ = ['check_images', 'profile_fix']

# Of all messages: less is what a busy machine loses now and then.
_MUCH_LOSS = 0.05
_MUCH_JITTER = 0.2
_SLOW_HZ = 5.0
# What Fast DDS takes where no profile says otherwise.
_DEFAULT_SEGMENT_BYTES = 512 * 1024


def check_images(seen: Observations) -> Iterator[Finding]:
    """Layout, loss and time of each image topic on which something came."""
    for topic in seen.images:
        if not topic.messages:
            continue
        yield from _check_layout(topic)
        stream = stream_of(topic.messages, publishers=len(topic.publishers))
        if stream is None:
            yield _few(topic, seen)
        else:
            yield _rate(topic, stream)
            yield from _check_loss(topic, stream)
            yield from check_stamps(topic, stream, seen)


def _few(topic: ImageTopic, seen: Observations) -> Finding:
    layout, segment = topic.format, _segment_of(topic.publishers[:1])
    image_bytes = layout.data_bytes if layout else 0
    too_small = bool(segment) and image_bytes > segment
    return Finding(
        'error' if too_small else 'warning',
        'few-images',
        topic.name,
        f'only {len(topic.messages)} image(s) came in {seen.seconds:.1f} s',
        evidence=f'one image has {image_bytes} bytes'
        + (f", the publisher's shared-memory segment {segment}" if segment else ''),
        cause=(
            "an image does not fit into the publisher's shared-memory segment: most get lost"
            if too_small
            else 'a slow or triggered camera, or nearly all images are lost'
        ),
        fix=(
            profile_fix(topic.publishers[0].node or 'the publisher')
            if too_small
            else 'look longer: lane-seg doctor --seconds 30'
        ),
    )


def profile_fix(publisher: str) -> str:
    """How the publisher's side gets the 16 MB shared-memory segment."""
    return (
        f'on the side of the camera ({publisher}), before it starts: '
        f'export FASTRTPS_DEFAULT_PROFILES_FILE={PROFILE_PATH} '
        f'FASTDDS_DEFAULT_PROFILES_FILE={PROFILE_PATH} '
        "(the publisher's segment counts, the node's own does not help)"
    )


def _check_layout(topic: ImageTopic) -> Iterator[Finding]:
    for cause, (count, text) in topic.refusals.items():
        yield Finding(
            'error',
            f'image-{cause}',
            topic.name,
            f'lane_seg_node cannot read {count} of {len(topic.messages)} images',
            evidence=text,
            cause={
                'encoding': 'the driver publishes an encoding that is no picture for the node',
                'step': 'the driver fills in step wrongly',
                'truncated': 'the driver sends less data than it announces',
            }.get(cause, 'the driver sends images of an impossible size'),
            fix=(
                'choose another encoding in the camera driver (bgr8 costs the node least)'
                if cause == 'encoding'
                else "mend the camera driver, or convert on the way with image_proc's nodes"
            ),
        )
    if len(topic.formats) > 1:
        shown = ', '.join(
            f'{kind.width} x {kind.height} {kind.encoding} frame {kind.frame_id!r} ({count})'
            for kind, count in list(topic.formats.items())[:5]
        )
        yield Finding(
            'warning',
            'format-changes',
            topic.name,
            f'images of {len(topic.formats)} different formats share the topic',
            evidence=shown,
            cause='several cameras on one topic, or a camera that changes its resolution',
            fix='give each camera a topic of its own',
        )
    layout = topic.format
    if layout is not None and layout.width and layout.step % layout.width:
        yield Finding(
            'note',
            'padding',
            topic.name,
            'rows end with bytes that are no pixels',
            evidence=f'step {layout.step} is no multiple of the width {layout.width}',
            cause='a driver with aligned rows; lane_seg_node reads them, many scripts do not',
            fix='in your own scripts use step, not width x channels',
        )


def _rate(topic: ImageTopic, stream: Stream) -> Finding:
    layout = topic.format
    shown = f'{layout.width} x {layout.height} {layout.encoding}' if layout else ''
    lost = '' if stream.lost is None else f', {stream.lost} lost on the way'
    slow = stream.rate_hz < _SLOW_HZ
    return Finding(
        'note' if slow else 'ok',
        'rate',
        topic.name,
        f'{stream.rate_hz:.1f} images per second, {shown}',
        evidence=(
            f'{stream.count} images{lost}; period by stamps {stream.period_s * 1e3:.1f} ms, 99th '
            f'percentile of the gaps between arrivals {stream.arrival_p99_s * 1e3:.1f} ms'
        ),
        cause='few images per second make lane following late' if slow else '',
    )


def _check_loss(topic: ImageTopic, stream: Stream) -> Iterator[Finding]:
    publisher = topic.publishers[0] if topic.publishers else Endpoint('')
    layout = topic.format
    image_bytes = layout.data_bytes if layout else 0
    segment = _segment_of(topic.publishers[:1])
    lost = stream.missing if stream.lost is None else stream.lost
    if lost:
        how = 'by the gaps in the stamps' if stream.lost is None else 'by sequence numbers'
        share = lost / (lost + stream.count)
        evidence = [
            f'{lost} of {lost + stream.count} images lost ({share:.1%}), {how}',
            f'one image has {image_bytes} bytes',
        ]
        if segment:
            evidence.append(
                f'the shared-memory segment of {describe(publisher)} has {segment} bytes'
            )
        if topic.probe is not None and not topic.probe.error and topic.probe.lost is not None:
            total = topic.probe.received + topic.probe.lost
            evidence.append(f'over UDP alone {topic.probe.lost} of {total} lost')
        too_small = image_bytes > (segment or _DEFAULT_SEGMENT_BYTES)
        yield Finding(
            'error' if share > _MUCH_LOSS else 'warning',
            'loss',
            topic.name,
            f'{share:.1%} of the images get lost between the camera and this machine',
            evidence='; '.join(evidence),
            cause=(
                "an image does not fit into the publisher's shared-memory segment (Fast DDS makes "
                '512 KB by default)'
                if too_small
                else 'the machine or the network has no time for them'
                + ('' if stream.lost is not None else ', or the camera skips frames')
            ),
            fix=(
                profile_fix(publisher.node or 'the publisher')
                if too_small
                else 'lower rate or size of the images, look for other subscribers of the topic'
            )
            + (
                '; meanwhile lane-seg run --ros-args -p input_reliability:=reliable'
                if publisher.reliability == 'reliable'
                else ''
            ),
        )
    elif segment and image_bytes > segment:
        yield Finding(
            'warning',
            'segment-small',
            topic.name,
            "an image does not fit into the publisher's shared-memory segment",
            evidence=f'image {image_bytes} bytes, segment {segment} bytes; none lost so far',
            cause='the default segment of Fast DDS has 512 KB; with more load images get lost',
            fix=profile_fix(publisher.node or 'the publisher'),
        )
    if stream.lost is not None and stream.missing > stream.lost:
        yield Finding(
            'note',
            'camera-skips',
            topic.name,
            'the camera itself left out frames',
            evidence=(
                f'{stream.missing} gaps of whole periods in the stamps, but only {stream.lost} '
                'messages lost on the way'
            ),
            cause='the camera or simulator was too slow, or frames without movement are skipped',
            fix='lower the rate or the resolution of the camera',
        )
    if stream.jitter > _MUCH_JITTER:
        yield Finding(
            'note',
            'jitter',
            topic.name,
            'the camera does not take its images evenly',
            evidence=(
                f'95th percentile {stream.jitter:.0%} of the period of '
                f'{stream.period_s * 1e3:.1f} ms'
            ),
            cause='exposure control, an unsynchronised simulator (CARLA without '
            'synchronous_mode), or stamps that are set late in the driver',
            fix='in CARLA: synchronous_mode with fixed_delta_seconds',
        )


def _segment_of(publishers: tuple[Endpoint, ...]) -> int:
    """Size of the largest segment of their processes in bytes, 0 if not known."""
    sizes = [publisher.process.segments_bytes for publisher in publishers if publisher.process]
    return max((size for each in sizes for size in each), default=0)
