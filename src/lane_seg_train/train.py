"""`lane-seg train`: from a recipe and data to a checkpoint."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text

if TYPE_CHECKING:
    import argparse

    from lane_seg_train.config import TrainConfig

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run', 'train']

DESCRIPTION = 'Train a network from a YAML recipe; leaves checkpoint.pt, config.yaml, metrics.csv.'
EPILOG = """examples:
  lane-seg train models/default/recipe.yaml --data ~/datasets --output runs/mine
  lane-seg train models/default/recipe.yaml --data ~/datasets --set epochs=5 --set net.width=16
  lane-seg train models/default/recipe.yaml --data ~/datasets --output runs/mine --resume"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('config', type=Path, help='YAML recipe of the run')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--output', type=Path, help='result folder (default: runs/<name>)')
    parser.add_argument(
        '--set', action='append', default=[], metavar='KEY=VALUE', help='change one key'
    )
    parser.add_argument('--resume', action='store_true', help='go on from the last epoch saved')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from lane_seg_train.config import load_config, with_overrides

    config = with_overrides(load_config(args.config), args.set)
    output = args.output or Path('runs') / config.name
    train(config, args.data, output, resume=args.resume, threads=args.threads)
    return 0


def train(
    config: TrainConfig, data_root: Path, output: Path, *, resume: bool = False, threads: int = 0
) -> Path:
    """Train and write the best epoch's checkpoint.

    Args:
        config: the recipe.
        data_root: folder that holds the data sets.
        output: result folder.
        resume: continue from `output`/last.ckpt: weights, optimizer, schedule and epoch.
        threads: CPU threads, 0 for all.

    Returns:
        The path of `checkpoint.pt`.

    Raises:
        LaneSegError: bad data or configuration, or a result that would be overwritten.
        KeyboardInterrupt: Ctrl-C; `resume` goes on after the last whole epoch.
    """
    import cv2
    import lightning.pytorch as lightning
    import torch
    import yaml
    from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar

    from lane_seg_train.batches import train_loader, val_loader
    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import plain_config
    from lane_seg_train.datasets import open_data
    from lane_seg_train.history import MetricsFile
    from lane_seg_train.task import LaneTask

    last = output / 'last.ckpt'
    if resume and not last.is_file():
        raise LaneSegError(f'--resume: expected {last}, found none; start without --resume')
    if not resume and (last.exists() or (output / 'checkpoint.pt').exists()):
        raise LaneSegError(
            f'{output} already holds a run; add --resume to go on, or choose another --output'
        )
    # Data workers are forked from this process, and OpenCV's thread pool does not survive a fork:
    # a worker that touches it waits for ever. So the pool must never start.
    cv2.setNumThreads(1)
    if threads:
        torch.set_num_threads(threads)
    _quiet_lightning()
    lightning.seed_everything(config.seed, verbose=False)
    size = (config.height, config.width)
    train_sets = open_data(config.train, config.classes, size, data_root)
    val_sets = open_data(config.val, config.classes, size, data_root)
    known = [f'{data.name}/{names}' for data in val_sets for names in data.table.set_names()]
    if config.monitor not in known:
        raise LaneSegError(
            f'monitor: expected a metric of the validation sets, one of {", ".join(known)}; '
            f'found {config.monitor!r}'
        )
    task = LaneTask(config, [(data.name, data.table) for data in val_sets])
    task.net.check_size(*size)
    train_batches = train_loader(train_sets, config)
    val_batches = [val_loader(data, config) for data in val_sets]
    write_text(output / 'config.yaml', yaml.safe_dump(plain_config(config), sort_keys=False))

    best = ModelCheckpoint(
        output, 'best', monitor=config.monitor, mode='max', enable_version_counter=False
    )
    # Its own, after `best`: with save_last, Lightning writes last.ckpt in the best epochs only.
    newest = ModelCheckpoint(output, last.stem, enable_version_counter=False)
    trainer = lightning.Trainer(
        accelerator='auto',
        max_epochs=config.epochs,
        precision=config.precision,  # type: ignore[arg-type]
        default_root_dir=output,
        logger=False,
        callbacks=[best, newest, MetricsFile(output / 'metrics.csv'), RichProgressBar(leave=True)],
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    try:
        trainer.fit(task, train_batches, val_batches, ckpt_path=str(last) if resume else None)
    except SystemExit as error:  # how Lightning ends on Ctrl-C; the command line has its own way
        raise KeyboardInterrupt from error
    state = torch.load(best.best_model_path, map_location='cpu', weights_only=True)
    task.load_state_dict(state['state_dict'])
    metrics = trainer.validate(task, val_batches, verbose=False)
    path = output / 'checkpoint.pt'
    Checkpoint(
        net=task.net,
        net_config=config.net,
        classes=config.classes,
        height=config.height,
        width=config.width,
        name=config.name,
        metrics={key: float(value) for row in metrics for key, value in row.items()},
    ).save(path)
    return path


def _quiet_lightning() -> None:
    """Keep adverts, and warnings that nobody who trains can act on, out of the terminal."""
    for name in ('lightning.pytorch', 'lightning.fabric'):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        '.*LeafSpec.* is deprecated',
        'Checkpoint directory .* exists and is not empty',
        '.*does not have many workers',  # validation examples lie in memory
    ):
        warnings.filterwarnings('ignore', message)
