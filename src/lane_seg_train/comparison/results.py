"""The result of a comparison as rows, and as JSON, CSV, Markdown and a table in the terminal."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lane_seg.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

__all__ = ['COLUMNS', 'Column', 'Comparison', 'Row', 'rich_table', 'write_tables']


@dataclass(frozen=True)
class Row:
    """One network; what could not be measured is NaN.

    Attributes:
        label: its name in the comparison.
        net: its architecture.
        source: the run folder or checkpoint that it came from.
        error: why there is nothing to compare, in one line; '' if there is.
        parameters: number of learned weights.
        gmac: 1e9 multiply-accumulates for one frame.
        float32_mb: 1e6 bytes of the weights that are deployed, as float32.
        height: of the frame in pixels.
        width: of the frame in pixels.
        frame_ms: median time of one frame in milliseconds.
        frame_p99_ms: its 99th percentile.
        frames: number of frames that were timed.
        loss: on the validation sets, mean of the sets.
        miou: mean IoU 0..1, mean of the sets.
        by_set: {validation set: {'loss', 'miou' or name of a label set: value}}.
        train_seconds: that training took here; NaN for what was trained before.
        curve: (optimizer steps, mean IoU) of each validation during training.
        best_step: optimizer steps of the weights that are compared; NaN if not known.
    """

    label: str
    net: str
    source: str
    error: str = ''
    parameters: float = math.nan
    gmac: float = math.nan
    float32_mb: float = math.nan
    height: int = 0
    width: int = 0
    frame_ms: float = math.nan
    frame_p99_ms: float = math.nan
    frames: int = 0
    loss: float = math.nan
    miou: float = math.nan
    by_set: dict[str, dict[str, float]] = field(default_factory=dict)
    train_seconds: float = math.nan
    curve: list[tuple[float, float]] = field(default_factory=list)
    best_step: float = math.nan

    @property
    def title(self) -> str:
        """The label, with the architecture where that is another word."""
        return self.label if self.net in ('', self.label) else f'{self.label} ({self.net})'

    @property
    def input(self) -> str:
        """Height x width of the frame."""
        return f'{self.height}x{self.width}'


@dataclass(frozen=True)
class Comparison:
    """All rows, and what has to be known to read them.

    Attributes:
        name: of the recipe.
        rows: in the order in which they were named.
        device: that the frames were timed on.
        settings: {what: value} in words: budget, data, versions, how time was taken.
        time: of the measurement, ISO 8601.
    """

    name: str
    rows: list[Row]
    device: str
    settings: dict[str, str]
    time: str


@dataclass(frozen=True)
class Column:
    """A number that is compared.

    Attributes:
        key: of `Row`.
        title: with its unit.
        form: how it is written; '' gives three digits that matter.
        scale: what it is multiplied by before.
        best: 'low' or 'high'; '' if neither is better.
    """

    key: str
    title: str
    form: str
    scale: float = 1.0
    best: str = ''

    def value(self, row: Row) -> float:
        """The number, scaled."""
        return self.scale * float(getattr(row, self.key))

    def text(self, row: Row) -> str:
        """The number as it is shown."""
        value = self.value(row)
        if not math.isfinite(value):
            return '–'
        digits = max(0, min(3, 2 - math.floor(math.log10(max(value, 1e-3)))))
        return format(value, self.form or f'.{digits}f')


COLUMNS = (
    Column('parameters', 'parameters (M)', '', scale=1e-6, best='low'),
    Column('gmac', 'GMAC', '', best='low'),
    Column('float32_mb', 'float32 (MB)', '', best='low'),
    Column('frame_ms', 'ms/frame', '', best='low'),
    Column('frame_p99_ms', 'p99 (ms)', '', best='low'),
    Column('loss', 'loss', '.4f', best='low'),
    Column('miou', 'mIoU (%)', '.2f', scale=100.0, best='high'),
)


def write_tables(comparison: Comparison, folder: Path) -> list[Path]:
    """Write comparison.json, comparison.csv and comparison.md, each whole.

    Returns:
        Their paths.
    """
    texts = {
        'comparison.json': _json(comparison),
        'comparison.csv': _csv(comparison),
        'comparison.md': _markdown(comparison),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def rich_table(comparison: Comparison) -> Table:
    """The table for the terminal; the best of each column is bold."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f'{comparison.name} on {comparison.device}'))
    table.add_column('network')
    table.add_column('input')
    for column in COLUMNS:
        table.add_column(column.title, justify='right')
    best = {column.key: _best(column, comparison.rows) for column in COLUMNS}
    for row in comparison.rows:
        if row.error:
            table.add_row(escape(row.title), 'failed', *[''] * len(COLUMNS))
            continue
        cells = [
            f'[bold]{column.text(row)}[/bold]'
            if column.value(row) == best[column.key]
            else column.text(row)
            for column in COLUMNS
        ]
        table.add_row(escape(row.title), row.input, *cells)
    return table


