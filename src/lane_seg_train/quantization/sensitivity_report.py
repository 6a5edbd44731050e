"""How sensitive each layer is, as a table, a file and a picture."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from lane_seg.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.table import Table

    from lane_seg_train.quantization.sensitivity import LayerSensitivity

__all__ = ['layer_csv', 'layer_table', 'plot_layers']

TABLE_ROWS = 12


def layer_table(layers: Sequence[LayerSensitivity], monitor: str, images: int) -> Table:
    """The most sensitive layers, measured on so many images."""
    from rich.table import Table

    table = Table(
        title=f'Each layer alone in int8: the {TABLE_ROWS} most sensitive ({images} images)'
    )
    table.add_column('layer')
    for name in (f'points of {monitor} lost', 'pixels changed', 'SQNR of logits'):
        table.add_column(name, justify='right')
    for layer in layers[:TABLE_ROWS]:
        table.add_row(
            layer.name,
            f'{layer.iou_drop:+.2f}',
            f'{1 - layer.agreement:.3%}',
            f'{layer.sqnr_db:.1f} dB',
        )
    return table


def layer_csv(layers: Sequence[LayerSensitivity]) -> str:
    """All layers as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['layer', 'iou_drop_points', 'agreement', 'sqnr_db'])
    for layer in layers:
        figures = f'{layer.iou_drop:.4f}', f'{layer.agreement:.6f}', f'{layer.sqnr_db:.3f}'
        writer.writerow([layer.name, *figures])
    return text.getvalue()


def plot_layers(layers: Sequence[LayerSensitivity], monitor: str, path: Path) -> None:
    """Draw two bars for each layer: IoU lost, and pixels changed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.5 + 0.25 * len(layers)), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    names = [layer.name for layer in layers]
    left.barh(names, [layer.iou_drop for layer in layers], color='#c0392b')
    left.invert_yaxis()
    left.axvline(0, color='black', linewidth=0.8)
    left.set_xlabel(f'points of {monitor} lost')
    right.barh(names, [100 * (1 - layer.agreement) for layer in layers], color='#2d6cdf')
    right.set_xlabel('% of pixels changed')
    figure.suptitle('Each layer alone in int8, everything else in float')
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png', dpi=110)
