"""Whether int8 is worth it: each figure against its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg_train.compare.contenders import TORCH
from lane_seg_train.compare.results import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.compare.results import Row

__all__ = ['Limits', 'verdict']


@dataclass(frozen=True)
class Limits:
    """What is asked for.

    Attributes:
        max_drop: most points (percent) of lane IoU that int8 may lose against the reference.
        min_speedup: least ratio of the medians, float to int8 in the same engine; None asks for
            nothing.
        max_size: largest ratio of the file sizes, int8 to float in the same engine; None asks
            for nothing.
        min_parity: least per cent of pixels with the class that int8 imitated in PyTorch gives.
    """

    max_drop: float = 0.5
    min_speedup: float | None = None
    max_size: float | None = None
    min_parity: float = 99.9


def verdict(rows: Sequence[Row], reference: str, limits: Limits) -> tuple[Check, ...]:
    """Check every int8 contender.

    A contender that dropped out fails; so does an int8 one that ran in float, or a float one
    that did not run in float32.

    Args:
        rows: all contenders.
        reference: label of whom accuracy is compared with.
        limits: what is asked for.
    """
    checks = [
        Check(f'{row.label}: measured', row.error, 'to the end', holds=False)
        for row in rows
        if row.error
    ]
    alive = [row for row in rows if not row.error]
    checks += [check for row in alive if (check := _precision(row))]
    best = next((row for row in alive if row.label == reference), None)
    for row in alive:
        if not row.is_int8:
            continue
        partner = _partner(row, alive)
        # A quantized network in PyTorch only imitates int8: its size and time mean nothing.
        if partner and row.engine != TORCH:
            checks.append(_ratio('size of the file', row, partner, 'file_mb', limits.max_size))
            checks.append(_ratio('faster', row, partner, 'p50_ms', limits.min_speedup))
        slow = [one for one in alive if one.engine == TORCH and not one.is_int8]
        if slow and row.engine != TORCH:
            checks.append(_ratio('faster', row, slow[0], 'p50_ms', None))
        if best:
            checks.append(_drop(row, best, limits.max_drop))
        if row.engine != TORCH and math.isfinite(row.parity):
            checks.append(_parity(row, limits.min_parity))
    return tuple(checks)


def _partner(row: Row, rows: Sequence[Row]) -> Row | None:
    """The float contender in the same engine."""
    return next((one for one in rows if one.engine == row.engine and not one.is_int8), None)


def _precision(row: Row) -> Check | None:
    # A fake-quantized network calculates in float, and has nothing else.
    if not row.executed or row.engine == TORCH:
        return None
    what = f'{row.label}: runs in its precision'
    if row.is_int8:
        found = row.executed
        if row.missing:
            found += f'; in float although the file has them in int8: {", ".join(row.missing)}'
        is_int8 = bool(row.int8_convolutions) and not row.missing
        return Check(what, found, 'int8 wherever the file says so', holds=is_int8)
    if row.precision != 'fp32':
        return Check(what, row.executed)
    is_float = not row.int8_convolutions and set(row.other_types) <= {'f32'}
    return Check(what, row.executed, 'f32', holds=is_float)


def _ratio(kind: str, row: Row, partner: Row, key: str, limit: float | None) -> Check:
    mine, theirs = getattr(row, key), getattr(partner, key)
    is_size = key == 'file_mb'
    ratio = mine / theirs if is_size else theirs / mine
    what = f'{row.label}: {kind}, against {partner.label}'
    found = f'{ratio:.2f}x' if math.isfinite(ratio) else 'not measured'
    if limit is None:
        return Check(what, found)
    holds = ratio <= limit if is_size else ratio >= limit
    return Check(what, found, f'at {"most" if is_size else "least"} {limit:g}x', holds=holds)


def _parity(row: Row, limit: float) -> Check:
    """The file rounds as the network did that was quantized; what differs are float sums."""
    found = f'{row.parity:.3%} of pixels'
    holds = 100 * row.parity >= limit
    return Check(f'{row.label}: like torch int8', found, f'at least {limit:g}%', holds=holds)


def _drop(row: Row, reference: Row, limit: float) -> Check:
    what = f'{row.label}: loss of lane IoU, against {reference.label}'
    points = 100 * (reference.lane_iou - row.lane_iou)
    if not row.by_set:
        return Check(what, 'not measured, there were no labels')
    wanted = f'at most {limit:g} points'
    # Rounded as it is shown: what reads as 0.50 holds a limit of 0.5.
    points = round(points, 2) + 0.0
    found = f'{points:.2f} points' if math.isfinite(points) else 'not measured'
    return Check(what, found, wanted, holds=points <= limit)
