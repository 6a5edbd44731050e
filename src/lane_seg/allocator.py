"""glibc's malloc, told to keep blocks of the size of images and tensors.

By default each block of more than 128 KiB to 32 MiB is a fresh memory mapping that goes back to
the system when it is freed; the page faults of the next one cost more than a copy of an image.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ['MALLOC_VARIABLES', 'keep_large_blocks']

MALLOC_VARIABLES = {
    'MALLOC_MMAP_THRESHOLD_': 1 << 30,
    'MALLOC_TRIM_THRESHOLD_': (1 << 31) - 1,
    'MALLOC_TOP_PAD_': 64 << 20,
}
"""The same for a process that is yet to start, in bytes: blocks below 1 GiB come from the heap,
the heap is never given back, and it grows by 64 MiB at a time."""

# The parameter numbers of mallopt(3), from <malloc.h>.
_MALLOPT = {'MALLOC_MMAP_THRESHOLD_': -3, 'MALLOC_TRIM_THRESHOLD_': -1, 'MALLOC_TOP_PAD_': -2}


def keep_large_blocks() -> str:
    """Let malloc of this process reuse large blocks.

    Returns:
        What was done, to be logged; '' where the C library is not glibc.
    """
    for name in MALLOC_VARIABLES:
        if name in os.environ:
            return f'malloc is left alone: {name} is set'
    # CDLL(None) is the C library already loaded; musl and macOS have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return ''
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    if not all(mallopt(_MALLOPT[name], value) == 1 for name, value in MALLOC_VARIABLES.items()):
        return 'malloc refused the settings for large blocks: images may arrive 3 ms later'
    return 'malloc keeps image-sized blocks'
