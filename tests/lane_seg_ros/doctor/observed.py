"""Observations to begin a test with: a camera on which nothing is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg_ros.doctor.observations import (
    CameraInfoTopic,
    Endpoint,
    Environment,
    ImageFormat,
    ImageTopic,
    Intrinsics,
    LaneNode,
    Message,
    Observations,
    ProcessFacts,
    Transform,
    Transforms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lane_seg_ros.doctor.findings import Finding

NAME = '/camera/image'
NOW_NS = 1_800_000_000 * 10**9
PERIOD_NS = 33_333_333
# Vendor, host, process 0x1234, random bytes, entity.
GID = bytes.fromhex('010f78fd341200000000000000001303')
OWN_GID = bytes.fromhex('010f78fd352200000000000000000104')
OTHER_HOST_GID = bytes.fromhex('010faaaa341200000000000000001303')
CYCLONE_GID = bytes.fromhex('0110aaaa341200000000000000001303')
OPTICAL = (-0.5, 0.5, -0.5, 0.5)
LEVEL = (0.0, 0.0, 0.0, 1.0)
SEGMENT_BYTES = 16 << 20


def process(**changes: object) -> ProcessFacts:
    facts = {'pid': 0x1234, 'command': 'camera', 'uid': 1000, 'same_shared_memory': True}
    return ProcessFacts(**{**facts, 'segments_bytes': (SEGMENT_BYTES,), **changes})  # type: ignore[arg-type]


def publisher(**changes: object) -> Endpoint:
    facts = {'node': '/camera', 'gid': GID, 'process': process()}
    return Endpoint(**{**facts, **changes})  # type: ignore[arg-type]


def messages(count: int = 60, *, first_stamp_ns: int = NOW_NS) -> tuple[Message, ...]:
    """An even stream without loss; each arrives 2 ms after its stamp."""
    return tuple(
        Message(
            arrived_ns=NOW_NS + number * PERIOD_NS + 2_000_000,
            stamp_ns=first_stamp_ns + number * PERIOD_NS,
            sequence=number + 1,
        )
        for number in range(count)
    )


def layout(**changes: object) -> ImageFormat:
    facts = {
        'height': 720, 'width': 1280, 'encoding': 'bgr8', 'step': 3840,
        'data_bytes': 720 * 3840, 'frame_id': 'camera_optical',
    }  # fmt: skip
    return ImageFormat(**{**facts, **changes})  # type: ignore[arg-type]


def image(**changes: object) -> ImageTopic:
    facts = {
        'name': NAME,
        'publishers': (publisher(),),
        'messages': messages(),
        'formats': {layout(): 60},
    }
    return ImageTopic(**{**facts, **changes})  # type: ignore[arg-type]


def intrinsics(**changes: object) -> Intrinsics:
    k = (900.0, 0.0, 640.0, 0.0, 900.0, 360.0, 0.0, 0.0, 1.0)
    p = (900.0, 0.0, 640.0, 0.0, 0.0, 900.0, 360.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    facts = {'height': 720, 'width': 1280, 'k': k, 'p': p, 'frame_id': 'camera_optical'}
    return Intrinsics(**{**facts, **changes})  # type: ignore[arg-type]


def camera_info(**changes: object) -> CameraInfoTopic:
    facts = {
        'name': '/camera/camera_info',
        'image': NAME,
        'publishers': (publisher(),),
        'messages': messages(),
        'intrinsics': intrinsics(),
    }
    return CameraInfoTopic(**{**facts, **changes})  # type: ignore[arg-type]


def seen(**changes: object) -> Observations:
    """A graph in which all is well."""
    facts = {
        'seconds': 5.0,
        'images': (image(),),
        'camera_infos': (camera_info(),),
        'transforms': Transforms((Transform('base', 'camera_optical', OPTICAL),)),
        'lane_nodes': (LaneNode('/lane_seg_node', 0, '30.0 masks per second'),),
        'environment': Environment(uid=1000, shm_total_bytes=8 << 30, shm_free_bytes=8 << 30),
        'gid': OWN_GID,
    }
    return Observations(**{**facts, **changes})  # type: ignore[arg-type]


def bad_codes(findings: Iterable[Finding]) -> set[str]:
    """Codes of the errors and warnings."""
    return {f.code for f in findings if f.severity in ('error', 'warning')}


def the(findings: Iterable[Finding], code: str) -> Finding:
    """The one finding with this code."""
    found = [finding for finding in findings if finding.code == code]
    assert len(found) == 1, f'{code}: {found}'
    return found[0]
