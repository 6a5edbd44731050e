"""The CSV files of a run folder: written by the trainer, read by reports and resumed runs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ['csv_text', 'read_rows']


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file with a column "step"; none if there is no such file.

    A last line that a killed process left half written is passed over.

    Raises:
        LaneSegError: not such a file.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise LaneSegError(f'{path}: expected a CSV file, found: {error}') from error
    reader = csv.DictReader(io.StringIO(text[: text.rfind('\n') + 1]))
    names = list(reader.fieldnames or [])
    if names and 'step' not in names:
        raise LaneSegError(
            f'{path}: expected a column "step", found {", ".join(names[:6])}; '
            'move the file away, or restore it'
        )
    return list(reader)


def csv_text(rows: Sequence[dict[str, str]], *, header: bool = True) -> str:
    """Rows as the text of a CSV file; columns in order of appearance."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
    if header and names:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
