"""Examples at the model's size: in memory while they are few, else in a file on disk.

A file is mapped, not read: the system keeps in memory what fits and gives it up under pressure, so
that a large data set makes training slower and never ends it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

__all__ = ['available_bytes', 'cache_folder', 'examples_of', 'memory_limit']

Example = tuple['NDArray[np.uint8]', 'NDArray[np.uint8]']

# A data set of more bytes than this goes to disk, however much memory there is.
MOST_BYTES = 4 << 30


def memory_limit() -> int:
    """Bytes that one data set may take of the memory: 4 GiB, or half of what is free now."""
    return min(MOST_BYTES, available_bytes() // 2)


def available_bytes(proc: Path = Path('/proc'), cgroup: Path = Path('/sys/fs/cgroup')) -> int:
    """Memory that this process may still take, in bytes; very much where no file says it.

    Args:
        proc: where the kernel states the memory of the machine.
        cgroup: where it states the limit of a container (cgroup v2).
    """
    found = [sys.maxsize]
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / 'meminfo').read_text(encoding='ascii').splitlines():
            if line.startswith('MemAvailable:'):
                found.append(int(line.split()[1]) * 1024)
    # A container without a limit says 'max', which is no number.
    with contextlib.suppress(OSError, ValueError):
        limit = int((cgroup / 'memory.max').read_text(encoding='ascii'))
        used = int((cgroup / 'memory.current').read_text(encoding='ascii'))
        found.append(max(0, limit - used))
    return min(found)


def cache_folder() -> Path:
    """Where files of examples lie; LANE_SEG_CACHE changes it. They may be deleted at any time."""
    if folder := os.environ.get('LANE_SEG_CACHE'):
        return Path(folder).expanduser()
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'lane_seg' / 'examples'


def examples_of(
    frames: Iterable[Example], count: int, size: tuple[int, int], key: Callable[[], str]
) -> list[Example]:
    """Hold examples.

    Args:
        frames: image (H, W, 3) uint8 and target (H, W) uint8 at the model's size; read only if
            they are not on disk yet.
        count: number of frames.
        size: the model's (height, width).
        key: gives the name of the file on disk, which must change with all that the frames
            depend on.

    Returns:
        The frames. Arrays of a file may be written to; the file itself stays as it is.

    Raises:
        LaneSegError: the disk is full or cannot be written.
    """
    height, width = size
    pixels = height * width
    if count * pixels * 4 <= memory_limit():
        return list(frames)
    path = cache_folder() / f'{key()}.u8'
    if not path.is_file() or path.stat().st_size != count * pixels * 4:
        _write(path, frames, count * pixels * 4)
    # Copy on write: torch warns of arrays that it may not write to.
    rows = np.asarray(np.memmap(path, np.uint8, mode='c', shape=(count, pixels * 4)))
    return [
        (row[: pixels * 3].reshape(height, width, 3), row[pixels * 3 :].reshape(size))
        for row in rows
    ]


def _write(path: Path, frames: Iterable[Example], needed: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < needed:
            raise LaneSegError(
                f'{path.parent}: expected {needed / 1e9:.1f} GB of free disk for examples that do '
                f'not fit into memory, found {free / 1e9:.1f} GB; delete old files there, let '
                'LANE_SEG_CACHE name a folder on a larger disk, or take fewer images with "limit"'
            )
        with atomic_path(path) as temporary, temporary.open('wb') as file:
            for image, target in frames:
                file.write(np.ascontiguousarray(image).data)
                file.write(np.ascontiguousarray(target).data)
    except OSError as error:
        raise LaneSegError(
            f'{path}: expected to write {needed / 1e9:.1f} GB of examples, found: '
            f'{error.strerror}; let LANE_SEG_CACHE name a folder that can be written'
        ) from error
