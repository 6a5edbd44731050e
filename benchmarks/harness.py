"""What all benchmarks share: contenders measured in turn, one table, one JSON file.

Contenders run in the same process, one call of each per round and in another order every round:
whatever else the machine does meanwhile, it does to all of them alike. Believe the ratios first.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lane_seg.files import write_text
from lane_seg.machine import MachineInfo
from lane_seg.timing import TimingSummary, summarize

__all__ = ['RESULTS', 'Row', 'add_common_arguments', 'interleaved', 'report']

RESULTS = Path(__file__).resolve().parent / 'results'


@dataclass(frozen=True)
class Row:
    """One contender against the one it is compared with.

    Attributes:
        case: what is done, for example 'preprocess 1280x720'.
        contender: how.
        ratio: how many times faster than the reference, at the median.
        reference: the contender that it is compared with.
        timing: of the contender.
        note: anything else worth a word.
    """

    case: str
    contender: str
    ratio: float
    reference: str
    timing: TimingSummary
    note: str = ''


def add_common_arguments(parser: argparse.ArgumentParser, *, repeats: int, warmup: int) -> None:
    """Declare --repeats, --warmup and --json."""
    parser.add_argument(
        '--repeats', type=int, default=repeats, help=f'rounds (default: {repeats})'
    )
    parser.add_argument('--warmup', type=int, default=warmup, help=f'before (default: {warmup})')
    parser.add_argument(
        '--json',
        nargs='?',
        type=Path,
        const=RESULTS,
        metavar='FILE',
        help='also write the numbers, without FILE into benchmarks/results/',
    )


def interleaved(
    contenders: Mapping[str, Callable[[], object]], *, repeats: int, warmup: int
) -> dict[str, TimingSummary]:
    """Time functions in turn.

    Args:
        contenders: {name: function}.
        repeats: number of rounds that count.
        warmup: number of rounds before.

    Returns:
        {name: summary in milliseconds}.
    """
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-warmup, repeats):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            function = contenders[name]
            start = time.perf_counter()
            function()
            passed_ms = (time.perf_counter() - start) * 1e3
            if number >= 0:
                times[name].append(passed_ms)
    return {name: summarize(values) for name, values in times.items()}


def report(
    name: str,
    rows: Sequence[Row],
    machine: MachineInfo,
    *,
    settings: Mapping[str, str | int],
    json_path: Path | None,
) -> None:
    """Print the table, the settings and the machine; write JSON where asked for.

    Args:
        name: of the benchmark.
        rows: the results.
        machine: as it was at the start.
        settings: {name: value} of whatever decides the numbers.
        json_path: file or folder, or None.
    """
    table = Table(title=name)
    for column in ('case', 'contender', 'ratio', 'median ms', 'p99 ms', 'note'):
        is_number = column in ('ratio', 'median ms', 'p99 ms')
        table.add_column(column, justify='right' if is_number else 'left')
    case = ''
    for row in rows:
        if case and row.case != case:
            table.add_section()
        case = row.case
        timing = row.timing
        numbers = (f'{row.ratio:.2f}x', f'{timing.median_ms:.3f}', f'{timing.p99_ms:.3f}')
        table.add_row(row.case, row.contender, *numbers, row.note)
    # As wide as it needs: a table that is cut in a pipe is of no use.
    Console(width=120).print(table)
    print(', '.join(f'{key} {value}' for key, value in settings.items()))
    print(machine)
    if json_path is None:
        return
    path = json_path / f'{name}.json' if json_path.is_dir() or json_path == RESULTS else json_path
    content = {
        'benchmark': name,
        'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'settings': dict(settings),
        'machine': dataclasses.asdict(machine),
        'rows': [dataclasses.asdict(row) for row in rows],
    }
    write_text(path, json.dumps(content, indent=2) + '\n')
    print(f'wrote {path}')
