"""Tables on a terminal, in one look."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

__all__ = ['plain_table']


def plain_table(title: str, *columns: str) -> Table:
    """A table with little ink.

    Args:
        title: heading.
        columns: their names; one that starts with '>' stands to the right, as numbers do.
    """
    table = Table(title=title, title_justify='left', box=SIMPLE_HEAD, show_edge=False)
    table.caption_justify = 'left'
    for column in columns:
        is_number = column.startswith('>')
        # Folded and not cut: a name without its end says nothing.
        table.add_column(
            column.removeprefix('>'),
            justify='right' if is_number else 'left',
            overflow='fold',
            no_wrap=is_number,
        )
    return table
