"""One picture of a measurement: IoU over time, latencies, losses over time."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.report.theme import DASHES, Theme, drawing, end_labels
from lane_seg_ros.live.score import CLASSES, ious_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from lane_seg_ros.live.measurement import Measurement

__all__ = ['NO_CHARTS', 'can_draw_charts', 'charts_as']

NO_CHARTS = "no charts: they need matplotlib; install it: python3 -m pip install 'matplotlib>=3.7'"

# One point of a curve stands for at least so long; single frames jump too much to be read.
_SMALLEST_STEP_S = 0.5
_MOST_POINTS = 120


def can_draw_charts() -> bool:
    """Whether matplotlib is there."""
    return find_spec('matplotlib') is not None


def charts_as(
    kind: str, measurement: Measurement, theme: Theme, *, scenes: dict[float, str] | None = None
) -> bytes:
    """Draw the charts.

    Args:
        kind: 'png' or 'svg'.
        measurement: what to show.
        theme: colours.
        scenes: {second at which a scene begins: its name}, to be marked.

    Returns:
        The content of a file of that kind.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    content = io.BytesIO()
    with drawing(theme):
        figure = Figure(figsize=(14, 6.4))
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            2, 2, width_ratios=(2.1, 1), left=0.05, right=0.985, top=0.91, bottom=0.09,
            hspace=0.42, wspace=0.32,
        )  # fmt: skip
        iou, latencies = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
        losses, ages = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
        _ious(iou, measurement, theme)
        _latencies(latencies, measurement, theme)
        _losses(losses, measurement, theme)
        _ages(ages, measurement, theme)
        for axes in (iou, losses):
            axes.set_xlim(0, measurement.seconds)
            _mark_scenes(axes, scenes or {}, theme, named=axes is iou)
        losses.set_xlabel('seconds')
        metadata = {'Date': None} if kind == 'svg' else None
        figure.savefig(content, format=kind, dpi=110, metadata=metadata)
    return content.getvalue()


def _ious(axes: Axes, measurement: Measurement, theme: Theme) -> None:
    scored = [
        (frame.sent_s, frame.table) for frame in measurement.frames if frame.table is not None
    ]
    axes.set_title('IoU over time')
    if not scored:
        _say(axes, 'no labels', theme)
        return
    step_s = max(_SMALLEST_STEP_S, measurement.seconds / _MOST_POINTS)
    bins: dict[int, list[NDArray[np.int64]]] = {}
    for sent_s, table in scored:
        bins.setdefault(int(sent_s // step_s), []).append(table)
    places = range(min(bins), max(bins) + 1)
    labels = []
    for index, name in enumerate(CLASSES):
        values = np.array(
            [ious_of(np.sum(bins[i], axis=0))[name] if i in bins else np.nan for i in places]
        )
        axes.plot(
            *((np.array(places) + 0.5) * step_s, values), color=theme.line(index),
            ls=DASHES[index], lw=1.8, marker='o' if len(places) < 40 else '', ms=3,
        )  # fmt: skip
        if np.isfinite(values).any():
            last = float(values[np.isfinite(values)][-1])
            labels.append((last, name.replace('_', ' '), theme.line(index)))
    axes.set_ylim(0, 1.02)
    end_labels(axes, labels)


def _latencies(axes: Axes, measurement: Measurement, theme: Theme) -> None:
    values = np.array([f.latency_ms for f in measurement.frames if f.latency_ms is not None])
    axes.set_title('latency')
    axes.set_xlabel('milliseconds from picture published to mask received')
    if not len(values):
        _say(axes, 'no masks', theme)
        return
    summary = measurement.latency_ms
    # The slowest of a thousand frames must not squeeze all others into one bar.
    top = max(1.0, 1.25 * summary.p99_ms)
    counts, edges = np.histogram(np.minimum(values, top), bins=40, range=(0.0, top))
    axes.bar(edges[:-1], counts, width=np.diff(edges), align='edge', color=theme.line(0))
    for text, value, side in (
        (f'p50 {summary.median_ms:.0f} ', summary.median_ms, 'right'),
        (f' p99 {summary.p99_ms:.0f}', summary.p99_ms, 'left'),
    ):
        axes.axvline(value, color=theme.line(1), lw=1.2, ls=DASHES[1])
        axes.annotate(
            text, (value, 0.98), xycoords=('data', 'axes fraction'), va='top', ha=side,
            color=theme.line(1), fontsize=8.5,
        )  # fmt: skip
    axes.set_xlim(0, top)


def _losses(axes: Axes, measurement: Measurement, theme: Theme) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title('frames without a mask')
    lost = np.array([f.sent_s for f in measurement.frames if f.latency_ms is None])
    step_s = max(1.0, measurement.seconds / _MOST_POINTS)
    edges = np.arange(0.0, measurement.seconds + step_s, step_s)
    total = np.histogram(lost, edges)[0]
    replaced, refused = (
        np.histogram(
            [one.time_s for one in measurement.node_losses],
            edges,
            weights=[getattr(one, name) for one in measurement.node_losses],
        )[0]
        for name in ('replaced', 'refused')
    )
    if not (total.any() or replaced.any() or refused.any()):
        _say(axes, 'none', theme)
    centres = (edges[:-1] + edges[1:]) / 2
    kinds = (
        ('all, by the stamps', total, 0, -0.27),
        ('replaced by a newer one, as the node reports', replaced, 1, 0.0),
        ('refused, as the node reports', refused, 2, 0.27),
    )
    for label, counts, index, shift in kinds:
        axes.bar(
            centres + shift * step_s, counts, width=0.26 * step_s, color=theme.line(index),
            label=label,
        )  # fmt: skip
    axes.set_ylim(0, max(1.0, 1.35 * float(max(total.max(), replaced.max(), refused.max()))))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc='upper left', ncols=3, fontsize=8)


def _ages(axes: Axes, measurement: Measurement, theme: Theme) -> None:
    axes.set_title('age of the newest mask')
    axes.set_xlabel('at most so many milliseconds, for this share of the time')
    ages_ms = measurement.ages_s * 1e3
    if not len(ages_ms):
        _say(axes, 'fewer than two masks', theme)
        return
    top = max(1.0, 1.2 * measurement.age_ms.p99_ms)
    levels = np.linspace(0.0, top, 200)
    low, high = ages_ms[:, 0], ages_ms[:, 1]
    spent = np.array([np.clip(level - low, 0.0, high - low).sum() for level in levels])
    axes.plot(levels, 100 * spent / (high - low).sum(), color=theme.line(0), lw=1.8)
    axes.set_ylim(0, 102)
    axes.set_xlim(0, top)
    axes.yaxis.set_major_formatter('{x:g} %')


def _mark_scenes(axes: Axes, scenes: dict[float, str], theme: Theme, *, named: bool) -> None:
    for begin_s, name in scenes.items():
        if begin_s:
            axes.axvline(begin_s, color=theme.faint, lw=1.0)
        if named:
            axes.annotate(
                name, (begin_s, 0.03), xycoords=('data', 'axes fraction'), xytext=(4, 0),
                textcoords='offset points', color=theme.faint, fontsize=8,
            )  # fmt: skip


def _say(axes: Axes, text: str, theme: Theme) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha='center', color=theme.faint)
