"""One self-contained HTML page: its look, and the parts that every report is made of."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ['big_number', 'data_uri', 'facts', 'page', 'picture', 'section', 'table']

# Nothing is loaded from anywhere, and a name out of a configuration cannot become a script.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1d232b;
  --faint: #69727d; --line: #e1e5ea; --accent: #0072b2; --bar: #0072b226; --best: #fff3cf; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f1216; --card: #171b21; --ink: #e9edf2;
  --faint: #98a2ae; --line: #2c333c; --accent: #56b4e9; --bar: #56b4e938; --best: #3d3413; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 14px; }
h3 { font-size: 14px; font-weight: 600; margin: 20px 0 8px; color: var(--faint); }
h3:first-of-type { margin-top: 0; }
a { color: var(--accent); }
.lead { color: var(--faint); margin: 4px 0 22px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin: 0 0 18px; }
.numbers { display: flex; flex-wrap: wrap; gap: 14px 44px; margin: 0 0 20px; }
.number b { display: block; font-size: 30px; line-height: 1.15; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.number span { color: var(--faint); font-size: 13px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 22px; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 640px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; } }
.scroll { overflow: auto; max-height: 560px; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 13px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); background: var(--card); position: sticky; top: 0; }
thead tr + tr th { top: 29px; }
th.group { text-align: center; color: var(--ink); border-left: 1px solid var(--line); }
td.first, th.first { border-left: 1px solid var(--line); }
td.text, th.text { text-align: left; white-space: normal; }
tr.best td { background-color: var(--best); font-weight: 600; }
td.bar { background-image: linear-gradient(var(--bar), var(--bar)); background-repeat: no-repeat; }
img { display: block; width: 100%; height: auto; border-radius: 6px; }
pre { margin: 0; overflow: auto; max-height: 560px; font: 12.5px/1.5 ui-monospace, SFMono-Regular,
  Menlo, 'DejaVu Sans Mono', monospace; }
ul.files { list-style: none; margin: 0; padding: 0; columns: 2; }
@media (max-width: 640px) { ul.files { columns: 1; } }
.faint { color: var(--faint); }
@media print { .scroll, pre { max-height: none; overflow: visible; } section { break-inside: avoid; } }
"""  # noqa: E501


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """The page.

    Args:
        title: plain text.
        lead: plain text below the title.
        sections: HTML of `section`.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        + '\n'.join(sections)
        + '\n</main>\n</body>\n</html>\n'
    )


def section(title: str, content: str) -> str:
    """A card with a title (plain text; none if empty) and content (HTML)."""
    head = f'<h2>{escape(title)}</h2>\n' if title else ''
    return f'<section>\n{head}{content}\n</section>'


def big_number(value: str, meaning: str) -> str:
    """A number that is read first; both plain text."""
    return f'<div class="number"><b>{escape(value)}</b><span>{escape(meaning)}</span></div>'


def facts(rows: Mapping[str, str]) -> str:
    """What is what: {name: text}, both plain; an empty text is left out."""
    lines = [
        f'<dt>{escape(name)}</dt><dd>{escape(text)}</dd>' for name, text in rows.items() if text
    ]
    return '<dl>\n' + '\n'.join(lines) + '\n</dl>'


def table(
    groups: Sequence[tuple[str, int]],
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    bars: Sequence[Sequence[float | None]],
    best: int | None,
) -> str:
    """A table that scrolls, its heads stay.

    Args:
        groups: (name, number of columns) of what stands above the names.
        names: of the columns.
        rows: cells, plain text.
        bars: for each cell the share of it that is filled, 0..1, or None.
        best: index of the row to mark.
    """
    starts = set()
    above = []
    column = 0
    for name, count in groups:
        starts.add(column)
        column += count
        above.append(f'<th class="group" colspan="{count}">{escape(name)}</th>')
    heads = [
        f'<th{" class=first" if index in starts else ""}>{escape(name)}</th>'
        for index, name in enumerate(names)
    ]
    lines = []
    for number, (cells, shares) in enumerate(zip(rows, bars, strict=True)):
        inner = ''.join(
            _cell(text, share, index in starts)
            for index, (text, share) in enumerate(zip(cells, shares, strict=True))
        )
        lines.append(f'<tr{" class=best" if number == best else ""}>{inner}</tr>')
    return (
        f'<div class="scroll"><table>\n<thead><tr>{"".join(above)}</tr>\n'
        f'<tr>{"".join(heads)}</tr></thead>\n<tbody>\n' + '\n'.join(lines) + '\n</tbody>\n'
        '</table></div>'
    )


def picture(light: str, alt: str, *, dark: str = '', link: str = '') -> str:
    """An embedded picture.

    Args:
        light: data URI.
        alt: what it shows, plain text.
        dark: data URI for dark screens; '' for the same.
        link: relative URL that a click opens.
    """
    image = f'<img src="{light}" alt="{escape(alt)}">'
    if dark:
        media = '(prefers-color-scheme: dark)'
        image = f'<picture><source media="{media}" srcset="{dark}">{image}</picture>'
    return f'<a href="{escape(link)}">{image}</a>' if link else image


def data_uri(content: bytes, kind: str) -> str:
    """Embed bytes of a kind such as 'image/jpeg'."""
    return f'data:{kind};base64,{base64.b64encode(content).decode("ascii")}'


def _cell(text: str, share: float | None, is_first: bool) -> str:
    classes = ' '.join(
        name for name, wanted in (('first', is_first), ('bar', share is not None)) if wanted
    )
    attributes = f' class="{classes}"' if classes else ''
    if share is not None:
        attributes += f' style="background-size: {100 * share:.1f}% 100%"'
    return f'<td{attributes}>{escape(text)}</td>'
