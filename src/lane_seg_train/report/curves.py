"""curves.png: how loss, learning rate and IoU went, step by step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.files import atomic_path
from lane_seg.report.theme import DASHES, LIGHT, MARKERS, Theme, drawing, end_labels
from lane_seg_train.report.run_record import MIOU, read_run
from lane_seg_train.report.series import last_of, smoothed, spans, stretches, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lane_seg_train.report.run_record import RunRecord

__all__ = ['CURVES', 'draw_curves', 'write_curves']

CURVES = 'curves.png'
MOST_LINES = 6  # of one chart; more cannot be told apart
MOST_POINTS = 1500  # of one line: about one for each pixel
LONGEST_NAME = 32  # that fits beside a chart
SMOOTHED_SHARE = 0.02  # of the steps that one point of a smooth line averages, on either side


def write_curves(run_folder: str | Path) -> Path:
    """Draw the curves of a run, finished or not, to curves.png in its folder.

    Returns:
        The path of the picture.

    Raises:
        LaneSegError: not the folder of a run.
    """
    folder = Path(run_folder)
    record = read_run(folder)
    path = folder / CURVES
    with drawing(LIGHT), atomic_path(path) as temporary:
        draw_curves(record, LIGHT).savefig(temporary, dpi=130)
    return path


def draw_curves(record: RunRecord, theme: Theme, *, heading: bool = True) -> Figure:
    """Draw four charts over the optimizer steps; call it inside `theme.drawing(theme)`.

    Left: loss of each step with its terms, and learning rate. Right: IoU and loss of each
    validation, with the best one marked.

    Args:
        record: the run.
        theme: colours.
        heading: with the name of the run and what is best above the charts.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    height = 7.8 if heading else 6.9
    figure = Figure(figsize=(14, height))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2, 2, height_ratios=(2, 1), left=0.05, right=0.82, top=6.3 / height, bottom=0.55 / height,
        hspace=0.28, wspace=0.36,
    )  # fmt: skip
    train, iou, rate, val = (
        figure.add_subplot(grid[row, column]) for row in (0, 1) for column in (0, 1)
    )
    if heading:
        figure.suptitle(record.name, x=0.05, y=0.975, ha='left', fontsize=16, fontweight='bold')
        figure.text(0.05, 0.912, _subtitle(record), color=theme.faint, fontsize=9.5)
    last = _last_step(record)
    for axes in (train, iou, rate, val):
        axes.set_xlim(0, last)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.yaxis.set_major_formatter('{x:g}')
    _train_losses(train, record, theme)
    _learning_rate(rate, record, theme)
    _ious(iou, record, theme)
    _val_losses(val, record, theme)
    for axes in (rate, val):
        axes.set_xlabel('optimizer steps')
    for axes in (train, iou):
        _mark_epochs(axes, record, theme)
    return figure


def _subtitle(record: RunRecord) -> str:
    count = int(last_of(record.steps['step']) or 0)
    parts = [_counted(count, 'step')]
    if record.validations.rows:
        parts.append(_counted(record.validations.rows, 'validation'))
    if record.best is not None:
        score = record.validations[record.monitor][record.best]
        step = record.validations['step'][record.best]
        parts.append(f'best {record.monitor} {score:.4f} at step {step:.0f}')
    return '   ·   '.join(parts)


def _train_losses(axes: Axes, record: RunRecord, theme: Theme) -> None:
    axes.set_title('training loss')
    if not record.steps.rows:
        _say(axes, 'no step yet', theme)
        return
    _remark(axes, 'faint: every step   bold: moving mean', theme)
    names = ['loss', *record.terms] if len(record.terms) > 1 else ['loss']
    rows = stretches(record.steps['step'])
    half_width = max(1, round(SMOOTHED_SHARE * record.steps.rows))
    labels, means = [], []
    for index, name in enumerate(names[:MOST_LINES]):
        is_total = name == 'loss'
        colour = theme.ink if is_total else theme.line(index - 1)
        for row in rows:
            x, raw = record.steps['step'][row], record.steps[name][row]
            mean = smoothed(raw, half_width)
            _faint(axes, x, raw, colour, 0.32 if is_total else 0.22)
            axes.plot(
                *thinned(x, mean, MOST_POINTS), color=colour, lw=2.0 if is_total else 1.5,
                ls='-' if is_total else DASHES[(index - 1) % len(DASHES)],
                marker='o' if len(x) == 1 else '',
            )  # fmt: skip
            means.append(mean)
        if (end := last_of(mean)) is not None:
            labels.append((end, f'{end:#.3g}  {name}', colour))
    _fit_losses(axes, means)
    end_labels(axes, labels)


