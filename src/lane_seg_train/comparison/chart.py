"""comparison.png: who is good, who is quick, who is small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from lane_seg.files import atomic_path
from lane_seg.report.theme import DASHES, LIGHT, MARKERS, drawing, end_labels
from lane_seg_train.comparison.results import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from lane_seg_train.comparison.results import Column, Comparison, Row

__all__ = ['draw_comparison', 'front', 'write_chart']

BARS = ('miou', 'loss', 'frame_ms', 'gmac', 'parameters')
LARGEST_PT = 56.0  # diameter of the bubble of the largest network
THEME = LIGHT

Side = Literal['left', 'center', 'right']
Height = Literal['bottom', 'center', 'top']


def write_chart(comparison: Comparison, folder: Path) -> Path:
    """Draw comparison.png; whole or not at all.

    Returns:
        Its path.
    """
    path = folder / 'comparison.png'
    with drawing(THEME), atomic_path(path) as temporary:
        draw_comparison(comparison).savefig(temporary, dpi=130)
    return path


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw mean IoU over time, mean IoU over steps, and a bar for each number of each network."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in comparison.rows if not row.error]
    looks = {row.label: index for index, row in enumerate(comparison.rows)}
    # Room for the longest name, in shares of the width: about this much for each letter.
    names = 0.02 + 0.0062 * max([10, *(len(row.label) for row in rows)])
    bars_height = 0.75 + 0.34 * max(1, len(rows))
    height = 1.35 + 4.6 + 0.95 + bars_height
    figure = Figure(figsize=(14, height))
    FigureCanvasAgg(figure)
    figure.suptitle(f'Comparison of networks: {comparison.name}', x=0.05, y=1 - 0.3 / height,
                    ha='left', va='center', fontsize=16, fontweight='bold')  # fmt: skip
    figure.text(0.05, 1 - 0.66 / height, f'timed on {comparison.device}', va='center',
                color=THEME.faint, fontsize=9.5)  # fmt: skip
    failed = [row.label for row in comparison.rows if row.error]
    if failed:
        figure.text(0.95, 1 - 0.3 / height, f'failed: {", ".join(failed)}', ha='right',
                    va='center', color=THEME.line(1), fontsize=10)  # fmt: skip
    top = figure.add_gridspec(
        1, 2, left=0.05, right=0.98 - names, top=1 - 1.35 / height, bottom=1 - 5.95 / height,
        wspace=0.16, width_ratios=(1.25, 1),
    )  # fmt: skip
    _bubbles(figure.add_subplot(top[0, 0]), rows, looks)
    _curves(figure.add_subplot(top[0, 1]), rows, looks)
    columns = [column for key in BARS for column in COLUMNS if column.key == key]
    bottom = figure.add_gridspec(
        1, len(columns), left=names + 0.01, right=0.97, top=1 - 7.0 / height, bottom=0.3 / height,
        wspace=0.14,
    )  # fmt: skip
    for index, column in enumerate(columns):
        _bars(figure.add_subplot(bottom[0, index]), rows, looks, column, named=index == 0)
    return figure


def front(rows: list[Row]) -> list[Row]:
    """The networks that no other one beats in both time and mean IoU, the quickest first."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda one: (one.frame_ms, -one.miou)):
        if not kept or row.miou > kept[-1].miou:
            kept.append(row)
    return kept


def _bubbles(axes: Axes, rows: list[Row], looks: dict[str, int]) -> None:
    axes.set_title('mean IoU against time of a frame')
    axes.text(0.015, 0.02, 'area: parameters   dashed: no other is better and quicker',
              transform=axes.transAxes, fontsize=8.5, color=THEME.faint)  # fmt: skip
    axes.set_xlabel('ms per frame, median, batch 1 (log scale)')
    axes.set_ylabel('mean IoU (%)')
    known = [row for row in rows if math.isfinite(row.frame_ms) and math.isfinite(row.miou)]
    if not known:
        axes.text(0.5, 0.5, 'nothing was measured', transform=axes.transAxes, ha='center',
                  color=THEME.faint)  # fmt: skip
        return
    best = front(known)
    axes.plot([row.frame_ms for row in best], [100 * row.miou for row in best],
              color=THEME.faint, lw=1, ls=(0, (4, 3)), zorder=1)  # fmt: skip
    largest = max(row.parameters for row in known)
    for row in known:
        diameter = max(6.0, LARGEST_PT * math.sqrt(row.parameters / largest))
        colour = THEME.line(looks[row.label])
        axes.scatter(row.frame_ms, 100 * row.miou, s=diameter**2, color=colour, alpha=0.35,
                     linewidths=0, zorder=2)  # fmt: skip
        axes.scatter(row.frame_ms, 100 * row.miou, s=30, color=colour, zorder=3,
                     marker=MARKERS[looks[row.label] % len(MARKERS)])  # fmt: skip
    _fit(axes, known)
    _name_bubbles(axes, known, looks)


