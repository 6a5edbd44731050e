"""Remove the Fast DDS shared memory that killed processes left behind.

A process that ends by SIGKILL or a crash leaves its segment (16 MB with our profile) in /dev/shm,
and no later participant takes it back. Each segment and each port has a lock file, `_el` (one
owner) or `_sl` (several), on which every owner holds flock(2) for as long as it lives. The kernel
drops that lock with the process, so a free lock means a dead owner. Unlike a search through
/proc this also holds for owners in other containers that share /dev/shm.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import ExitStack
from pathlib import Path

__all__ = ['SHARED_MEMORY', 'locks_in', 'remove_dead_segments']

SHARED_MEMORY = Path('/dev/shm')
"""Where Fast DDS keeps its segments on Linux."""

_LOCK_NAME = re.compile(r'(fastrtps_(?:[0-9a-f]{16}|port\d+))_[es]l')


def locks_in(folder: str | Path = SHARED_MEMORY) -> dict[Path, list[Path]]:
    """Find the lock files of Fast DDS.

    Args:
        folder: where they lie; one that is not there has none.

    Returns:
        {segment or port: its lock files}; the segment itself may be gone.
    """
    locks_of: dict[Path, list[Path]] = {}
    for path in sorted(Path(folder).glob('fastrtps_*')):
        if found := _LOCK_NAME.fullmatch(path.name):
            locks_of.setdefault(path.with_name(found[1]), []).append(path)
    return locks_of


def remove_dead_segments(folder: str | Path = SHARED_MEMORY, *, minimum_age_s: float = 1.0) -> int:
    """Remove the segments and ports whose owners no longer live.

    Those of other users are left alone, and so is everything where there is no such folder.

    Args:
        folder: where Fast DDS keeps its shared memory.
        minimum_age_s: leave alone what was made within so many seconds. A starting participant
            creates its lock file a moment before it locks it.

    Returns:
        The number of segments and ports removed.
    """
    return sum(
        _remove_if_dead(segment, locks, minimum_age_s)
        for segment, locks in locks_in(folder).items()
    )


def _remove_if_dead(segment: Path, locks: list[Path], minimum_age_s: float) -> bool:
    """Remove a segment or port with its files if all its locks are free; say whether it was."""
    with ExitStack() as stack:
        try:
            for path in locks:
                file = stack.enter_context(path.open('rb'))
                status = os.fstat(file.fileno())
                if status.st_uid != os.geteuid():
                    return False
                if time.time() - status.st_mtime < minimum_age_s:
                    return False
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Our locks are held until the files are gone, the lock files last: whoever wants
            # this port in the meantime finds it either locked or absent.
            for path in (segment, segment.with_name(f'sem.{segment.name}_mutex'), *locks):
                path.unlink(missing_ok=True)
        except OSError:  # locked by a living owner, or removed under our hands by another cleaner
            return False
    return True
