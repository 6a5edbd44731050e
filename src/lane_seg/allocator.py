"""glibc's malloc, told to keep blocks of the size of images and tensors.

By default each block of more than 128 KiB to 32 MiB is a fresh memory mapping that goes back to
the system when it is freed; the page faults of the next one cost more than a copy of an image.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ['keep_large_blocks']

_VARIABLES = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'MALLOC_TOP_PAD_')

# mallopt(3): parameter number from <malloc.h>, value in bytes. Blocks below 1 GiB come from the
# heap, the heap is never given back, and it grows by 64 MiB at a time.
_MALLOPT = ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 64 << 20))


def keep_large_blocks() -> str:
    """Let malloc of this process reuse large blocks.

    Returns:
        What was done, to be logged; '' where the C library is not glibc.
    """
    for name in _VARIABLES:
        if name in os.environ:
            return f'malloc is left alone: {name} is set'
    # CDLL(None) is the C library already loaded; musl and macOS have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return ''
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    if not all(mallopt(parameter, value) == 1 for parameter, value in _MALLOPT):
        return 'malloc refused the settings for large blocks: images may arrive 3 ms later'
    return 'malloc keeps image-sized blocks'
