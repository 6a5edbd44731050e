"""Do messages arrive, and if not, what stands between the publisher and us?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from lane_seg_ros.doctor.fastdds import host_of, is_fast_dds
from lane_seg_ros.doctor.findings import Finding
from lane_seg_ros.doctor.observations import (
    ClockTopic,
    Endpoint,
    ImageTopic,
    Observations,
    ProcessFacts,
)

__all__ = ['IMAGE_TYPE', 'check_arrival', 'clock_stands_still', 'describe']

IMAGE_TYPE = 'sensor_msgs/msg/Image'

_UDP_ONLY = (
    'start the publisher with FASTDDS_BUILTIN_TRANSPORTS=UDPv4 (for CARLA: '
    'FASTDDS_BUILTIN_TRANSPORTS=UDPv4 ./CarlaUE4.sh --ros2); or let both sides share memory: '
    'docker run --ipc=host on both, and the same user on both'
)
_LOCALHOST_KEEPS_SHARED_MEMORY = (
    '. A publisher made with rclpy or rclcpp also needs ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET: '
    'under LOCALHOST the middleware adds shared memory again'
)


def check_arrival(seen: Observations) -> Iterator[Finding]:
    """Topics that nobody publishes, that stay silent, and ends that do not fit together."""
    for topic in seen.images:
        yield from _check_publishers(topic, seen)
        yield from _check_qos(topic)
        if topic.publishers and IMAGE_TYPE in topic.types and not topic.messages:
            yield _silence(topic, seen)


def clock_stands_still(clock: ClockTopic) -> bool:
    """Whether /clock says the same time again and again."""
    stamps = {message.stamp_ns for message in clock.messages}
    return len(clock.messages) > 1 and len(stamps) == 1


def describe(endpoint: Endpoint) -> str:
    """Node and process of an endpoint, as far as they are known."""
    node = endpoint.node or 'a node without a name'
    process = endpoint.process
    if process is None:
        return node
    return f'{node} (process {process.pid}, user {process.uid}: {process.command})'


def _check_publishers(topic: ImageTopic, seen: Observations) -> Iterator[Finding]:
    if topic.types and IMAGE_TYPE not in topic.types:
        yield Finding(
            'error',
            'wrong-type',
            topic.name,
            'the topic does not carry images that lane_seg_node can read',
            evidence=f'type {", ".join(topic.types)}, expected {IMAGE_TYPE}',
            fix='name the raw image topic of this camera',
        )
    elif not topic.publishers:
        yield _no_publisher(topic, seen)
    elif len(topic.publishers) > 1:
        yield Finding(
            'warning',
            'several-publishers',
            topic.name,
            f'{len(topic.publishers)} publishers share this topic, their images mix',
            evidence='; '.join(describe(publisher) for publisher in topic.publishers),
            cause='two cameras with one name, or an old driver that still runs',
            fix='stop one of them, or give each camera a topic (in CARLA: its own ros_name)',
        )


def _no_publisher(topic: ImageTopic, seen: Observations) -> Finding:
    names = [image.name for image in seen.images if image.publishers] + [*seen.other_image_topics]
    near = difflib.get_close_matches(topic.name, names, n=1, cutoff=0.4)
    settings = seen.environment.settings
    return Finding(
        'error',
        'no-publisher',
        topic.name,
        'nobody publishes this topic',
        evidence=(
            f'image topics that are published: {", ".join(names) or "none"}; seen for '
            f'{seen.seconds:.1f} s in ROS_DOMAIN_ID {settings.get("ROS_DOMAIN_ID", "0")}'
        ),
        cause='the camera is not running, has another name, or is in another domain',
        fix=(
            f'lane-seg run --ros-args -r image:={near[0]}'
            if near
            else 'start the camera, with the ROS_DOMAIN_ID of this shell (CARLA: --ros2, and '
            'sensor.enable_for_ros() for each camera)'
        ),
    )


def _check_qos(topic: ImageTopic) -> Iterator[Finding]:
    for publisher in topic.publishers:
        for subscriber in topic.subscribers:
            both = f'{describe(publisher)} -> {describe(subscriber)}'
            if publisher.reliability == 'best_effort' and subscriber.reliability == 'reliable':
                yield Finding(
                    'error',
                    'qos-reliability',
                    topic.name,
                    'a subscriber gets nothing: it asks for more reliability than is offered',
                    evidence=f'{both}: offered best_effort, asked for reliable',
                    fix=_relax(subscriber, 'reliability', 'best_effort'),
                )
            if publisher.durability == 'volatile' and subscriber.durability == 'transient_local':
                yield Finding(
                    'error',
                    'qos-durability',
                    topic.name,
                    'a subscriber gets nothing: it asks for old messages, which are not kept',
                    evidence=f'{both}: offered volatile, asked for transient_local',
                    fix=_relax(subscriber, 'durability', 'volatile'),
                )


def _relax(subscriber: Endpoint, policy: str, value: str) -> str:
    name = subscriber.node or 'the subscriber'
    if name.rpartition('/')[2] == 'lane_seg_node' and policy == 'reliability':
        return f'start {name} with -p input_reliability:={value}'
    return f'let {name} subscribe with {policy} {value} (in rviz: Topic > {policy.title()} Policy)'


def _silence(topic: ImageTopic, seen: Observations) -> Finding:
    """Why a topic with a publisher brings nothing; what was measured goes before guesses."""
    evidence = [
        f'{len(topic.publishers)} publisher(s): {", ".join(map(describe, topic.publishers))}',
        f'0 images in {seen.seconds:.1f} s',
    ]
    hindrances = [text for p in topic.publishers for text in _hindrances(p, seen)]
    probe = topic.probe
    if probe is not None and not probe.error:
        evidence.append(f'over UDP alone {probe.received} images in {probe.seconds:.1f} s')
    elif probe is not None:
        evidence.append(f'UDP was not tried: {probe.error}')
    paused = clock_stands_still(seen.clock)
    if paused:
        stamp_s = seen.clock.messages[-1].stamp_ns / 1e9
        evidence.append(f'/clock stands at {stamp_s:.3f} s ({len(seen.clock.messages)} messages)')
    shown = '; '.join([*evidence, *hindrances])

    if probe is not None and probe.received:
        return Finding(
            'error',
            'shared-memory-silent',
            topic.name,
            'the publisher sends, but through shared memory nothing reaches this process',
            evidence=shown,
            cause=(
                'Fast DDS takes both sides for one host and uses /dev/shm, which they do not '
                'share: different containers, or different users'
            ),
            fix=_UDP_ONLY + _LOCALHOST_KEEPS_SHARED_MEMORY,
        )
    if paused:
        return Finding(
            'error',
            'simulator-paused',
            topic.name,
            'the publisher is there, but simulation time stands still',
            evidence=shown,
            cause='the simulator is paused, or in synchronous mode and nobody calls world.tick()',
            fix='resume the simulator, or start the client that ticks it',
        )
    if hindrances and (probe is None or probe.error):
        return Finding(
            'error',
            'shared-memory-suspected',
            topic.name,
            'the publisher is there, but no image arrives',
            evidence=shown,
            cause=(
                'most likely Fast DDS uses shared memory between sides that do not share it '
                '(containers, users); a silent camera looks the same'
            ),
            fix=_UDP_ONLY + _LOCALHOST_KEEPS_SHARED_MEMORY,
        )
    return Finding(
        'error',
        'publisher-silent',
        topic.name,
        'the publisher is there, but it sends no image',
        evidence=shown,
        cause=(
            'the camera does not run: it waits for a trigger, hangs, or (CARLA) nobody ticks '
            'the synchronous world or no client called listen()'
            if probe is not None and not probe.error
            else 'the camera does not run, or something on the way drops all its messages'
        ),
        fix=(
            "look at the camera driver's log; in CARLA start the client that calls world.tick()"
            + ('' if probe is not None and not probe.error else f'. If it does send: {_UDP_ONLY}')
        ),
    )


def _hindrances(publisher: Endpoint, seen: Observations) -> Iterator[str]:
    """What is visible of two sides that cannot share memory though Fast DDS believes it."""
    if not (is_fast_dds(publisher.gid) and is_fast_dds(seen.gid)):
        return
    if host_of(publisher.gid) != host_of(seen.gid):
        return
    host = host_of(publisher.gid)
    process = publisher.process
    if process is None:
        yield (
            f'Fast DDS takes the publisher for a neighbour (host {host}), but no process here has '
            'its number: it is in another container'
        )
        return
    yield from _differences(process, seen.environment.uid)


def _differences(process: ProcessFacts, uid: int) -> Iterator[str]:
    if process.same_shared_memory is False:
        yield f'process {process.pid} has another /dev/shm than this one'
    if process.uid != uid:
        yield f'process {process.pid} is of user {process.uid}, this one of user {uid}'
