"""Colours and type of our charts: readable without colour vision, on white and on black."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

__all__ = [
    'DARK',
    'DASHES',
    'LIGHT',
    'MARKERS',
    'Theme',
    'drawing',
    'end_labels',
    'quiet_about_letters',
]

# Besides colour, lines differ in dashes and points in shape.
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    '-', (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)),
)  # fmt: skip
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', 'h')


@dataclass(frozen=True)
class Theme:
    """Colours of a chart, as '#rrggbb'.

    Attributes:
        paper: behind everything.
        ink: of titles and of the line that matters most.
        faint: of axes and remarks.
        grid: of the lines of the grid.
        lines: of the series, after M. Okabe and K. Ito, "Color Universal Design" (2008): told
            apart with any kind of colour vision.
    """

    paper: str
    ink: str
    faint: str
    grid: str
    lines: tuple[str, ...]

    def line(self, index: int) -> str:
        """Colour of the series number `index`."""
        return self.lines[index % len(self.lines)]


LIGHT = Theme(
    paper='#ffffff',
    ink='#1d232b',
    faint='#69727d',
    grid='#e4e7eb',
    lines=('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'),
)
DARK = Theme(
    paper='#171b21',
    ink='#e9edf2',
    faint='#98a2ae',
    grid='#2c333c',
    lines=('#56b4e9', '#f0783a', '#2fc498', '#dd9dc0', '#f0b429', '#8f9bff'),
)


@contextmanager
def quiet_about_letters() -> Iterator[None]:
    """Letters that the typeface lacks become boxes: nothing to warn of at every validation."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph .* missing from')
        yield


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Draw in this theme: figures that are made and written inside have its colours and type."""
    import matplotlib as mpl
    from cycler import cycler

    settings = {
        'axes.axisbelow': True,
        'axes.edgecolor': theme.faint,
        'axes.facecolor': theme.paper,
        'axes.grid': True,
        'axes.labelcolor': theme.faint,
        'axes.prop_cycle': cycler(color=theme.lines),
        'axes.spines.right': False,
        'axes.spines.top': False,
        'axes.titlecolor': theme.ink,
        'axes.titlelocation': 'left',
        'axes.titlepad': 10.0,
        'axes.titlesize': 11.0,
        'axes.titleweight': 'bold',
        'figure.facecolor': theme.paper,
        'font.family': 'DejaVu Sans',
        'font.size': 9.0,
        'grid.color': theme.grid,
        'legend.frameon': False,
        'savefig.facecolor': theme.paper,
        'svg.hashsalt': 'lane_seg',
        'text.color': theme.ink,
        # Names come from configurations: a dollar in one of them is no formula.
        'text.parse_math': False,
        'xtick.color': theme.faint,
        'ytick.color': theme.faint,
    }
    with quiet_about_letters(), mpl.rc_context(settings):  # type: ignore[arg-type]  # it lists its keys as literals
        yield


def end_labels(
    axes: Axes, labels: Sequence[tuple[float, str, str]], *, fontsize: float = 8.5
) -> None:
    """Name lines at their right ends, moved apart where they would overlap.

    Args:
        axes: with its limits final.
        labels: (y of the end of the line in data units, text, colour).
        fontsize: in points.
    """
    if not labels:
        return
    height_px = axes.get_window_extent().height
    figure = axes.get_figure()
    assert figure is not None
    gap = 1.3 * fontsize * figure.dpi / 72 / max(height_px, 1.0)
    to_share = axes.transData + axes.transAxes.inverted()
    rows = sorted(
        (float(to_share.transform((1.0, y))[1]), text, colour) for y, text, colour in labels
    )
    places = _spread([share for share, _, _ in rows], gap)
    for (share, text, colour), place in zip(rows, places, strict=True):
        axes.annotate(
            text,
            xy=(1.0, share),
            xytext=(1.03, place),
            xycoords='axes fraction',
            textcoords='axes fraction',
            va='center',
            fontsize=fontsize,
            color=colour,
            annotation_clip=False,
            arrowprops={'arrowstyle': '-', 'color': colour, 'lw': 0.6, 'shrinkA': 0, 'shrinkB': 0},
        )


def _spread(places: Sequence[float], gap: float) -> list[float]:
    """Move rising places apart to `gap` at least, groups about their mean, all within 0..1."""
    groups: list[list[float]] = []  # [centre, number]
    for place in places:
        groups.append([place, 1.0])
        while len(groups) > 1:
            (low, few), (high, many) = groups[-2:]
            if high - low >= gap * (few + many) / 2:
                break
            total = few + many
            groups[-2:] = [[(low * few + high * many) / total, total]]
    spread: list[float] = []
    for centre, number in groups:
        bottom = centre - gap * (number - 1) / 2
        spread += [bottom + gap * index for index in range(int(number))]
    over = max(0.0, spread[-1] - 1.0) if spread else 0.0
    return [place - over for place in spread]
