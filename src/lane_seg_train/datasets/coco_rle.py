"""Run lengths of COCO masks: how many pixels are off, on, off ..., column by column.

Format: the mask API that is published with T.-Y. Lin et al., "Microsoft COCO: Common Objects in
Context", ECCV 2014. In its text form each count, from the third on as the difference to the count
two before, is cut into groups of 5 bits, lowest first; a character is 48 plus the group, plus 32
if another group follows. Bit 4 of the last group is the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ['counts_from_text', 'mask_from_counts']

_FIRST, _BITS = 48, 5
_GROUP, _MORE, _SIGN = 0x1F, 0x20, 0x10


def counts_from_text(text: str) -> list[int]:
    """Read run lengths from their text form.

    Raises:
        LaneSegError: the text has other characters, or ends within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - _FIRST
        if not 0 <= code <= _GROUP + _MORE:
            raise LaneSegError(
                f'expected run lengths as COCO writes them, found the character {character!r}'
            )
        value |= (code & _GROUP) << shift
        shift += _BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        value = shift = 0
    if shift:
        raise LaneSegError('expected run lengths as COCO writes them, found them cut short')
    return counts


def mask_from_counts(counts: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Turn run lengths into a mask.

    Args:
        counts: pixels that are off, on, off ..., down the columns from left to right.
        size: (height, width).

    Returns:
        (H, W) bool.

    Raises:
        LaneSegError: the counts do not add up to the size.
    """
    if min(counts, default=0) < 0 or sum(counts) != size[0] * size[1]:
        raise LaneSegError(
            f'expected run lengths of {size[0] * size[1]} pixels, found {sum(counts)}'
        )
    runs = np.arange(len(counts)) % 2 == 1
    return np.repeat(runs, counts).reshape(size, order='F')
