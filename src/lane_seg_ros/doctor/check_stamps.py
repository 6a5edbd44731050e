"""Do the stamps of the images tell when they were taken?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from lane_seg_ros.doctor.check_arrival import describe
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import ImageTopic, Observations
from lane_seg_ros.doctor.stream import Stream

__all__ = ['check_clock', 'check_stamps']

_OLD_S = 0.2
# Two clocks of one machine never differ by that much, those of two machines without NTP do.
_FUTURE_S = 0.01
# Simulation time begins near zero; system time is half a century away from it.
_NOT_SYSTEM_TIME_S = 3600.0


def check_stamps(topic: ImageTopic, stream: Stream, seen: Observations) -> Iterator[Finding]:
    """Stamps that are zero, go back, repeat, are of the wrong clock, old, or in the future."""
    if stream.zero == stream.count:
        yield Finding(
            'error',
            'stamp-zero',
            topic.name,
            'the images carry no time: every stamp is zero',
            evidence=f'{stream.count} of {stream.count} stamps are 0',
            cause='the driver does not fill in header.stamp; nothing can be matched to a mask',
            fix='in the driver: msg.header.stamp = node.get_clock().now().to_msg()',
        )
        return
    yield from _check_order(topic, stream)
    yield from _check_time(topic, stream, seen)


def check_clock(seen: Observations) -> Iterator[Finding]:
    """Simulation time that comes from two sources."""
    clock = seen.clock
    if len(clock.publishers) > 1:
        stamps = [message.stamp_ns for message in clock.messages]
        back = sum(later < earlier for earlier, later in itertools.pairwise(stamps))
        yield Finding(
            'error' if back else 'warning',
            'several-clocks',
            '/clock',
            f'{len(clock.publishers)} publishers say what time it is',
            evidence=(
                f'{"; ".join(map(describe, clock.publishers))}; it jumped back {back} times in '
                f'{len(stamps)} messages'
            ),
            cause='two simulators or bags in one domain, or a bridge beside a native interface',
            fix='leave one; ros2 bag play without --clock beside a running simulator',
        )


def _check_order(topic: ImageTopic, stream: Stream) -> Iterator[Finding]:
    if stream.backward:
        yield Finding(
            'error',
            'stamp-backward',
            topic.name,
            'time jumps back in the stamps',
            evidence=(
                f'{stream.backward} of {stream.count - 1} stamps are before the one that came '
                f'before, at worst by {stream.farthest_back_s:.3f} s'
            ),
            cause=(
                f'{len(topic.publishers)} publishers share the topic'
                if len(topic.publishers) > 1
                else 'the simulation was reset, a bag plays in a loop, or the driver mixes two '
                'clocks'
            ),
            fix=(
                'leave one publisher on the topic'
                if len(topic.publishers) > 1
                else 'restart the nodes that keep a history (tf, filters) after each reset; let '
                'the driver take all stamps from one clock'
            ),
        )
    if stream.repeated:
        yield Finding(
            'warning',
            'stamp-repeated',
            topic.name,
            'different images carry the same stamp',
            evidence=f'{stream.repeated} of {stream.count - 1} repeat the one before',
            cause='simulation time stands still, or the driver publishes an image twice',
            fix='publish each frame once, with the time at which it was taken',
        )


def _check_time(topic: ImageTopic, stream: Stream, seen: Observations) -> Iterator[Finding]:
    clock = seen.clock.messages
    is_system_time = abs(stream.age_s) < _NOT_SYSTEM_TIME_S
    stamp_s = topic.messages[-1].stamp_ns / 1e9
    if clock and is_system_time:
        last = clock[-1]
        if abs(last.arrived_ns - last.stamp_ns) > _NOT_SYSTEM_TIME_S * 1e9:
            yield Finding(
                'error',
                'stamp-system-time',
                topic.name,
                'the images carry system time, although a simulator publishes /clock',
                evidence=f'last stamp {stamp_s:.3f} s, last /clock {last.stamp_ns / 1e9:.3f} s',
                cause='the driver of this camera does not use simulation time',
                fix='start the camera driver with -p use_sim_time:=true',
            )
            return
    if not is_system_time:
        yield Finding(
            'ok' if clock else 'note',
            'stamp-sim-time',
            topic.name,
            'the stamps are simulation time' if clock else 'the stamps are not system time',
            evidence=f'last stamp {stamp_s:.3f} s',
            cause='' if clock else 'a simulator or a bag without /clock',
            fix=(
                'use_sim_time:=true for every node that compares stamps with now'
                if clock
                else 'ros2 bag play --clock, so that other nodes know the time'
            ),
        )
    elif stream.age_s > _OLD_S:
        yield Finding(
            'warning',
            'stamp-old',
            topic.name,
            f'images are {stream.age_s * 1e3:.0f} ms old when they arrive',
            evidence=f'median of arrival minus stamp over {stream.count} images',
            cause='a queue in the driver or on the way, a slow network, or clocks that differ',
            fix='queue depth 1 in the driver, compressed images over a network, chrony or NTP',
        )
    elif stream.age_s < -_FUTURE_S:
        yield Finding(
            'warning',
            'stamp-future',
            topic.name,
            f'the stamps lie {-stream.age_s * 1e3:.0f} ms in the future',
            evidence=f'median of arrival minus stamp over {stream.count} images',
            cause="the camera's machine has another time than this one",
            fix='chrony or NTP on both machines',
        )