def _fit(axes: Axes, rows: list[Row]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    times = [row.frame_ms for row in rows]
    ious = [100 * row.miou for row in rows]
    room = max(2.0, 0.18 * (max(ious) - min(ious)))
    axes.set_ylim(max(0.0, min(ious) - room), min(100.0 + room / 2, max(ious) + room))
    axes.set_xscale('log')
    axes.set_xlim(min(times) / 1.5, max(times) * 2.2)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter(NullFormatter())


def _name_bubbles(axes: Axes, rows: list[Row], looks: dict[str, int]) -> None:
    """Write each name where it covers no other one."""
    from matplotlib.patheffects import withStroke

    figure = axes.get_figure()
    assert figure is not None
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    largest = max(row.parameters for row in rows)
    halo = withStroke(linewidth=3, foreground=THEME.paper)
    taken: list[Bbox] = []
    for row in sorted(rows, key=lambda one: one.frame_ms):
        radius = max(6.0, LARGEST_PT * math.sqrt(row.parameters / largest)) / 2 + 4
        places: list[tuple[float, float, Side, Height]] = [
            (radius, 0, 'left', 'center'), (0, radius, 'center', 'bottom'),
            (0, -radius, 'center', 'top'), (-radius, 0, 'right', 'center'),
        ]  # fmt: skip
        text = axes.annotate(row.label, (row.frame_ms, 100 * row.miou), (0, 0),
                             textcoords='offset points', fontsize=10, fontweight='bold',
                             color=THEME.line(looks[row.label]), zorder=4,
                             path_effects=[halo])  # fmt: skip
        for x, y, horizontal, vertical in places:
            text.set_position((x, y))
            text.set_horizontalalignment(horizontal)
            text.set_verticalalignment(vertical)
            box = text.get_window_extent(renderer)
            is_inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if is_inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def _curves(axes: Axes, rows: list[Row], looks: dict[str, int]) -> None:
    axes.set_title('mean IoU during training')
    axes.set_xlabel('optimizer steps')
    labels = []
    for row in rows:
        if not row.curve:
            continue
        steps, ious = zip(*row.curve, strict=True)
        number = looks[row.label]
        axes.plot(
            steps, [100 * iou for iou in ious], color=THEME.line(number), lw=1.6,
            ls=DASHES[number // len(THEME.lines) % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)], markersize=4,
        )  # fmt: skip
        labels.append((100 * ious[-1], row.label, THEME.line(number)))
        taken = [(step, 100 * iou) for step, iou in row.curve if step == row.best_step]
        for step, iou in taken:
            axes.plot([step], [iou], 'o', markersize=12, markerfacecolor='none',
                      markeredgecolor=THEME.line(number), markeredgewidth=1.4)  # fmt: skip
    if not labels:
        axes.text(0.5, 0.5, 'no run with its metrics', transform=axes.transAxes, ha='center',
                  color=THEME.faint)  # fmt: skip
        axes.set_yticks([])
        return
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.text(0.985, 0.02, 'ring: the weights that are compared', ha='right',
              transform=axes.transAxes, fontsize=8.5, color=THEME.faint)  # fmt: skip
    end_labels(axes, labels)


def _bars(
    axes: Axes, rows: list[Row], looks: dict[str, int], column: Column, *, named: bool
) -> None:
    better = {'high': 'more is better', 'low': 'less is better'}[column.best]
    axes.set_title(column.title, fontsize=10)
    axes.set_title(better, loc='right', fontsize=7.5, fontweight='normal', color=THEME.faint)
    values = [column.value(row) for row in rows]
    finite = [value if math.isfinite(value) else 0.0 for value in values]
    places = [-index for index in range(len(rows))]
    colours = [THEME.line(looks[row.label]) for row in rows]
    axes.barh(places, finite, height=0.62, color=colours, alpha=0.85)
    longest = max([*finite, 1e-12])
    axes.set_xlim(0, 1.32 * longest)
    for place, row, value in zip(places, rows, finite, strict=True):
        axes.text(value + 0.03 * longest, place, column.text(row), va='center', fontsize=9)
    axes.set_yticks(places, [row.label if named else '' for row in rows])
    axes.tick_params(axis='y', length=0, labelsize=9.5, labelcolor=THEME.ink)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines['bottom'].set_visible(False)
