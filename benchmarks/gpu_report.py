"""What gpu_engines.py found: the table, the JSON file, the exit code."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lane_seg.files import write_text
from lane_seg.machine import MachineInfo
from lane_seg.timing import TimingSummary

__all__ = ['Row', 'show', 'verdict', 'write']

INT8 = 'tensorrt int8'
# Of the pixels, int8 on the GPU against int8 in OpenVINO.
AGREEMENT = 0.999


@dataclass
class Row:
    """One contender.

    Attributes:
        contender: engine and precision.
        missing: why it could not run; '' if it did.
        gpu: the network alone, GPU time.
        whole: end to end, with both copies, host clock.
        faster_gpu, faster_whole: how many times faster than the reference, at the median.
        agreement: pixels with the class that OpenVINO gives for its bundle, 0..1.
        facts: library, file, CUDA graph, build.
    """

    contender: str
    missing: str = ''
    gpu: TimingSummary | None = None
    whole: TimingSummary | None = None
    faster_gpu: float | None = None
    faster_whole: float | None = None
    agreement: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def show(rows: Sequence[Row]) -> None:
    """Print the table, and why the others are not in it."""
    columns = (
        'contender',
        'GPU ms',
        'p99',
        'faster',
        'end to end ms',
        'p99',
        'faster',
        'agreement',
    )
    table = Table(title='gpu_engines')
    for name in columns:
        table.add_column(name, justify='left' if name == 'contender' else 'right')
    for row in rows:
        if row.missing:
            continue
        cells = [row.contender]
        for timing, faster in ((row.gpu, row.faster_gpu), (row.whole, row.faster_whole)):
            cells += [f'{timing.median_ms:.4f}', f'{timing.p99_ms:.4f}', f'{faster:.2f}x']
        same = 'not checked' if row.agreement is None else f'{100 * row.agreement:.3f} %'
        table.add_row(*cells, same)
    if table.row_count:
        Console(width=120).print(table)
    for row in rows:
        print(f'{row.contender}: {row.missing or row.facts["library"]}')


def write(
    rows: Sequence[Row],
    path: Path,
    *,
    settings: Mapping[str, str | int],
    gpu: Mapping[str, str],
    machine: MachineInfo,
) -> None:
    """Write all of it as JSON.

    Args:
        rows: the results.
        path: file, or folder of gpu_engines.json.
        settings: {name: value} of whatever decides the numbers.
        gpu: what the driver and nvidia-smi say of it.
        machine: as it was before the measurement.
    """
    if path.is_dir():
        path = path / 'gpu_engines.json'
    content = {
        'benchmark': 'gpu_engines',
        'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'command': shlex.join(['python', *sys.argv]),
        'settings': dict(settings),
        'gpu': dict(gpu),
        'machine': dataclasses.asdict(machine),
        'rows': [dataclasses.asdict(row) for row in rows],
    }
    # Without numbers that JSON does not know: a time that was not taken is null.
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + '\n')
    print(f'wrote {path}')


def verdict(rows: Sequence[Row]) -> int:
    """The exit code, with its reason: 1 if nothing ran, or if int8 gives other masks."""
    ran = [row for row in rows if not row.missing]
    if not ran:
        print('error: expected at least one contender that runs, found none', file=sys.stderr)
        return 1
    for row in ran:
        checked = row.contender == INT8 and row.agreement is not None
        if checked and row.agreement < AGREEMENT:
            print(
                f'error: {row.contender}: expected at least {100 * AGREEMENT} % of the pixels as '
                f'in OpenVINO, found {100 * row.agreement:.3f} %',
                file=sys.stderr,
            )
            return 1
    return 0