def _learning_rate(axes: Axes, record: RunRecord, theme: Theme) -> None:
    axes.set_title('learning rate')
    rate = record.steps['learning_rate']
    if not np.isfinite(rate).any():
        _say(axes, 'no step yet', theme)
        return
    for row in stretches(record.steps['step']):
        x, y = record.steps['step'][row], rate[row]
        marker = 'o' if len(x) == 1 else ''
        axes.plot(*thinned(x, y, MOST_POINTS), color=theme.line(0), lw=1.6, marker=marker)
    axes.set_ylim(0, 1.12 * float(np.nanmax(rate)) or 1.0)


def _ious(axes: Axes, record: RunRecord, theme: Theme) -> None:
    axes.set_title('IoU on validation images')
    shown = [name for name in record.ious if np.isfinite(record.validations[name]).any()]
    if not shown:
        _say(axes, 'no validation yet', theme)
        return
    strong = shown
    if len(shown) > MOST_LINES:
        means = [name for name in shown if name.endswith(f'/{MIOU}')]
        strong = list(dict.fromkeys([record.monitor, *means]))[:MOST_LINES]
        _remark(axes, f'thin: {len(shown) - len(strong)} more label sets', theme)
    for name in shown:
        if name not in strong:
            x, y = record.validations['step'], record.validations[name]
            axes.plot(x, y, color=theme.faint, lw=0.7, alpha=0.5)
    labels = _lines(axes, record, strong, theme, '.3f')
    values = np.concatenate([record.validations[name] for name in shown])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.05, 0.13 * (high - low))
    axes.set_ylim(max(-0.02, low - room), high + room)
    ticks = np.asarray(axes.get_yticks(), np.float64)
    axes.set_yticks(ticks[(ticks >= 0) & (ticks <= min(1.0, high + room))])
    _mark_best(axes, record, theme)
    end_labels(axes, labels)


def _val_losses(axes: Axes, record: RunRecord, theme: Theme) -> None:
    axes.set_title('loss on validation images')
    names = [name for name in record.losses if np.isfinite(record.validations[name]).any()]
    if not names:
        _say(axes, 'no validation yet', theme)
        return
    labels = _lines(axes, record, names[:MOST_LINES], theme, '#.3g')
    x, mean = record.validations['step'], record.validations['train/loss']
    lines = [record.validations[name] for name in names]
    if (end := last_of(mean)) is not None:
        lines.append(mean)
        axes.plot(x, mean, color=theme.faint, lw=1.2, ls=':', marker='.' if len(x) == 1 else '')
        labels.append((end, f'{end:#.3g}  training', theme.faint))
    _fit_losses(axes, lines)
    if record.best is not None:
        axes.axvline(x[record.best], color=theme.faint, lw=0.9, alpha=0.7)
    end_labels(axes, labels)


def _lines(
    axes: Axes, record: RunRecord, names: list[str], theme: Theme, form: str
) -> list[tuple[float, str, str]]:
    """Draw columns of the validations; returns what `end_labels` takes."""
    labels = []
    sets = list(dict.fromkeys(name.partition('/')[0] for name in record.losses + names))
    used: Counter[str] = Counter()
    for index, name in enumerate(names):
        # Colour and mark say which data set, dashes which line of it; of one set, all do.
        of_set = name.partition('/')[0]
        look, dash = (sets.index(of_set), used[of_set]) if len(sets) > 1 else (index, index)
        used[of_set] += 1
        colour = theme.line(look)
        values = record.validations[name]
        known = np.isfinite(values)
        is_monitor = name == record.monitor
        axes.plot(
            record.validations['step'][known], values[known], color=colour,
            lw=2.2 if is_monitor else 1.4, ls=DASHES[dash % len(DASHES)],
            marker=MARKERS[look % len(MARKERS)] if known.sum() <= 60 else '',
            markersize=4.5 if is_monitor else 3.5, zorder=3 if is_monitor else 2,
        )  # fmt: skip
        if (end := last_of(values)) is not None:
            labels.append((end, f'{end:{form}}  {_short(name.removesuffix("/loss"))}', colour))
    return labels


