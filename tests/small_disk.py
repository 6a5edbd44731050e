"""A file system that is soon full."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ['small_disk']


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount 200 kB in a new folder; skip the test where that is not allowed.

    `mount -o remount,ro` makes it one that even root may not write to.
    """
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(folder)]
    if shutil.which('mount') is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('mounting a file system needs root')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)
