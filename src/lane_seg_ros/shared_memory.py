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

__all__ = ['remove_dead_segments']

_LOCK_NAME = re.compile(r'(fastrtps_(?:[0-9a-f]{16}|port\d+))_[es]l')


def remove_dead_segments(folder: str | Path = '/dev/shm', *, minimum_age_s: float = 1.0) -> int:
    """Remove the segments and ports whose owners no longer live.

    Those of other users are left alone, and so is everything where there is no such folder.

    Args:
        folder: where Fast DDS keeps its shared memory.
        minimum_age_s: leave alone what was made within so many seconds. A starting participant
            creates its lock file a moment before it locks it.

    Returns:
        The number of segments and ports removed.
    """
    locks_of: dict[str, list[Path]] = {}
    for path in Path(folder).glob('fastrtps_*'):
        if found := _LOCK_NAME.fullmatch(path.name):
            locks_of.setdefault(found[1], []).append(path)
    return sum(
        _remove_if_dead(Path(folder) / name, locks, minimum_age_s)
        for name, locks in locks_of.items()
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
