"""Memory of a process as Linux counts it."""

from __future__ import annotations

import math
import mmap
import sys

import numpy as np
import pytest

from lane_seg_train.compare import memory

BLOCK_MB = 80


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='Linux counts it')
def test_the_peak_keeps_what_was_given_back_until_it_is_forgotten() -> None:
    memory.forget_peak_memory()
    before_mb = memory.memory_mb()
    # Not through malloc: this process may have been told to keep what is given back.
    block = mmap.mmap(-1, BLOCK_MB * 1_000_000)
    np.frombuffer(block, np.uint8)[:] = 1
    held_mb = memory.memory_mb()
    assert held_mb - before_mb > 0.8 * BLOCK_MB
    block.close()
    assert memory.memory_mb() < held_mb - 0.8 * BLOCK_MB
    peak_mb = memory.peak_memory_mb()
    assert peak_mb >= held_mb - 1
    memory.forget_peak_memory()
    assert memory.peak_memory_mb() < peak_mb - 0.5 * BLOCK_MB


def test_where_linux_is_not_nothing_is_known(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, '_STATUS', tmp_path_factory.mktemp('none') / 'status')
    assert math.isnan(memory.memory_mb())
    assert math.isnan(memory.peak_memory_mb())
