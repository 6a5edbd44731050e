"""Large blocks are kept: the second of two equal ones costs no page fault."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lane_seg.allocator import keep_large_blocks

ROOT = Path(__file__).resolve().parents[2]
FAULTS = """
import resource, sys
import numpy as np
from lane_seg.allocator import keep_large_blocks
if sys.argv[1] == 'kept':
    keep_large_blocks()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(64 << 20, np.uint8)
before = faults()
for _ in range(4):
    np.ones(64 << 20, np.uint8)
print(faults() - before)
"""


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, '-c', FAULTS, how],
        # Large pages would hide the faults of small ones.
        env={**os.environ, 'PYTHONPATH': str(ROOT / 'src'), 'NUMPY_MADVISE_HUGEPAGE': '0'},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(
    getattr(ctypes.CDLL(None), 'mallopt', None) is None, reason='needs glibc, which has mallopt'
)
def test_blocks_are_used_again_without_page_faults() -> None:
    assert page_faults('kept') * 10 < page_faults('default')


def test_the_settings_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MALLOC_TOP_PAD_', '1')
    assert keep_large_blocks() == 'malloc is left alone: MALLOC_TOP_PAD_ is set'
