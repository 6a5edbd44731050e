"""Listen to an image topic over UDP on the loopback interface alone, in a process of its own.

Fast DDS chooses its transports when a participant is made, from the environment: only another
process can listen without shared memory. It is told in the profile, and its discovery range is
SUBNET, since for LOCALHOST rmw_fastrtps adds shared memory whatever the profile says (measured
with 8.4); the interface list of the profile keeps it on this machine all the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

from lane_seg_ros.doctor.check_arrival import IMAGE_TYPE
from lane_seg_ros.doctor.fastdds import host_of, is_fast_dds
from lane_seg_ros.doctor.observations import ImageTopic, ProbeResult
from lane_seg_ros.doctor.stream import lost_by_sequence, stream_of

__all__ = ['probe_topics', 'with_probes']

_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>loopback</transport_id>
        <type>UDPv4</type>
        <interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="udp_probe" is_default_profile="true">
      <rtps>
        <userTransports><transport_id>loopback</transport_id></userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
      </rtps>
    </participant>
  </profiles>
</dds>
"""
# Fast DDS announces a participant every 3 s; the first announcements often get lost.
_DISCOVERY_S = 7.0
_START_S = 20.0
_QUEUE_DEPTH = 20
_PROBE_S = 2.0
# Each is a process; what holds for some cameras of a machine holds for the others.
_AT_ONCE = 4


def probe_topics(topics: Iterable[str], *, seconds: float) -> dict[str, ProbeResult]:
    """Listen to several image topics at once.

    Args:
        topics: full names.
        seconds: how long to listen once the publisher has been found.
    """
    with tempfile.TemporaryDirectory(prefix='lane_seg_doctor') as folder:
        profile = Path(folder) / 'udp.xml'
        profile.write_text(_PROFILE, encoding='utf-8')
        processes = {topic: _start(topic, seconds, profile) for topic in topics}
        try:
            return {topic: _result(process, seconds) for topic, process in processes.items()}
        finally:
            for process in processes.values():
                if process.poll() is None:
                    process.kill()
                process.communicate()


def with_probes(images: Iterable[ImageTopic], own_gid: bytes) -> tuple[ImageTopic, ...]:
    """The topics, with a second opinion over UDP on those that suffer."""
    images = tuple(images)
    suffering = [image for image in images if _is_worth_a_probe(image, own_gid)]
    suffering.sort(key=lambda image: bool(image.messages))  # those that are silent come first
    results = probe_topics([image.name for image in suffering[:_AT_ONCE]], seconds=_PROBE_S)
    return tuple(replace(image, probe=results.get(image.name)) for image in images)


def _is_worth_a_probe(image: ImageTopic, own_gid: bytes) -> bool:
    is_neighbour = any(
        is_fast_dds(publisher.gid) and host_of(publisher.gid) == host_of(own_gid)
        for publisher in image.publishers
    )
    if not is_neighbour or IMAGE_TYPE not in image.types:
        return False
    stream = stream_of(image.messages, publishers=len(image.publishers))
    return stream is None or bool(stream.lost)


def _start(topic: str, seconds: float, profile: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile),
        'FASTDDS_DEFAULT_PROFILES_FILE': str(profile),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
        'PYTHONPATH': os.pathsep.join(entry for entry in sys.path if entry),
    }
    for name in ('FASTDDS_BUILTIN_TRANSPORTS', 'ROS_LOCALHOST_ONLY'):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, '-m', __name__, topic, str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _result(process: subprocess.Popen[str], seconds: float) -> ProbeResult:
    try:
        out, err = process.communicate(timeout=_START_S + _DISCOVERY_S + seconds)
    except subprocess.TimeoutExpired:
        return ProbeResult(0, 0.0, error='the probe did not end in time')
    if process.returncode:
        last = err.strip().splitlines()[-1:] or ['no message']
        return ProbeResult(0, 0.0, error=f'the probe ended with {process.returncode}: {last[0]}')
    return ProbeResult(**json.loads(out))


def _listen(topic: str, seconds: float) -> ProbeResult:
    """Subscribe in this process, whose environment `_start` has made."""
    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node(f'lane_seg_doctor_probe_{os.getpid()}')
    sequences: list[int | None] = []

    def take(_: Image, info: dict[str, int | None]) -> None:
        sequences.append(info.get('publication_sequence_number'))

    qos = QoSProfile(depth=_QUEUE_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
    # rclpy counts the arguments; its type hints know of one only.
    callback: Callable[..., None] = take
    node.create_subscription(Image, topic, callback, qos)
    started_s = time.monotonic()
    found_s = None
    while True:
        now_s = time.monotonic()
        if found_s is None and (sequences or node.count_publishers(topic)):
            found_s = now_s
        if found_s is None and now_s - started_s > _DISCOVERY_S:
            break
        if found_s is not None and now_s - found_s > seconds:
            break
        rclpy.spin_once(node, timeout_sec=0.1)
    node.destroy_node()
    rclpy.try_shutdown()
    numbers = [number for number in sequences if number is not None]
    is_numbered = len(numbers) == len(sequences)
    return ProbeResult(
        received=len(sequences),
        seconds=round(time.monotonic() - (found_s or started_s), 2),
        lost=lost_by_sequence(numbers) if is_numbered else None,
        error='' if found_s is not None else 'the publisher was not found over UDP',
    )


if __name__ == '__main__':
    sys.stdout.write(json.dumps(asdict(_listen(sys.argv[1], float(sys.argv[2])))))
