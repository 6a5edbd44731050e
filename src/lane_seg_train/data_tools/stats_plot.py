"""Numbers of data sets as one picture: a row for each set, image sizes below."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.files import atomic_path
from lane_seg.report.theme import LIGHT, MARKERS, Theme, drawing
from lane_seg_train.data_tools.meanings import members
from lane_seg_train.data_tools.stats import meanings_of
from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    from lane_seg_train.data_tools.stats import SetStats
    from lane_seg_train.label_sets import LabelTable

__all__ = ['draw_stats', 'write_stats_plot']

Colour = tuple[int, int, int]

ROW_IN, HEAD_IN, GAP_IN, SIZES_IN, FOOT_IN = 0.52, 1.25, 0.95, 3.3, 0.6
WIDTH_IN = 15.0
PALE = '#ccd2d9'  # of a class that overlays do not draw
BLANK = '#f3f4f6'  # of what labels say nothing about
LEAST_PERCENT = 0.003  # that the logarithmic axis shows
CHANNELS = ('#0072b2', '#009e73', '#d55e00')  # blue, green, red


def write_stats_plot(
    stats: Sequence[SetStats], path: Path, *, title: str, colours: Sequence[Colour]
) -> None:
    """Draw the picture to a PNG file, whole or not at all.

    Args:
        stats: numbers of data sets, at least one.
        path: the file.
        title: heading.
        colours: (B, G, R) of each class.
    """
    with drawing(LIGHT), atomic_path(path) as temporary:
        figure = draw_stats(stats, LIGHT, title=title, colours=colours)
        figure.savefig(temporary, dpi=130, format='png')


def draw_stats(
    stats: Sequence[SetStats], theme: Theme, *, title: str, colours: Sequence[Colour]
) -> Figure:
    """Draw the figure; call it inside `theme.drawing(theme)`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows_in = ROW_IN * len(stats)
    height_in = HEAD_IN + rows_in + GAP_IN + SIZES_IN + FOOT_IN
    figure = Figure(figsize=(WIDTH_IN, height_in))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        1, 4, left=0.135, right=0.985, wspace=0.07, width_ratios=(1.25, 1, 1, 1),
        top=1 - HEAD_IN / height_in, bottom=1 - (HEAD_IN + rows_in) / height_in,
    )  # fmt: skip
    columns = [figure.add_subplot(grid[0, column]) for column in range(4)]
    figure.text(0.012, 1 - 0.32 / height_in, title, fontsize=16, fontweight='bold', va='center')
    patches = _Patches(stats, colours, theme)
    figure.legend(
        handles=patches.legend(), loc='center left', ncols=8, fontsize=9, borderpad=0,
        bbox_to_anchor=(0.008, 1 - 0.66 / height_in), handlelength=1.6, columnspacing=1.6,
    )  # fmt: skip
    for axes in columns:
        axes.set_ylim(len(stats) - 0.5, -0.5)
        axes.set_yticks(range(len(stats)), [])
        axes.grid(visible=False, axis='y')
        axes.tick_params(axis='y', length=0)
        axes.spines['left'].set_visible(False)
    columns[0].set_yticklabels(
        [f'{item.chosen.key}\n{len(item.images)} images' for item in stats], color=theme.ink
    )
    _bars(columns[0], stats, patches)
    _rare(columns[1], stats, patches, theme)
    _foreground(columns[2], stats, theme)
    _brightness(columns[3], stats, theme)
    bottom = figure.add_axes((0.135, FOOT_IN / height_in, 0.45, SIZES_IN / height_in))
    _sizes(bottom, stats, theme)
    return figure


class _Patches:
    """How each meaning looks: a class in its colour, a choice of classes hatched with both."""

    def __init__(self, stats: Sequence[SetStats], colours: Sequence[Colour], theme: Theme) -> None:
        self.colours = [_hex(colour) if any(colour) else PALE for colour in colours]
        self.theme = theme
        self.meanings = meanings_of(stats)

    def style(self, table: LabelTable, target: int) -> dict[str, object]:
        """Properties of a bar or a patch."""
        if target == ANY_ID:
            return {'facecolor': BLANK, 'edgecolor': PALE, 'hatch': '....', 'linewidth': 0}
        inside = [self.colours[index] for index in members(table, target)]
        if len(inside) == 1:
            return {'facecolor': inside[0], 'linewidth': 0}
        return {'facecolor': inside[0], 'edgecolor': inside[1], 'hatch': '////', 'linewidth': 0}

    def legend(self) -> list[Patch]:
        """One patch for each meaning."""
        from matplotlib.patches import Patch

        return [
            Patch(label=text, **self.style(table, target))  # type: ignore[arg-type]
            for text, (table, target) in self.meanings.items()
        ]


def _bars(axes: Axes, stats: Sequence[SetStats], patches: _Patches) -> None:
    axes.set_title('what the pixels are, %')
    axes.set_xlim(0, 100)
    for row, item in enumerate(stats):
        left = 0.0
        for target in item.targets:
            share = 100 * item.pixel_share(target)
            style = patches.style(item.table, target)
            axes.barh(row, share, left=left, height=0.62, **style)  # type: ignore[arg-type]
            left += share


