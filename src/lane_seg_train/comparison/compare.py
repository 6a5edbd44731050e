"""Measure networks that are trained, all in the same way, and say what was measured."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np
import torch

from lane_seg import __version__
from lane_seg.errors import LaneSegError
from lane_seg.machine import machine_info
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.comparison.measuring import device_name, time_nets, validate
from lane_seg_train.comparison.results import Comparison, Row
from lane_seg_train.datasets import open_data
from lane_seg_train.nets.summary import summarize
from lane_seg_train.report.run_record import MIOU, read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lane_seg_train.comparison.measuring import Stopwatch
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData

__all__ = ['Entry', 'compare', 'entry_of_run']


@dataclass(frozen=True)
class Entry:
    """A network that takes part.

    Attributes:
        label: its name in the comparison.
        checkpoint: its checkpoint.pt; None if its training failed.
        train_seconds: that its training took; NaN if it was trained before.
        error: why its training failed; '' if it did not.
    """

    label: str
    checkpoint: Path | None
    train_seconds: float = float('nan')
    error: str = ''


def entry_of_run(path: Path, taken: Sequence[str]) -> Entry:
    """Take a run folder, or a checkpoint, with the name of its folder.

    Raises:
        LaneSegError: there is no checkpoint.
    """
    checkpoint = path / 'checkpoint.pt' if path.is_dir() else path
    if not checkpoint.is_file():
        raise LaneSegError(
            f'--runs: expected a run folder with checkpoint.pt, or such a file, found none at '
            f'{path}; `lane-seg train` makes one'
        )
    folder = checkpoint.resolve().parent.name
    name = folder if checkpoint.name == 'checkpoint.pt' else f'{folder}/{checkpoint.stem}'
    number, label = 1, name
    while label in taken:
        number += 1
        label = f'{name} ({number})'
    return Entry(label, checkpoint)


def compare(
    entries: Sequence[Entry],
    recipe: TrainConfig,
    data_root: Path,
    watch: Stopwatch,
    *,
    settings: dict[str, str],
    say: Callable[[str], None],
) -> Comparison:
    """Validate each network on the recipe's validation sets, then time all of them in turn.

    Args:
        entries: who.
        recipe: says the validation sets, the classes and the loss.
        data_root: folder that holds the data sets.
        watch: how time is taken.
        settings: what else has to be known, in words.
        say: is called with a line before each.
    """
    rows: list[Row] = []
    nets: dict[str, torch.nn.Module] = {}
    data: dict[tuple[int, int], list[LaneData]] = {}
    for entry in entries:
        if entry.checkpoint is None:
            rows.append(Row(entry.label, '', '', error=entry.error))
            continue
        say(f'validating {entry.label}')
        try:
            checkpoint = _load(entry.checkpoint, recipe)
            size = (checkpoint.height, checkpoint.width)
            if size not in data:
                data[size] = open_data(recipe.val, recipe.classes, size, data_root)
            row = _measured(entry, checkpoint, recipe, data[size], watch.device)
        except Exception as error:  # of one network; the others are measured all the same
            text = str(error) if isinstance(error, LaneSegError) else repr(error)
            rows.append(Row(entry.label, '', str(entry.checkpoint), error=text.splitlines()[0]))
            continue
        nets[entry.label] = checkpoint.net
        rows.append(row)
    say(f'timing {len(nets)} networks in turn on {watch.device}')
    sizes = {row.label: (row.height, row.width) for row in rows}
    timings = time_nets(nets, sizes, watch) if nets else {}
    timed = [
        dataclasses.replace(
            row,
            frame_ms=timings[row.label].median_ms,
            frame_p99_ms=timings[row.label].p99_ms,
            frames=timings[row.label].count,
        )
        if row.label in timings
        else row
        for row in rows
    ]
    return Comparison(
        name=recipe.name,
        rows=timed,
        device=device_name(watch.device),
        settings={**settings, **_conditions(recipe, watch)},
        time=datetime.now(timezone.utc).isoformat(timespec='seconds'),
    )


def _load(path: Path, recipe: TrainConfig) -> Checkpoint:
    checkpoint = Checkpoint.load(path)
    if checkpoint.classes != recipe.classes:
        raise LaneSegError(
            f'{path}: expected the classes of the recipe, {", ".join(recipe.classes)}, '
            f'found {", ".join(checkpoint.classes)}'
        )
    return checkpoint


def _measured(
    entry: Entry, checkpoint: Checkpoint, recipe: TrainConfig, sets: list[LaneData], device: str
) -> Row:
    """Everything but the time."""
    assert entry.checkpoint is not None
    size = (checkpoint.height, checkpoint.width)
    curve, best_step = _training(entry.checkpoint.parent)
    summary = summarize(checkpoint.net, *size)
    accuracy = validate(
        checkpoint.net, sets, recipe.loss, batch_size=recipe.batch_size, device=device
    )
    return Row(
        label=entry.label,
        net=checkpoint.net_config.name,
        source=str(entry.checkpoint),
        parameters=summary.parameters,
        gmac=summary.gmac,
        float32_mb=summary.float32_mb,
        height=size[0],
        width=size[1],
        loss=accuracy.loss,
        miou=accuracy.miou,
        by_set=accuracy.by_set,
        train_seconds=entry.train_seconds,
        curve=curve,
        best_step=best_step,
    )


def _training(folder: Path) -> tuple[list[tuple[float, float]], float]:
    """How a run went: (steps, mean IoU over its validation sets) each time, and its best step."""
    try:
        record = read_run(folder)
    except LaneSegError:  # a checkpoint without its run
        return [], math.nan
    steps = record.validations['step']
    best = math.nan if record.best is None else float(steps[record.best])
    means = [record.validations[name] for name in record.ious if name.endswith(f'/{MIOU}')]
    if not means:
        return [], best
    score = np.mean(means, axis=0)
    known = np.isfinite(score)
    return list(zip(steps[known].tolist(), score[known].tolist(), strict=True)), best


def _conditions(recipe: TrainConfig, watch: Stopwatch) -> dict[str, str]:
    machine = machine_info()
    versions = [
        f'{name} {importlib.metadata.version(name)}' for name in ('torch', 'lightning', 'numpy')
    ]
    names = ', '.join(data.name for data in recipe.val)
    monitor = recipe.monitor or 'mean IoU of the first validation set'
    return {
        'weights': f'those of the best validation of each run, by {monitor}',
        'validated on': f'{names} (whole sets, at the input size of each network)',
        'loss': f'{recipe.loss.name} for all, mean of the validation sets',
        'mIoU': 'mean of the validation sets, of each the mean over its label sets',
        'ms/frame': (
            'uint8 image on the device to class ids, normalization included, float32, batch 1, '
            f'eval mode; median and 99th percentile of up to {watch.repeats} rounds after '
            f'{watch.warmup} to warm up, one frame of each network in each round, '
            'in another order every round, synchronized where there is a GPU'
        ),
        'GMAC': '1e9 multiply-accumulates of one frame',
        'float32': '1e6 bytes of the deployable weights, without optimizer state',
        'timed on': device_name(watch.device),
        'CPU threads': str(torch.get_num_threads()),
        'machine': (
            f'{machine.cpu}, {machine.cores_usable} of {machine.cores} cores, '
            f'load {machine.load_1m:.1f} when the timing had ended'
        ),
        'system': f'{machine.system}, Python {platform.python_version()}',
        'versions': ', '.join([f'lane_seg {__version__}', *versions]),
    }
