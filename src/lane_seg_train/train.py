"""`lane-seg train`: from a recipe and data to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import argparse

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Train a network from a YAML recipe.\n\n'
    'The run folder gets checkpoint.pt (best validation), config.yaml, metrics.csv, steps.csv,\n'
    'tensorboard/, snapshots/, curves.png and report.html. Ctrl-C stops after the current step;\n'
    '--resume goes on from there, also after kill -9 or a power cut.'
)
EPILOG = """examples:
  lane-seg train models/default/recipe.yaml --data ~/datasets --output runs/mine
  lane-seg train models/default/recipe.yaml --data ~/datasets --set epochs=5 --set net.width=16
  lane-seg train --resume --data ~/datasets --output runs/mine
  torchrun --nproc_per_node 4 -m lane_seg_cli.main train recipe.yaml --data ~/datasets

Several GPUs of one machine: --devices 4. Several machines: torchrun on each of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'config', type=Path, nargs='?', help='YAML recipe (with --resume: that of the run)'
    )
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--output', type=Path, help='run folder (default: runs/<name>)')
    parser.add_argument(
        '--set', action='append', default=[], metavar='KEY=VALUE', help='change one key'
    )
    parser.add_argument('--resume', action='store_true', help='go on with the step that is next')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')
    parser.add_argument(
        '--devices', type=int, default=1, help='GPUs, or CPU processes where there is none'
    )
    parser.add_argument('--accelerator', choices=('auto', 'cpu', 'gpu'), default='auto')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from lane_seg_train.config_file import load_config, with_overrides

    recipe = args.config
    if recipe is None:
        if not (args.resume and args.output):
            raise LaneSegError(
                'expected a recipe, found none; name one, or go on with a run: '
                '--resume --output RUN'
            )
        recipe = args.output / 'config.yaml'
    config = with_overrides(load_config(recipe), args.set)
    output = args.output or Path('runs') / config.name

    from lane_seg_train.trainer.fit import train
    from lane_seg_train.trainer.hardware import Hardware

    hardware = Hardware(args.devices, args.threads, args.accelerator)
    train(config, args.data, output, resume=args.resume, hardware=hardware)
    return 0
