"""Memory of this process, as Linux counts it."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

__all__ = ['forget_peak_memory', 'memory_mb', 'peak_memory_mb']

_STATUS = Path('/proc/self/status')
_CLEAR = Path('/proc/self/clear_refs')
_FORGET_PEAK = '5'  # proc(5): sets VmHWM to the present VmRSS


def memory_mb() -> float:
    """Memory that this process holds now, 1e6 bytes (VmRSS); NaN where Linux is not."""
    return _field('VmRSS')


def peak_memory_mb() -> float:
    """The most that it ever held since `forget_peak_memory`, 1e6 bytes (VmHWM); NaN likewise."""
    return _field('VmHWM')


def forget_peak_memory() -> None:
    """Begin a new peak from here, where the kernel allows it; else the older one stays."""
    with suppress(OSError):
        _CLEAR.write_text(_FORGET_PEAK)


def _field(name: str) -> float:
    try:
        text = _STATUS.read_text(encoding='ascii', errors='replace')
    except OSError:
        return math.nan
    for line in text.splitlines():
        key, _, value = line.partition(':')
        if key == name:
            return int(value.split()[0]) * 1024 / 1e6
    return math.nan
