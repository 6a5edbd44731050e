"""The comparison as charts: latency, size against IoU, IoU by class, time by kind of layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lane_seg.files import atomic_path
from lane_seg.report.theme import LIGHT, MARKERS, drawing
from lane_seg_train.compare.layers import parts_of
from lane_seg_train.compare.results import ms_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lane_seg_train.compare.results import Comparison, Row

__all__ = ['CHARTS', 'write_charts']

THEME = LIGHT
PARTS_SHOWN = 7  # kinds of layers with a colour of their own
OTHERS = 'others'
WIDTH_IN = 9.0


def write_charts(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw the charts that there are figures for, each file whole.

    Returns:
        Their paths.
    """
    paths = []
    for name, (is_known, draw) in CHARTS.items():
        path = folder / name
        if not is_known(comparison):
            path.unlink(missing_ok=True)  # of an earlier comparison
            continue
        with drawing(THEME), atomic_path(path) as temporary:
            draw(comparison).savefig(temporary, dpi=130)
        paths.append(path)
    return paths


def _alive(comparison: Comparison) -> list[Row]:
    return [row for row in comparison.rows if not row.error]


def _figure(height: float, title: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _bars(rows: Sequence[Row], title: str) -> tuple[Figure, Axes, list[int]]:
    """Axes with a line for each contender, the first on top."""
    figure, axes = _figure(1.1 + 0.42 * len(rows), title)
    places = [-index for index in range(len(rows))]
    axes.set_yticks(places, [row.label for row in rows])
    axes.tick_params(axis='y', length=0, labelcolor=THEME.ink)
    axes.grid(visible=False, axis='y')
    return figure, axes, places


def _colour(row: Row) -> str:
    return THEME.line(1) if row.is_int8 else THEME.line(0)


def _latency(comparison: Comparison) -> Figure:
    rows = [row for row in _alive(comparison) if math.isfinite(row.p50_ms)]
    figure, axes, places = _bars(rows, 'time of a frame: bar p50, marks p95 and p99')
    values = [row.p50_ms for row in rows]
    axes.barh(places, values, height=0.6, color=[_colour(row) for row in rows], alpha=0.85)
    # One contender that something else disturbed must not make the bars of all others invisible.
    end = min(max(row.p99_ms for row in rows), 3 * max(values))
    for place, row in zip(places, rows, strict=True):
        axes.plot([row.p50_ms, row.p99_ms], [place, place], color=THEME.ink, lw=0.8)
        axes.plot([row.p95_ms, row.p99_ms], [place, place], '|', color=THEME.ink, markersize=9)
        axes.annotate(
            ms_text(row.p50_ms), (min(row.p99_ms, end), place), (6, 0),
            textcoords='offset points', va='center', color=THEME.ink,
        )  # fmt: skip
    axes.set_xlabel('ms')
    axes.set_xlim(0, 1.18 * end)
    return figure


def _size(comparison: Comparison) -> Figure:
    rows = [row for row in _alive(comparison) if math.isfinite(row.lane_iou)]
    figure, axes = _figure(4.2, f'size of the file against IoU of {comparison.lane_score}')
    for number, row in enumerate(rows):
        axes.plot(
            [row.file_mb], [100 * row.lane_iou], MARKERS[number % len(MARKERS)], markersize=9,
            color=_colour(row), label=row.label, alpha=0.85,
        )  # fmt: skip
    axes.set_xlabel('MB')
    axes.set_ylabel('IoU %')
    axes.set_xlim(0, 1.1 * max(row.file_mb for row in rows))
    axes.margins(y=0.25)
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5))
    return figure


def _scores(comparison: Comparison) -> Figure:
    rows = [row for row in _alive(comparison) if row.by_set]
    names = list(
        dict.fromkeys(
            f'{data}/{name}'
            for row in rows
            for data, values in row.by_set.items()
            for name in values
            if name != 'miou'
        )
    )
    figure, axes = _figure(1.4 + (0.16 * len(rows) + 0.25) * len(names), 'IoU by class')
    step = 1.0 / (len(rows) + 1)
    for number, row in enumerate(rows):
        places, values = [], []
        for index, name in enumerate(names):
            data, _, label_set = name.partition('/')
            value = row.by_set.get(data, {}).get(label_set, math.nan)
            if math.isfinite(value):
                places.append(-index - number * step)
                values.append(100 * value)
        axes.barh(
            places, values, height=0.85 * step, label=row.label, color=THEME.line(number),
            alpha=0.85,
        )  # fmt: skip
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f'{value:.1f}', (value, place), (3, 0), textcoords='offset points', va='center',
                fontsize=7,
            )  # fmt: skip
    middle = (len(rows) - 1) * step / 2
    axes.set_yticks([-index - middle for index in range(len(names))], names)
    axes.tick_params(axis='y', length=0, labelcolor=THEME.ink)
    axes.grid(visible=False, axis='y')
    axes.set_xlim(0, 108)
    axes.set_xlabel('IoU %')
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5))
    return figure


def _layers(comparison: Comparison) -> Figure:
    rows = [row for row in _alive(comparison) if comparison.layers.get(row.label)]
    figure, axes, places = _bars(rows, 'where the time goes, by kind and precision of layers')
    totals: dict[str, float] = {}
    parts = {row.label: parts_of(comparison.layers[row.label]) for row in rows}
    for row in rows:
        whole_ms = sum(part.ms for part in parts[row.label]) or 1.0
        for part in parts[row.label]:
            name = f'{part.kind} {part.precision}'
            totals[name] = totals.get(name, 0.0) + part.ms / whole_ms
    shown = sorted(totals, key=lambda name: -totals[name])[:PARTS_SHOWN]
    looks = {
        name: (THEME.line(number), '//' if number >= len(THEME.lines) else '')
        for number, name in enumerate(shown)
    }
    looks[OTHERS] = (THEME.grid, '')
    named: set[str] = set()
    for place, row in zip(places, rows, strict=True):
        shares = dict.fromkeys(looks, 0.0)
        whole_ms = sum(part.ms for part in parts[row.label]) or 1.0
        for part in parts[row.label]:
            name = f'{part.kind} {part.precision}'
            shares[name if name in looks else OTHERS] += 100 * part.ms / whole_ms
        left = 0.0
        for name, share in shares.items():
            if not share:
                continue
            colour, hatch = looks[name]
            axes.barh(
                place, share, left=left, height=0.62, color=colour, hatch=hatch,
                label='' if name in named else name, edgecolor=THEME.paper, linewidth=0.5,
            )  # fmt: skip
            named.add(name)
            left += share
    axes.set_xlim(0, 100)
    axes.set_xlabel('% of the time of all layers')
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5))
    return figure


def _has(key: str) -> Callable[[Comparison], bool]:
    def is_known(comparison: Comparison) -> bool:
        return any(math.isfinite(getattr(row, key)) for row in _alive(comparison))

    return is_known


CHARTS: dict[str, tuple[Callable[[Comparison], bool], Callable[[Comparison], Figure]]] = {
    'latency.png': (_has('p50_ms'), _latency),
    'size_iou.png': (_has('lane_iou'), _size),
    'iou.png': (_has('miou'), _scores),
    'layers.png': (lambda comparison: any(comparison.layers.values()), _layers),
}
