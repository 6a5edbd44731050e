"""The comparison in the terminal, and as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from typing import TYPE_CHECKING

from lane_seg.files import write_text
from lane_seg_train.compare.layers import csv_of_layers, parts_of, total_ms
from lane_seg_train.compare.results import cells_of, known_columns
from lane_seg_train.evaluation.scores import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from lane_seg_train.compare.results import Comparison, Row

__all__ = [
    'SLOWEST_SHOWN', 'file_name', 'json_of', 'rich_tables', 'slowest_layers', 'verdict_words',
    'write_tables',
]  # fmt: skip

SLOWEST_SHOWN = 10


def write_tables(comparison: Comparison, folder: Path) -> list[Path]:
    """Write compare.json, .csv, .md and layers_<contender>.csv, each whole.

    Files of layers that an earlier comparison left there go.

    Returns:
        Their paths.
    """
    texts = {
        'compare.json': json_of(comparison),
        'compare.csv': _csv(comparison),
        'compare.md': _markdown(comparison),
    }
    for label, layers in comparison.layers.items():
        texts[f'layers_{file_name(label)}.csv'] = csv_of_layers(layers)
    for old in folder.glob('layers_*.csv'):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def json_of(comparison: Comparison) -> str:
    """Everything, as JSON; what was not measured is null."""
    return json.dumps(plain(comparison), indent=2) + '\n'


def file_name(label: str) -> str:
    """A label as a part of a file's name."""
    return re.sub(r'[^\w.-]+', '_', label)


def slowest_layers(comparison: Comparison, label: str) -> list[tuple[str, str, str, str]]:
    """(layer, kind and precision, ms, share) of the slowest layers of a contender."""
    layers = comparison.layers.get(label, [])
    whole_ms = total_ms(layers) or 1.0
    slowest = sorted(layers, key=lambda layer: -layer.ms)[:SLOWEST_SHOWN]
    return [
        (one.name, f'{one.kind} {one.precision}', f'{one.ms:.3f}', f'{one.ms / whole_ms:.1%}')
        for one in slowest
    ]


def verdict_words(holds: bool | None) -> str:
    """'ok', 'FAILED', or '' where nothing was asked for."""
    return '' if holds is None else 'ok' if holds else 'FAILED'


def rich_tables(comparison: Comparison) -> list[Table]:
    """Contenders, IoU of each label set, slowest layers of a pair, float operators, checks."""
    tables = [_contenders(comparison), *_scores(comparison)]
    for int8 in (row for row in comparison.rows if row.is_int8 and row.label in comparison.layers):
        partner = next(
            (
                row
                for row in comparison.rows
                if row.engine == int8.engine and not row.is_int8 and row.label in comparison.layers
            ),
            None,
        )
        tables.append(_layers(comparison, int8, partner))
    tables.append(_checks(comparison))
    return tables


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), box=box.SIMPLE_HEAD, title_justify='left')
    for name in names:
        table.add_column(name, overflow='fold')
    for name in numbers:
        table.add_column(name, justify='right', no_wrap=True)
    return table


def _contenders(comparison: Comparison) -> Table:
    from rich.markup import escape

    columns = known_columns(comparison.rows)
    titles = [column.title for column in columns]
    table = _table(comparison.name, ['contender', 'really ran'], titles)
    for row in comparison.rows:
        table.add_row(escape(row.label), escape(row.ran), *cells_of(row, columns))
    return table


def _scores(comparison: Comparison) -> list[Table]:
    from rich.markup import escape

    tables = []
    for data, names in _label_sets(comparison).items():
        title = f'IoU % on {data}, {comparison.images.get(data, 0)} images'
        table = _table(title, ['contender'], names)
        for row in comparison.rows:
            if data in row.by_set:
                table.add_row(escape(row.label), *_percents(row, data, names))
        tables.append(table)
    return tables


def _layers(comparison: Comparison, int8: Row, partner: Row | None) -> Table:
    """The slowest layers of float and int8 side by side."""
    from rich.markup import escape

    sides = [row for row in (partner, int8) if row is not None]
    title = f'slowest layers, {" and ".join(row.label for row in sides)}'
    table = _table(title, [], [])
    for row in sides:
        table.add_column(row.label, overflow='fold')
        for name in ('kind', 'ms', 'share'):
            table.add_column(name, justify='left' if name == 'kind' else 'right')
    rows = [slowest_layers(comparison, row.label) for row in sides]
    for index in range(max(len(one) for one in rows)):
        cells: list[str] = []
        for one in rows:
            cells += one[index] if index < len(one) else ('', '', '', '')
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _checks(comparison: Comparison) -> Table:
    from rich.markup import escape

    table = _table('checks', ['', 'found', 'wanted', ''], [])
    for check in comparison.checks:
        words = verdict_words(check.holds)
        style = {'ok': 'green', 'FAILED': 'bold red'}.get(words)
        cells = (escape(text) for text in (check.what, check.found, check.wanted, words))
        table.add_row(*cells, style=style if check.holds is False else None)
    return table


