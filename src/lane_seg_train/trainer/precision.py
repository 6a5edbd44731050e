"""The arithmetic of a run: what the machine does well, unless the recipe says otherwise."""

from __future__ import annotations

import logging

import torch

from lane_seg.errors import LaneSegError

__all__ = ['PRECISIONS', 'chosen_precision']

# Lightning's names; weights stay 32 bits wide in all of them.
PRECISIONS = ('auto', '32-true', 'bf16-mixed', '16-mixed')


def chosen_precision(wanted: str, accelerator: str) -> str:
    """Lightning's name of the precision to train in.

    'auto' is bf16 where the hardware computes it (NVIDIA from Ampere on, CPUs with AVX-512), fp16
    on older GPUs, else 32 bits. On a CPU without AVX-512, bf16 is emulated and slower than 32
    bits by several times: it is used if asked for, with a warning.

    Args:
        wanted: one of PRECISIONS.
        accelerator: 'auto', 'cpu' or 'gpu'.

    Raises:
        LaneSegError: no such precision, or one that the hardware cannot do.
    """
    if wanted not in PRECISIONS:
        raise LaneSegError(f'precision: expected one of {", ".join(PRECISIONS)}, found {wanted!r}')
    if accelerator != 'cpu' and torch.cuda.is_available():
        if wanted == 'auto':
            return 'bf16-mixed' if torch.cuda.is_bf16_supported() else '16-mixed'
        return wanted
    capability = torch.backends.cpu.get_cpu_capability()
    is_fast = capability.startswith(('AVX512', 'AMX', 'SVE'))
    if wanted == 'auto':
        return 'bf16-mixed' if is_fast else '32-true'
    if wanted == '16-mixed':
        raise LaneSegError(
            'precision: expected one that a CPU can train in, found 16-mixed, which needs a GPU; '
            'use --set precision=auto'
        )
    if wanted == 'bf16-mixed' and not is_fast:
        logging.getLogger(__name__).warning(
            'precision bf16-mixed is emulated on this CPU (%s) and slow; '
            '--set precision=auto trains in 32 bits',
            capability,
        )
    return wanted
