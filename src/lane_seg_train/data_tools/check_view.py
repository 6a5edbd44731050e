"""A check as a person reads it on a terminal, and as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.markup import escape

from lane_seg_train.data_tools.findings import KINDS
from lane_seg_train.data_tools.tables import plain_table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from lane_seg_train.data_tools.check import CheckedSet, Report

__all__ = ['plain_report', 'print_report']

MOST_LINES = 8  # of one kind, unless all are asked for
MOST_SIZES = 3


def print_report(report: Report, console: Console, root: Path, *, every: bool = False) -> None:
    """Print tables of sets and label values, then the findings by kind.

    Args:
        report: what was found.
        console: where to.
        root: the folder that --data names; paths are shown below it.
        every: print all findings, and not only the first of each kind.
    """
    names = '  '.join(f'{index} {name}' for index, name in enumerate(report.classes))
    console.print(f'classes: {names}\n', markup=False, highlight=False)
    console.print(_sets(report), '')
    console.print(_values(report))
    for item in report.sets:
        if item.note:
            console.print(f'{item.key}: {item.note}', markup=False, highlight=False)
    for kind, info in KINDS.items():
        found = [finding for finding in report.findings if finding.kind == kind]
        if not found:
            continue
        mark = '[bold red]fault[/]' if info.is_fault else '[bold yellow]note[/]'
        shown = found if every else found[:MOST_LINES]
        console.print(f'\n{mark}  [bold]{len(found)} {escape(info.title)}[/]')
        for finding in shown:
            line = f'  {finding.set_key} {finding.name}: '.replace(' :', ':')
            text = line + finding.text.replace(f'{root}/', '')
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        if len(found) > len(shown):
            console.print(f'  and {len(found) - len(shown)} more (--all shows them)')
        console.print(f'  [dim]what to do: {escape(info.advice)}[/]', soft_wrap=True)


def plain_report(report: Report) -> dict[str, object]:
    """The report as plain dicts and lists, as `json.dumps` takes them."""
    return {
        'classes': list(report.classes),
        'faults': len(report.faults),
        'sets': [
            {
                **dataclasses.asdict(item),
                'sizes': [
                    {'height': size[0], 'width': size[1], 'images': count}
                    for size, count in item.sizes.items()
                ],
            }
            for item in report.sets
        ],
        'findings': [
            {**dataclasses.asdict(finding), 'is_fault': finding.is_fault}
            for finding in report.findings
        ],
    }


def _sets(report: Report) -> Table:
    table = plain_table(
        'data sets', 'data set', '>pairs', '>faults', '>empty', '>repeats', 'width x height'
    )
    for item in report.sets:
        found = [finding for finding in report.findings if finding.set_key == item.key]
        faults = sum(finding.is_fault for finding in found)
        table.add_row(
            escape(item.key),
            str(item.pairs),
            f'[bold red]{faults}[/]' if faults else '0',
            str(sum(finding.kind == 'empty' for finding in found)),
            str(item.repeats),
            'rendered' if item.rendered else _sizes(item),
        )
    return table


def _sizes(item: CheckedSet) -> str:
    sizes = list(item.sizes.items())
    shown = [f'{width}x{height}' for (height, width), _ in sizes[:MOST_SIZES]]
    if len(sizes) == 1:
        return shown[0]
    counted = [
        f'{text} ({count})' for text, (_, count) in zip(shown, sizes[:MOST_SIZES], strict=True)
    ]
    more = f', {len(sizes) - MOST_SIZES} more' if len(sizes) > MOST_SIZES else ''
    return ', '.join(counted) + more


def _values(report: Report) -> Table:
    table = plain_table(
        'label values', 'data set', 'value', 'ids', 'classes', '>pixels', '>images'
    )
    for item in report.sets:
        if item.rendered:
            continue
        total = sum(use.pixels for use in item.values)
        for number, use in enumerate(item.values):
            table.add_row(
                escape(item.key) if number == 0 else '',
                escape(use.key),
                ' '.join(str(index) for index in use.ids) or '-',
                escape(use.means),
                f'{100 * use.pixels / total:.2f} %' if total else '-',
                str(use.images),
            )
    return table