def _label_sets(comparison: Comparison) -> dict[str, list[str]]:
    """{set: names of what was measured on it}."""
    names: dict[str, list[str]] = {}
    for row in comparison.rows:
        for data, values in row.by_set.items():
            known = names.setdefault(data, [])
            known += [name for name in values if name not in known]
    return names


def _percents(row: Row, data: str, names: Sequence[str]) -> list[str]:
    values = [row.by_set.get(data, {}).get(name, math.nan) for name in names]
    return [f'{100 * value:.2f}' if math.isfinite(value) else '–' for value in values]


def _csv(comparison: Comparison) -> str:
    """One row per contender; a column for each IoU as '<set>/<name>'."""
    rows = []
    for row in comparison.rows:
        values: dict[str, object] = {
            name: ' '.join(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(row).items()
            if name != 'by_set'
        }
        for data, scores in row.by_set.items():
            values |= {f'{data}/{name}': value for name, value in scores.items()}
        rows.append({name: _csv_value(value) for name, value in values.items()})
    text = io.StringIO()
    columns = list(dict.fromkeys(name for one in rows for name in one))
    writer = csv.DictWriter(text, columns, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _csv_value(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f'{value:.6g}' if math.isfinite(value) else ''


def _markdown(comparison: Comparison) -> str:
    columns = known_columns(comparison.rows)
    lines = [
        f'# Float against int8: {_cell(comparison.name)}',
        '',
        _line(['contender', 'really ran', *(column.title for column in columns)]),
        _line(['---', '---', *['---:'] * len(columns)]),
    ]
    lines += [_line([row.label, row.ran, *cells_of(row, columns)]) for row in comparison.rows]
    for data, names in _label_sets(comparison).items():
        lines += ['', f'## IoU (%) on {_cell(data)}, {comparison.images.get(data, 0)} images', '']
        lines += [_line(['contender', *names]), _line(['---', *['---:'] * len(names)])]
        lines += [
            _line([row.label, *_percents(row, data, names)])
            for row in comparison.rows
            if data in row.by_set
        ]
    lines += ['', '## Checks', '', _line(['', 'found', 'wanted', '']), _line(['---'] * 4)]
    lines += [
        _line([check.what, check.found, check.wanted, verdict_words(check.holds)])
        for check in comparison.checks
    ]
    lines += _markdown_of_layers(comparison)
    lines += ['', '## How it was measured', '']
    lines += [f'- {name}: {_cell(text)}' for name, text in comparison.settings.items()]
    lines += [f'- skipped: {name}, {_cell(why)}' for name, why in comparison.skipped.items()]
    lines += [
        f'- dropped out: {row.label}, {_cell(row.error)}' for row in comparison.rows if row.error
    ]
    lines += [f'- machine: {_cell(str(comparison.machine))}', f'- time: {comparison.time}']
    return '\n'.join(lines) + '\n'


def _markdown_of_layers(comparison: Comparison) -> list[str]:
    lines = []
    for label, layers in comparison.layers.items():
        lines += ['', f'## Layers of {label}', '']
        lines += [_line(['kind', 'precision', 'layers', 'ms', 'share'])]
        lines += [_line(['---', '---', '---:', '---:', '---:'])]
        whole_ms = total_ms(layers) or 1.0
        for part in parts_of(layers):
            share = f'{part.ms / whole_ms:.1%}'
            cells = [part.kind, part.precision, str(part.count), f'{part.ms:.3f}', share]
            lines.append(_line(cells))
    for label, found in comparison.float_layers.items():
        lines += ['', f'## Operators that the int8 file leaves in float: {label}', '']
        lines += [_line(['operators', 'layer', 'ms', 'share'])]
        lines += [_line(['---', '---', '---:', '---:'])]
        for one in found:
            layer = one.layer or 'none left at run time'
            lines.append(
                _line([', '.join(one.operators), layer, f'{one.ms:.3f}', f'{one.share:.1%}'])
            )
    return lines


def _cell(text: str) -> str:
    """Text that keeps a Markdown table whole."""
    return text.replace('|', '\\|').replace('\n', ' ')


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(_cell(cell) for cell in cells)} |'
