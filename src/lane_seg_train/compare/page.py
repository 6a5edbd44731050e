"""report.html of a comparison: all of it on one page that can be mailed."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from lane_seg.files import write_text
from lane_seg.report.page import (
    big_number,
    data_uri,
    facts,
    page,
    picture,
    section,
    table,
)
from lane_seg_train.compare.results import cells_of, known_columns, ms_text
from lane_seg_train.compare.tables import slowest_layers, verdict_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lane_seg_train.compare.results import Comparison

__all__ = ['REPORT', 'write_page']

REPORT = 'report.html'


def write_page(
    comparison: Comparison, folder: Path, charts: Sequence[Path], pictures: Sequence[Path]
) -> Path:
    """Write report.html, whole.

    Args:
        comparison: what was measured.
        folder: gets the page.
        charts: PNG files; they are embedded.
        pictures: JPEG files; they are embedded.

    Returns:
        Its path.
    """
    parts = [
        section('', _first(comparison)),
        section('Contenders', _contenders(comparison)),
        section('Checks', _checks(comparison)),
        *(section('', _embedded(path, 'image/png')) for path in charts),
        *_differences(pictures),
        *(section(f'Slowest layers: {label}', _layers(comparison, label))
          for label in comparison.layers),
        *(section(f'Left in float by the int8 file: {label}', _left(comparison, label))
          for label in comparison.float_layers),
        section('How it was measured', facts({**comparison.settings, **_more(comparison)})),
    ]  # fmt: skip
    path = folder / REPORT
    lead = f'float against int8, {comparison.time}, {comparison.machine.cpu}'
    write_text(path, page(comparison.name, lead, parts))
    return path


def _first(comparison: Comparison) -> str:
    """Numbers that are read first: of the int8 contender that is the quickest."""
    quick = [
        row for row in comparison.rows if row.is_int8 and not row.error and row.engine != 'torch'
    ]
    known = [row for row in quick if math.isfinite(row.p50_ms)]
    if not known:
        return '<p>no int8 contender was measured</p>'
    best = min(known, key=lambda row: row.p50_ms)
    reference = next(row for row in comparison.rows if row.label == comparison.reference)
    numbers = [big_number(ms_text(best.p50_ms), f'a frame, median, {best.label}')]
    for row in comparison.rows:
        if not row.is_int8 and row.engine in (best.engine, 'torch') and row.p50_ms > 0:
            ratio = f'{row.p50_ms / best.p50_ms:.2f}x'
            numbers.append(big_number(ratio, f'as fast as {row.label}'))
        if not row.is_int8 and row.engine == best.engine:
            numbers.append(
                big_number(f'{best.file_mb / row.file_mb:.2f}x', 'the size of its file')
            )
    if math.isfinite(best.agreement):
        numbers.append(
            big_number(f'{100 * best.agreement:.2f} %', f'of pixels as {reference.label}')
        )
    if math.isfinite(best.lane_iou):
        points = 100 * (best.lane_iou - reference.lane_iou)
        numbers.append(big_number(f'{points:+.2f} points', f'of IoU, {comparison.lane_score}'))
    return f'<div class="numbers">{"".join(numbers)}</div>'


def _plain_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    bars = [[None] * len(names) for _ in rows]
    return table([('', len(names))], names, rows, bars=bars, best=None)


def _contenders(comparison: Comparison) -> str:
    columns = known_columns(comparison.rows)
    rows = [[row.label, row.ran, *cells_of(row, columns)] for row in comparison.rows]
    names = ['contender', 'really ran', *(column.title for column in columns)]
    content = _plain_table(names, rows)
    lost = {row.label: row.error for row in comparison.rows if row.error}
    return content + (facts(lost) if lost else '')


def _checks(comparison: Comparison) -> str:
    rows = [
        [check.what, check.found, check.wanted, verdict_words(check.holds)]
        for check in comparison.checks
    ]
    return _plain_table(['', 'found', 'wanted', ''], rows)


def _differences(pictures: Sequence[Path]) -> list[str]:
    if not pictures:
        return []
    content = '\n'.join(_embedded(path, 'image/jpeg') + '<p></p>' for path in pictures)
    return [section('Where they differ most, and some images of median agreement', content)]


def _embedded(path: Path, kind: str) -> str:
    return picture(data_uri(path.read_bytes(), kind), escape(path.stem.replace('_', ' ')))


def _layers(comparison: Comparison, label: str) -> str:
    rows = [list(cells) for cells in slowest_layers(comparison, label)]
    return _plain_table(['layer', 'kind', 'ms', 'share'], rows)


def _left(comparison: Comparison, label: str) -> str:
    rows = [
        [
            ', '.join(one.operators),
            one.layer or 'none left at run time',
            f'{one.ms:.3f}',
            f'{one.share:.1%}',
        ]
        for one in comparison.float_layers[label]
    ]
    return _plain_table(['operators', 'layer', 'ms', 'share'], rows)


def _more(comparison: Comparison) -> dict[str, str]:
    counts = ', '.join(f'{count} of {name}' for name, count in comparison.images.items())
    return {
        'images': counts,
        **{f'skipped: {name}': why for name, why in comparison.skipped.items()},
        'machine': str(comparison.machine),
    }
