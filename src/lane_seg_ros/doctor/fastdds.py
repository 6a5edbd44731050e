"""Who stands behind a Fast DDS endpoint, and what lies in its shared memory.

The first twelve bytes of an endpoint's gid are the participant's: vendor (01 0f is Fast DDS), two
bytes that stand for the host, the low half of the process number, and random bytes (Fast DDS 2,
`GuidUtils`; checked against 2.14). Two participants with the same host bytes take each other for
neighbours and talk through shared memory, even where a container gives each its own /dev/shm.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lane_seg_ros.doctor.observations import ProcessFacts
from lane_seg_ros.shared_memory import SHARED_MEMORY, locks_in

__all__ = [
    'Segment',
    'host_of',
    'is_fast_dds',
    'process_of',
    'segments_in',
    'settings_of',
]

_SETTINGS = (
    'RMW_IMPLEMENTATION', 'ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_STATIC_PEERS',
    'ROS_LOCALHOST_ONLY', 'ROS_DISCOVERY_SERVER', 'ROS_DISTRO', 'FASTDDS_BUILTIN_TRANSPORTS',
    'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'SKIP_DEFAULT_XML',
    'RMW_FASTRTPS_USE_QOS_FROM_XML', 'CYCLONEDDS_URI',
)  # fmt: skip

_FAST_DDS = b'\x01\x0f'
_PROC = Path('/proc')
_COMMAND_LENGTH = 80
# Fast DDS 2, and from 3 on.
_LIBRARIES = (b'libfastrtps', b'libfastdds')


@dataclass(frozen=True)
class Segment:
    """A Fast DDS file in shared memory.

    Attributes:
        name: of the file.
        size_bytes: of the file.
        owner: process that holds its lock; None: none does, or it is in another container.
        is_dead: nobody at all holds its lock: its owner ended by a crash or SIGKILL.
        is_port: a mailbox of references, not the place where the images lie.
    """

    name: str
    size_bytes: int
    owner: int | None
    is_dead: bool
    is_port: bool


def is_fast_dds(gid: bytes) -> bool:
    """Whether an endpoint belongs to Fast DDS."""
    return gid[:2] == _FAST_DDS


def host_of(gid: bytes) -> str:
    """What Fast DDS takes for the host of an endpoint, as four hexadecimal digits."""
    return gid[2:4].hex()


def settings_of(environment: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those variables of an environment that steer ROS and Fast DDS."""
    return {name: value for name, value in environment if name in _SETTINGS and value}


def process_of(gid: bytes, *, own_gid: bytes, segments: Iterable[Segment]) -> ProcessFacts | None:
    """The process of an endpoint, if it is here and there is no doubt about it.

    Args:
        gid: of the endpoint.
        own_gid: of an endpoint of this process, which tells our host.
        segments: from `segments_in`.
    """
    if not is_fast_dds(gid) or host_of(gid) != host_of(own_gid):
        return None
    low_bits = int.from_bytes(gid[4:6], 'little')
    pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
    # Between containers that share a network, process numbers repeat: ours is never the one that
    # is looked for, nor is one that does not speak Fast DDS.
    candidates = [
        pid
        for pid in pids
        if pid & 0xFFFF == low_bits and pid != os.getpid() and _may_speak_fast_dds(pid)
    ]
    return _facts_of(candidates[0], segments) if len(candidates) == 1 else None


def segments_in(folder: str | Path = SHARED_MEMORY) -> tuple[Segment, ...]:
    """The segments and ports of Fast DDS; none where there is no such folder."""
    owners = _owners_of_locks()
    found = []
    for segment, locks in locks_in(folder).items():
        for lock in locks:
            try:
                size = segment.stat().st_size
                with lock.open('rb') as file:
                    inode = os.fstat(file.fileno()).st_ino
                    is_free = _is_free(file.fileno())
            except OSError:  # removed in between, or of another user
                continue
            is_port = '_port' in segment.name
            found.append(Segment(segment.name, size, owners.get(inode), is_free, is_port=is_port))
    return tuple(found)


def _is_free(descriptor: int) -> bool:
    """Whether nobody holds the lock; the shared lock taken to find out ends with the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _owners_of_locks() -> dict[int, int]:
    """{inode: process} of the file locks of this machine that we can see."""
    owners = {}
    try:
        lines = (_PROC / 'locks').read_text(encoding='ascii').splitlines()
    except OSError:
        return {}
    for line in lines:
        words = line.split()
        # A waiting lock has an arrow in the second place.
        if len(words) >= 6 and words[1] == 'FLOCK':
            owners[int(words[5].rpartition(':')[2])] = int(words[4])
    return owners


def _may_speak_fast_dds(pid: int) -> bool:
    """Whether a process has the library, or does not let us see."""
    try:
        libraries = (_PROC / str(pid) / 'maps').read_bytes()
    except OSError:  # of another user, or ended
        return True
    return any(name in libraries for name in _LIBRARIES)


def _facts_of(pid: int, segments: Iterable[Segment]) -> ProcessFacts | None:
    folder = _PROC / str(pid)
    try:
        uid = folder.stat().st_uid
        command = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode(errors='replace')
    except OSError:  # it has ended in the meantime
        return None
    return ProcessFacts(
        pid=pid,
        command=command.strip()[:_COMMAND_LENGTH],
        uid=uid,
        same_shared_memory=_same_shared_memory(folder),
        segments_bytes=tuple(s.size_bytes for s in segments if s.owner == pid and not s.is_port),
    )


def _same_shared_memory(folder: Path) -> bool | None:
    try:
        theirs, ours = (folder / 'root/dev/shm').stat(), SHARED_MEMORY.stat()
    except OSError:
        return None
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