def _rare(axes: Axes, stats: Sequence[SetStats], patches: _Patches, theme: Theme) -> None:
    axes.set_title('the same, logarithmic')
    axes.set_xscale('log')
    axes.set_xlim(LEAST_PERCENT, 130)
    axes.set_xticks([0.01, 0.1, 1, 10, 100], ['0.01', '0.1', '1', '10', '100'])
    axes.minorticks_off()
    for row, item in enumerate(stats):
        axes.plot([LEAST_PERCENT, 130], [row, row], color=theme.grid, lw=0.8, zorder=1)
        for target in item.targets:
            share = 100 * item.pixel_share(target)
            inside = members(item.table, target)
            if share < LEAST_PERCENT or not inside:
                continue
            single = len(inside) == 1
            axes.plot(
                share, row, marker='o', markersize=9, zorder=2, ls='',
                color=patches.colours[inside[0]], fillstyle='full' if single else 'left',
                markerfacecoloralt=patches.colours[inside[-1]], markeredgecolor=theme.paper,
            )  # fmt: skip


def _foreground(axes: Axes, stats: Sequence[SetStats], theme: Theme) -> None:
    axes.set_title('foreground of each image, %')
    rng = np.random.default_rng(0)
    most = 1.0
    for row, item in enumerate(stats):
        shares = 100 * item.foreground_shares
        if not len(shares):
            continue
        most = max(most, float(shares.max()))
        offsets = rng.uniform(-0.26, 0.26, len(shares))
        axes.plot(
            shares, row + offsets, ls='', marker='.', markersize=3, color=theme.line(0), alpha=0.35
        )
        median = float(np.median(shares))
        axes.plot([median, median], [row - 0.34, row + 0.34], color=theme.ink, lw=2)
        empty = int((shares == 0).sum())
        if empty and shares.max() > 0:
            axes.annotate(
                f'{empty} without', (1.0, row), xycoords=('axes fraction', 'data'), ha='right',
                va='center', fontsize=8, color=theme.faint,
            )  # fmt: skip
    axes.set_xlim(-0.02 * most, 1.05 * most)
    axes.set_xlabel('a point for each image, bar: median')


def _brightness(axes: Axes, stats: Sequence[SetStats], theme: Theme) -> None:
    axes.set_title('brightness')
    axes.set_xlim(0, 255)
    axes.set_xticks([0, 64, 128, 192, 255])
    levels = np.arange(256)
    for row, item in enumerate(stats):
        # Smoothed: contrast that was stretched leaves out levels, which looks like a comb.
        smooth = np.convolve(item.brightness, np.full(5, 0.2), mode='same')
        tall = 0.8 * smooth / max(1e-9, float(smooth.max()))
        axes.fill_between(levels, row + 0.4, row + 0.4 - tall, color=theme.faint, alpha=0.3, lw=0)
        for channel, colour in enumerate(CHANNELS):
            y = row + 0.18 + 0.11 * (channel - 1)
            mean, spread = item.channel_means[channel], item.channel_deviations[channel]
            axes.plot([mean - spread, mean + spread], [y, y], color=colour, lw=1.2)
            axes.plot(mean, y, marker='o', markersize=3.5, color=colour)
    axes.set_xlabel('grey level; lines: mean and deviation of R, G, B')


def _sizes(axes: Axes, stats: Sequence[SetStats], theme: Theme) -> None:
    axes.set_title('image sizes')
    axes.set_xlabel('width, pixels')
    axes.set_ylabel('height, pixels')
    widest, tallest = 1, 1
    for index, item in enumerate(stats):
        counts = Counter(image.size for image in item.images)
        if not counts:
            continue
        widths = [width for _, width in counts]
        heights = [height for height, _ in counts]
        widest, tallest = max(widest, *widths), max(tallest, *heights)
        # Open and growing, so that sets of one size stand around each other.
        axes.plot(
            widths, heights, ls='', marker=MARKERS[index % len(MARKERS)],
            markersize=6 + 2.5 * (index % 8), markerfacecolor='none', markeredgewidth=1.6,
            color=theme.line(index), label=f'{item.chosen.key}: {_listed(counts)}',
        )  # fmt: skip
    axes.set_xlim(0, 1.15 * widest)
    axes.set_ylim(0, 1.25 * tallest)
    legend = axes.legend(loc='center left', bbox_to_anchor=(1.04, 0.5), fontsize=9)
    for line in legend.get_lines():
        line.set_markersize(8)


def _listed(counts: Counter[tuple[int, int]]) -> str:
    sizes = [f'{width}x{height}' for (height, width), _ in counts.most_common(3)]
    more = f' and {len(counts) - 3} more' if len(counts) > 3 else ''
    return ', '.join(sizes) + more


def _hex(colour: Colour) -> str:
    return '#{2:02x}{1:02x}{0:02x}'.format(*colour)
