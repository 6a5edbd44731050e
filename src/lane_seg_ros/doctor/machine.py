"""What the doctor must know of this machine and of its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from lane_seg_ros.doctor.fastdds import Segment, settings_of
from lane_seg_ros.doctor.observations import Environment
from lane_seg_ros.middleware import PROFILE_VARIABLES
from lane_seg_ros.shared_memory import SHARED_MEMORY

__all__ = ['environment_of', 'why_cv_bridge_fails']

_IMPORT_S = 30.0
# The conversion table lies in the binary part: without it `import cv_bridge` alone succeeds.
_TRY_CV_BRIDGE = "from cv_bridge import CvBridge; CvBridge().encoding_to_cvtype2('bgr8')"


def environment_of(
    settings: Iterable[tuple[str, str]], *, middleware: str, segments: Iterable[Segment]
) -> Environment:
    """Look at this machine.

    Args:
        settings: the environment variables of the user, before we have changed any.
        middleware: identifier of the RMW implementation in use.
        segments: what Fast DDS keeps in shared memory.
    """
    ours = settings_of(settings)
    dead = [segment for segment in segments if segment.is_dead]
    total, free = None, 0
    if SHARED_MEMORY.is_dir():
        status = os.statvfs(SHARED_MEMORY)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    return Environment(
        settings=ours,
        middleware=middleware,
        uid=os.geteuid(),
        shm_total_bytes=total,
        shm_free_bytes=free,
        dead_segments=len(dead),
        dead_bytes=sum(segment.size_bytes for segment in dead),
        cv_bridge_error=why_cv_bridge_fails(),
        missing_files={
            name: ours[name]
            for name in PROFILE_VARIABLES
            if name in ours and not Path(ours[name].removeprefix('file://')).is_file()
        },
    )


def why_cv_bridge_fails() -> str:
    """The last line of what cv_bridge says when it is used; '' if it works or is not there.

    In a process of its own: built for another NumPy, it may end the process that imports it.
    """
    if find_spec('cv_bridge') is None:
        return ''
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [sys.executable, '-c', _TRY_CV_BRIDGE],
            capture_output=True,
            text=True,
            timeout=_IMPORT_S,
            env={**os.environ, 'PYTHONPATH': path},
        )
    except subprocess.TimeoutExpired:
        return f'importing it took more than {_IMPORT_S:.0f} s'
    if done.returncode == 0:
        return ''
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f'its process ended with code {done.returncode}'
