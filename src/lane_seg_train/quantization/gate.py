"""The accuracy gate: int8 must not lose more than so many points against float."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from lane_seg.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.evaluation.scores import DataScore
    from lane_seg_train.quantization.ptq import Tried
    from lane_seg_train.quantization.sensitivity import Labelled

__all__ = ['Gate', 'monitor_of']

# Images that say which layers do not bear int8; every layer runs on all of them.
LABELLED = 64


def monitor_of(config: TrainConfig, data_root: Path) -> str:
    """The metric that the recipe names, or the first there is: '<val set>/<classes>'."""
    from lane_seg_train.datasets import open_data

    if config.monitor:
        return config.monitor
    size = (config.height, config.width)
    return f'{open_data(config.val[:1], config.classes, size, data_root)[0].name}/miou'


class Gate:
    """Compares a float checkpoint with a quantized one on the validation sets.

    Args:
        config: the recipe: names the validation sets.
        data_root: folder that holds the data sets.
        monitor: the metric that counts: '<val set>/<classes>', or '<val set>/miou'.
        max_drop: points (0..100) that it may lose.
    """

    def __init__(
        self, config: TrainConfig, data_root: Path, monitor: str, max_drop: float
    ) -> None:
        from lane_seg_train.datasets import open_data

        self.monitor = monitor
        self.max_drop = max_drop
        size = (config.height, config.width)
        self.sets = open_data(config.val, config.classes, size, data_root)

    def measure(self, checkpoint: Checkpoint) -> list[DataScore]:
        """Score a checkpoint at the images' own size, as `lane-seg evaluate` does."""
        from lane_seg_train.checkpoint_engine import checkpoint_pipeline
        from lane_seg_train.evaluation.measure import measure

        pipeline = checkpoint_pipeline(checkpoint)
        return [measure(pipeline, data) for data in self.sets]

    def score(self, scores: Sequence[DataScore]) -> float:
        """The metric that counts, 0..1."""
        return _figures(scores)[self.monitor]

    def drop(self, before: Sequence[DataScore], after: Sequence[DataScore]) -> float:
        """Points (0..100) that were lost; negative if int8 is better."""
        return 100 * (self.score(before) - self.score(after))

    def table(self, before: Sequence[DataScore], after: Sequence[DataScore]) -> Table:
        """Every IoU in float and in int8."""
        from rich.table import Table

        table = Table(title=f'IoU on the validation sets; {self.monitor} counts')
        for name in ('data / classes', 'float', 'int8', 'points'):
            table.add_column(name, justify='left' if name.startswith('data') else 'right')
        other = _figures(after)
        for name, value in _figures(before).items():
            style = 'bold' if name == self.monitor else None
            change = 100 * (other[name] - value)
            row = (name, f'{value:.4f}', f'{other[name]:.4f}', f'{change:+.2f}')
            table.add_row(*row, style=style)
        return table

    def explain(
        self, quantized: Checkpoint, output: Path, console: Console, *, propose: bool
    ) -> None:
        """Measure each layer: a table, sensitivity.csv, sensitivity.png, and what to exclude."""
        from rich.progress import Progress

        from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
        from lane_seg_train.quantization.sensitivity import exclusions, sensitivity
        from lane_seg_train.quantization.sensitivity_report import (
            layer_csv,
            layer_table,
            plot_layers,
        )

        net = quantized.net
        assert isinstance(net, QuantizedNet)
        labelled = self.labelled()
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task('measuring layers', total=len(net.placement.weights))
            layers = sensitivity(net, labelled, lambda: progress.advance(task))
            tried = []
            if propose:
                order = [layer.name for layer in layers]
                tried = exclusions(net, labelled, order, self.max_drop)
        console.print(layer_table(layers, self.monitor, len(labelled.examples)))
        write_text(output / 'sensitivity.csv', layer_csv(layers))
        plot_layers(layers, self.monitor, output / 'sensitivity.png')
        console.print(f'all layers: {output / "sensitivity.csv"}, {output / "sensitivity.png"}')
        for one in tried:
            console.print(
                f'{one.iou_drop:+.2f} points lost with --exclude {" ".join(one.names)}',
                soft_wrap=True, highlight=False,
            )  # fmt: skip

    def write_json(
        self,
        path: Path,
        quantized: Checkpoint,
        tried: Sequence[Tried],
        before: Sequence[DataScore],
        after: Sequence[DataScore],
    ) -> None:
        """Write what was done and what came of it."""
        assert quantized.quantization is not None
        report = {
            'quantization': dataclasses.asdict(quantized.quantization),
            'monitor': self.monitor,
            'drop_points': round(self.drop(before, after), 4),
            'max_drop_points': self.max_drop,
            'calibrators': [dataclasses.asdict(one) for one in tried],
            'float': _figures(before),
            'int8': _figures(after),
        }
        write_text(path, json.dumps(report, indent=2) + '\n')

    def labelled(self) -> Labelled:
        """Images of the validation set whose metric counts, at most LABELLED, evenly spaced."""
        from lane_seg_train.datasets import resized
        from lane_seg_train.datasets.selection import evenly_spaced
        from lane_seg_train.quantization.sensitivity import Labelled

        name, classes = self.monitor.split('/', 1)
        data = next(data for data in self.sets if data.name == name)
        pairs = evenly_spaced(data.pairs, LABELLED)
        return Labelled(data, classes, [resized(*data.read(pair), data.size) for pair in pairs])


def _figures(scores: Sequence[DataScore]) -> dict[str, float]:
    """'<set>/<classes>' and '<set>/miou' -> IoU."""
    figures: dict[str, float] = {}
    for data in scores:
        figures |= {f'{data.data}/{score.classes}': score.iou for score in data.scores}
        figures[f'{data.data}/miou'] = data.miou
    return figures