def _mark_best(axes: Axes, record: RunRecord, theme: Theme) -> None:
    if record.best is None:
        return
    step = record.validations['step'][record.best]
    score = record.validations[record.monitor][record.best]
    axes.axvline(step, color=theme.faint, lw=0.9, alpha=0.7, zorder=1)
    axes.plot([step], [score], marker='*', markersize=16, color=theme.line(4),
              markeredgecolor=theme.ink, markeredgewidth=0.8, zorder=5)  # fmt: skip
    on_the_left = step > sum(axes.get_xlim()) / 2
    axes.annotate(
        f'best {score:.4f}', (step, score), xytext=(-9 if on_the_left else 9, 12),
        textcoords='offset points', ha='right' if on_the_left else 'left',
        fontsize=9.5, fontweight='bold', zorder=6,
    )  # fmt: skip


def _mark_epochs(axes: Axes, record: RunRecord, theme: Theme) -> None:
    """A second scale above: epochs, where the files say which step stands where."""
    from matplotlib.ticker import MaxNLocator

    tables = (record.steps, record.validations)
    step = np.concatenate([[0.0], *(table['step'] for table in tables)])
    epoch = np.concatenate([[0.0], *(table['epoch'] for table in tables)])
    known = np.isfinite(step) & np.isfinite(epoch)
    order = np.argsort(step[known], kind='stable')
    step, epoch = step[known][order], np.maximum.accumulate(epoch[known][order])
    if epoch[-1] <= 0:
        return
    locator = MaxNLocator(nbins=8, steps=[1, 2, 5, 10])
    ticks = np.asarray(locator.tick_values(0, float(epoch[-1])))
    ticks = ticks[(ticks >= 0) & (ticks <= epoch[-1])]
    above = axes.secondary_xaxis('top')
    above.set_xticks(np.interp(ticks, epoch, step), [f'{tick:g}' for tick in ticks], fontsize=8)
    above.tick_params(length=2, pad=1, colors=theme.faint)
    above.spines['top'].set_visible(False)
    axes.text(1.02, 1.012, 'epoch', transform=axes.transAxes, fontsize=8, color=theme.faint)


def _faint(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, alpha: float
) -> None:
    """The values as they are; of very many, the span of each group of neighbours."""
    if len(x) <= MOST_POINTS:
        axes.plot(x, y, color=colour, lw=0.7, alpha=alpha, zorder=1)
        return
    size = -(-len(x) // MOST_POINTS)
    low, high = spans(y, size)
    axes.fill_between(x[::size], low, high, color=colour, lw=0, alpha=0.6 * alpha, zorder=1)


def _fit_losses(axes: Axes, lines: list[NDArray[np.float64]]) -> None:
    """Let the first steps leave the picture, and small losses be seen."""
    values = np.concatenate(lines)
    values = values[np.isfinite(values)]
    if not len(values):
        return
    low, high = np.percentile(values, (0, 99))
    if low > 0 and high / low > 30:
        axes.set_yscale('log')
        axes.set_ylim(low / 1.2, high * 1.3)
        return
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set_ylim(min(low - room, 0.0) if low < 0 else max(0.0, low - room), high + 2 * room)


def _remark(axes: Axes, text: str, theme: Theme) -> None:
    axes.set_title(text, loc='right', fontsize=8.5, fontweight='normal', color=theme.faint)


def _say(axes: Axes, text: str, theme: Theme) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha='center', color=theme.faint)
    axes.set_yticks([])


def _short(name: str) -> str:
    """Keep both ends of a name that is too long for the margin."""
    return name if len(name) <= LONGEST_NAME else f'{name[:16]}…{name[17 - LONGEST_NAME :]}'


def _counted(count: int, what: str) -> str:
    return f'{count} {what}' if count == 1 else f'{count} {what}s'


def _last_step(record: RunRecord) -> float:
    ends = (last_of(table['step']) for table in (record.steps, record.validations))
    return 1.03 * max(1.0, *(end or 1.0 for end in ends))
