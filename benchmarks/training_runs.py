"""The trainings that docs/experiments.md tells of: run them, or go on with them, and tabulate.

Run it as: python benchmarks/training_runs.py --data DATASETS [--output runs] [--json]

A run that is finished already is only read, one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from harness import RESULTS
from rich.console import Console
from rich.table import Table

from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg_train.config import TrainConfig
from lane_seg_train.config_file import load_config, with_overrides
from lane_seg_train.run_csv import read_rows

RECIPES = Path(__file__).resolve().parent / 'recipes'
# name -> recipe, what is changed in it
RUNS: dict[str, tuple[str, list[str]]] = {
    'carla_camvid': ('carla_camvid.yaml', []),
    'bce': ('lane_loss.yaml', ['loss.name=bce']),
    'bce_dice': ('lane_loss.yaml', ['loss.name=bce+dice']),
    'isbi_em': ('isbi_em.yaml', []),
    'crackforest': ('crackforest.yaml', []),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What came out of a run.

    Attributes:
        name: of the run.
        monitor: the metric that picks the best validation.
        best: its best value, 0..1.
        best_epoch: when that was.
        epochs: of the run.
        steps: optimizer steps of the run.
        minutes: of training, without validation.
        images_per_s: median over the validations.
        metrics: all of the best validation.
    """

    name: str
    monitor: str
    best: float
    best_epoch: float
    epochs: float
    steps: int
    minutes: float
    images_per_s: float
    metrics: dict[str, float]


def finish(name: str, config: TrainConfig, args: argparse.Namespace) -> None:
    """Start a run, go on with it, or leave it alone, as it needs."""
    recipe, settings = RUNS[name]
    folder = args.output / name
    rows = read_rows(folder / 'metrics.csv')
    if rows and float(rows[-1]['epoch']) >= config.epochs:
        return
    command = [sys.executable, '-m', 'lane_seg_cli.main', 'train', RECIPES / recipe]
    command += ['--data', args.data, '--output', folder]
    command += [word for setting in settings for word in ('--set', setting)]
    if (folder / 'last.ckpt').is_file():
        command.append('--resume')
    subprocess.run(list(map(str, command)), check=True)


def result_of(name: str, folder: Path) -> Run:
    """Read what a finished run left."""
    config = load_config(folder / 'config.yaml')
    rows = read_rows(folder / 'metrics.csv')
    best = max(rows, key=lambda row: float(row[config.monitor]))
    rates = sorted(float(row['images_per_s']) for row in rows)
    skipped = ('epoch', 'step', 'seconds', 'images_per_s', 'learning_rate')
    return Run(
        name=name,
        monitor=config.monitor,
        best=float(best[config.monitor]),
        best_epoch=float(best['epoch']),
        epochs=float(rows[-1]['epoch']),
        steps=int(rows[-1]['step']),
        minutes=sum(float(row['seconds']) for row in rows) / 60,
        images_per_s=rates[len(rates) // 2],
        metrics={key: float(value) for key, value in best.items() if key not in skipped},
    )


def main() -> int:
    """Train what is missing, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--output', type=Path, default=Path('runs'), help='(default: runs)')
    parser.add_argument('--only', nargs='+', choices=RUNS, default=list(RUNS), metavar='RUN')
    parser.add_argument('--json', action='store_true', help='write into benchmarks/results/')
    args = parser.parse_args()
    for name in args.only:
        recipe, settings = RUNS[name]
        finish(name, with_overrides(load_config(RECIPES / recipe), settings), args)
    runs = [result_of(name, args.output / name) for name in args.only]
    table = Table(title='training runs')
    for column in ('run', 'metric', 'best', 'at epoch', 'epochs', 'minutes', 'images/s'):
        table.add_column(column, justify='left' if column in ('run', 'metric') else 'right')
    for run in runs:
        table.add_row(
            run.name, run.monitor, f'{run.best:.4f}', f'{run.best_epoch:g}', f'{run.epochs:g}',
            f'{run.minutes:.1f}', f'{run.images_per_s:.1f}',
        )  # fmt: skip
    machine = machine_info()
    Console(width=120).print(table)
    print(machine)
    if args.json:
        content = {
            'benchmark': 'training_runs',
            'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'machine': dataclasses.asdict(machine),
            'runs': [dataclasses.asdict(run) for run in runs],
        }
        write_text(RESULTS / 'training_runs.json', json.dumps(content, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