def _best(column: Column, rows: list[Row]) -> float | None:
    """The best value of a column; None if it tells nobody from the others."""
    values = {column.value(row) for row in rows if not row.error}
    known = {value for value in values if math.isfinite(value)}
    if len(known) < 2 or not column.best:
        return None
    return min(known) if column.best == 'low' else max(known)


def _json(comparison: Comparison) -> str:
    """JSON has no NaN: what was not measured is null."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(plain(dataclasses.asdict(comparison)), indent=2) + '\n'


def _csv(comparison: Comparison) -> str:
    """One row per network, one column per number, also of each validation set."""
    names = [
        'label', 'net', 'source', 'error', 'parameters', 'gmac', 'float32_mb', 'height', 'width',
        'frame_ms', 'frame_p99_ms', 'frames', 'loss', 'miou', 'train_seconds',
    ]  # fmt: skip
    rows = []
    for row in comparison.rows:
        values = {name: getattr(row, name) for name in names}
        for data, metrics in row.by_set.items():
            values |= {f'{data}/{name}': value for name, value in metrics.items()}
        rows.append({name: _csv_value(value) for name, value in values.items()})
    text = io.StringIO()
    columns = list(dict.fromkeys(name for one in rows for name in one)) or names
    writer = csv.DictWriter(text, columns, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _csv_value(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return ''
    return str(int(value)) if value.is_integer() else f'{value:.6g}'


def _markdown(comparison: Comparison) -> str:
    best = {column.key: _best(column, comparison.rows) for column in COLUMNS}
    lines = [
        f'# Comparison of networks: {_cell(comparison.name)}',
        '',
        f'Timed on {_cell(comparison.device)}; the best of each column is bold.',
        '',
        _line(['network', 'input', *(column.title for column in COLUMNS)]),
        _line(['---', '---', *['---:'] * len(COLUMNS)]),
    ]
    for row in comparison.rows:
        cells = [column.text(row) for column in COLUMNS]
        cells = [
            f'**{text}**' if column.value(row) == best[column.key] else text
            for column, text in zip(COLUMNS, cells, strict=True)
        ]
        if row.error:
            cells = [''] * len(COLUMNS)
        first = [_cell(row.title), 'failed' if row.error else row.input]
        lines.append(_line([*first, *cells]))
    lines += _set_tables(comparison)
    failed = [f'- {_cell(row.label)}: {_cell(row.error)}' for row in comparison.rows if row.error]
    if failed:
        lines += ['', '## Failed', '', *failed]
    lines += ['', '## How it was measured', '']
    lines += [f'- {name}: {_cell(text)}' for name, text in comparison.settings.items()]
    lines.append(f'- time: {comparison.time}')
    return '\n'.join(lines) + '\n'


def _set_tables(comparison: Comparison) -> list[str]:
    """IoU of each label set of each validation set, in percent."""
    lines = []
    sets = list(dict.fromkeys(name for row in comparison.rows for name in row.by_set))
    for data in sets:
        metrics = [row.by_set.get(data, {}) for row in comparison.rows]
        names = list(dict.fromkeys(name for one in metrics for name in one))
        names = [name for name in names if name != 'loss']
        lines += ['', f'## IoU (%) on {_cell(data)}', '']
        lines.append(_line(['network', *(_cell(name) for name in names), 'loss']))
        lines.append(_line(['---', *['---:'] * (len(names) + 1)]))
        for row, one in zip(comparison.rows, metrics, strict=True):
            if not row.error:
                values = [_percent(one.get(name)) for name in names]
                loss = one.get('loss', math.nan)
                lines.append(_line([_cell(row.label), *values, f'{loss:.4f}']))
    return lines


def _percent(share: float | None) -> str:
    return '–' if share is None or not math.isfinite(share) else f'{100 * share:.2f}'


def _cell(text: str) -> str:
    """Text that keeps a Markdown table whole."""
    return text.replace('|', '\\|').replace('\n', ' ')


def _line(cells: list[str]) -> str:
    return f'| {" | ".join(cells)} |'
