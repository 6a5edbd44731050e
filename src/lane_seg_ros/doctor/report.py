"""Show findings: a table on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lane_seg_ros.doctor.findings import SEVERITIES, Finding

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ['json_of', 'lines_of', 'summary_of', 'table_of']

_COLOURS = {'error': 'bold red', 'warning': 'yellow', 'note': 'cyan', 'ok': 'green'}
_PLURALS = {'error': 'errors', 'warning': 'warnings', 'note': 'notes', 'ok': 'checks well'}


def summary_of(findings: Sequence[Finding]) -> str:
    """How many of each severity, in one line."""
    counts = Counter(finding.severity for finding in findings)
    parts = []
    for severity in SEVERITIES:
        count = counts[severity]
        name = severity if count == 1 and severity != 'ok' else _PLURALS[severity]
        parts.append(f'{count} {name}')
    return ', '.join(parts)


def lines_of(findings: Sequence[Finding]) -> list[str]:
    """Each finding as a line with what, and indented lines with the rest."""
    lines = []
    for finding in findings:
        lines.append(f'{finding.severity} {finding.code} {finding.where}: {finding.what}')
        lines += [f'  {name}: {text}' for name, text in _details(finding)]
    return lines


def table_of(findings: Sequence[Finding]) -> Table:
    """The findings as a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.HORIZONTALS, show_header=False, show_lines=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow='fold')
    for finding in findings:
        colour = _COLOURS[finding.severity]
        right = Text(finding.where, style='bold')
        right.append(f'\n{finding.what}', style=colour)
        for name, text in _details(finding):
            right.append(f'\n{name}: ', style='dim')
            right.append(text, style='')
        table.add_row(Text(f'{finding.severity}\n{finding.code}', style=colour), right)
    return table


def json_of(findings: Sequence[Finding]) -> str:
    """{'summary': {severity: count}, 'findings': [...]} as text."""
    counts = Counter(finding.severity for finding in findings)
    return json.dumps(
        {
            'summary': {severity: counts[severity] for severity in SEVERITIES},
            'findings': [asdict(finding) for finding in findings],
        },
        indent=2,
        ensure_ascii=False,
    )


def _details(finding: Finding) -> list[tuple[str, str]]:
    named = (('found', finding.evidence), ('cause', finding.cause), ('do', finding.fix))
    return [(name, text) for name, text in named if text]
