"""Settings for large images that must be in place before `rclpy.init`: Fast DDS and malloc.

`prepare_middleware()` is the first call of each of our executables. It does three things, and says
in one line each what it did or why it did not:

- it points Fast DDS to a profile with a 16 MB shared-memory segment. The default of 512 KB is
  smaller than one camera image: of a best-effort 1280x720 stream most frames never arrive. The
  profile also lets processes find each other within half a second instead of three.
- it removes the shared memory of processes that were killed: 16 MB each, which nobody else takes
  back, and a full /dev/shm keeps every new participant from starting.
- it tells glibc's malloc to keep large blocks. By default each image-sized block is a fresh
  memory mapping, whose page faults cost more than the copy itself (a 1280x720 image was received
  in 4.3 ms without and 1.5 ms with this setting).

`LANE_SEG_NO_MIDDLEWARE_TUNING=1` turns all of it off. Whatever the user has chosen stays.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lane_seg.allocator import keep_large_blocks
from lane_seg_ros.shared_memory import SHARED_MEMORY, remove_dead_segments

__all__ = [
    'NO_TUNING_VARIABLE',
    'PROFILE_PATH',
    'PROFILE_VARIABLES',
    'TRANSPORT_VARIABLES',
    'prepare_middleware',
]

NO_TUNING_VARIABLE = 'LANE_SEG_NO_MIDDLEWARE_TUNING'
# Beside this module in a checkout, in a wheel and in a colcon install alike (package data).
PROFILE_PATH = Path(__file__).resolve().with_name('fastdds_shm.xml')

_SEGMENT_BYTES = 16 << 20  # as the profile says

PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Fast DDS 2 (Humble, Jazzy) reads the first name only, Fast DDS 3 (from Kilted on) the second."""
TRANSPORT_VARIABLES = (*PROFILE_VARIABLES, 'FASTDDS_BUILTIN_TRANSPORTS')
"""Somebody who chose the transports (say, UDP only between containers) must not get ours."""


def prepare_middleware() -> tuple[str, ...]:
    """Tune Fast DDS and malloc of this process; call it before `rclpy.init`.

    Returns:
        One line per thing done or left alone, to be logged once a logger exists.
    """
    if os.environ.get(NO_TUNING_VARIABLE, '0') not in ('', '0'):
        return (f'middleware tuning is off ({NO_TUNING_VARIABLE} is set)',)
    notes = (
        _choose_shared_memory_profile(),
        _reclaim_shared_memory(),
        _look_at_free_shared_memory(),
        keep_large_blocks(),
    )
    return tuple(note for note in notes if note)


def _reclaim_shared_memory() -> str:
    """Remove what killed processes have left; return how much that was."""
    removed = remove_dead_segments()
    return f'removed {removed} shared-memory segments and ports of dead processes' * bool(removed)


def _look_at_free_shared_memory() -> str:
    """Say so where the shared memory of this machine does not hold our segment."""
    try:
        usage = shutil.disk_usage(SHARED_MEMORY)
    except OSError:  # not Linux
        return ''
    if usage.free >= _SEGMENT_BYTES:
        return ''
    return (
        f'{SHARED_MEMORY} has {usage.free >> 10} KiB free, a participant needs '
        f'{_SEGMENT_BYTES >> 10}: images go over UDP instead of shared memory, slower and with '
        'losses; free it, or give a container more (--shm-size=256m, or --ipc=host)'
    )


def _choose_shared_memory_profile() -> str:
    """Set the environment variables that name the Fast DDS profile; return what was done."""
    middleware = os.environ.get('RMW_IMPLEMENTATION', '')
    if middleware and 'fastrtps' not in middleware:
        return f'no Fast DDS profile: RMW_IMPLEMENTATION is {middleware}'
    for name in TRANSPORT_VARIABLES:
        # Our own path is there where one of our executables has started this one.
        if os.environ.get(name) not in (None, '', str(PROFILE_PATH)):
            return f'no Fast DDS profile of ours: {name} is already {os.environ[name]}'
    if not PROFILE_PATH.is_file():
        return (
            f'no Fast DDS profile: {PROFILE_PATH} is missing, large images may get lost; '
            'install the package again'
        )
    for name in PROFILE_VARIABLES:
        os.environ[name] = str(PROFILE_PATH)
    return f'Fast DDS uses a 16 MB shared-memory segment ({PROFILE_PATH})'
