"""A whole run: data, task, trainer, and what they leave in the run folder."""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from lane_seg.allocator import keep_large_blocks
from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg_train.trainer.hardware import Hardware, Processes, leave_group, processes_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import lightning.pytorch as lightning
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger
    from torch import nn

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData
    from lane_seg_train.trainer.batches import LaneBatches
    from lane_seg_train.trainer.start import Start
    from lane_seg_train.trainer.task import LaneTask

__all__ = ['train']

TRACKERS = ('wandb', 'mlflow')


def train(
    config: TrainConfig,
    data_root: Path,
    output: Path,
    *,
    resume: bool = False,
    hardware: Hardware | None = None,
    start: Start | None = None,
) -> Path:
    """Train, and leave a run folder.

    Under `torchrun` every process calls this with the same arguments.

    Args:
        config: the recipe.
        data_root: folder that holds the data sets.
        output: the run folder: config.yaml, steps.csv, metrics.csv, last.ckpt, checkpoint.pt (best
            validation), tensorboard/, snapshots/, curves.png, report.html.
        resume: continue from last.ckpt: weights, optimizer, schedule, order of the images.
        hardware: devices and threads.
        start: what the run begins with; None: a new network, of `config.net`.

    Returns:
        The path of checkpoint.pt.

    Raises:
        LaneSegError: bad data or configuration, or a result that would be overwritten.
        KeyboardInterrupt: Ctrl-C or SIGTERM; `resume` goes on with the next step.
    """
    import cv2
    import lightning.pytorch as lightning
    import torch
    import yaml

    from lane_seg_train.config_file import plain_config
    from lane_seg_train.datasets import open_data
    from lane_seg_train.trainer.batches import LaneBatches
    from lane_seg_train.trainer.precision import chosen_precision
    from lane_seg_train.trainer.resume import RunStopped

    hardware = hardware or Hardware()
    last = output / 'last.ckpt'
    _check_output(output, last, resume=resume)
    # Data workers are forked from this process, and OpenCV's thread pool does not survive a fork:
    # a worker that touches it waits for ever. So the pool must never start.
    cv2.setNumThreads(1)
    keep_large_blocks()
    if hardware.threads:
        torch.set_num_threads(hardware.threads)
    _quiet_lightning()
    lightning.seed_everything(config.seed, verbose=False)
    precision = chosen_precision(config.precision, hardware.accelerator)
    size = (config.height, config.width)
    train_sets = open_data(config.train, config.classes, size, data_root)
    val_sets = open_data(config.val, config.classes, size, data_root)
    config = _with_monitor(config, val_sets)
    processes = processes_of(hardware)
    batches = LaneBatches(train_sets, val_sets, config, rank=processes.rank, world=processes.world)
    task = _task(config, batches, start, resume=resume)
    loggers = _loggers(config, output)
    # Settings are checked by now; reading the images takes a while, and comes before writing.
    batches.load()
    if processes.rank == 0:
        net = task.net if start is None else start.plain
        _say_what_starts(config, batches, net, task.steps, precision)
        write_text(output / 'config.yaml', yaml.safe_dump(plain_config(config), sort_keys=False))
    trainer = _trainer(
        config, output, batches, start, loggers, precision=precision, hardware=hardware,
        processes=processes, resume=resume,
    )  # fmt: skip
    try:
        trainer.fit(
            task, datamodule=batches, ckpt_path=str(last) if resume else None, weights_only=True
        )
    except RunStopped as stop:
        raise KeyboardInterrupt from stop
    except SystemExit as stop:  # how Lightning ends on the second Ctrl-C
        raise KeyboardInterrupt from stop
    leave_group()
    return output / 'checkpoint.pt'


def _task(
    config: TrainConfig, batches: LaneBatches, start: Start | None, *, resume: bool
) -> LaneTask:
    """Make network, loss, optimizer and schedule; what they cannot be is refused here."""
    from lane_seg_train.nets import build_net
    from lane_seg_train.trainer.task import LaneTask

    # The file with the weights to start from may be gone when a run goes on.
    config = replace(config, net=replace(config.net, weights='')) if resume else config
    net: nn.Module
    if start is None:
        net = build_net(config.net, len(config.classes))
        net.check_size(config.height, config.width)
    else:
        net = start.net
    steps_per_epoch = config.validations_per_epoch * -(
        -batches.order.batches_per_period // config.accumulate
    )
    task = LaneTask(
        config,
        net,
        [(data.name, data.table) for data in batches.val_sets],
        steps=config.epochs * steps_per_epoch,
        warmup_steps=round(config.schedule.warmup_epochs * steps_per_epoch),
    )
    task.configure_optimizers()  # Lightning asks for it only after the run folder is made
    return task


def _trainer(
    config: TrainConfig,
    output: Path,
    batches: LaneBatches,
    start: Start | None,
    loggers: list[Logger],
    *,
    precision: str,
    hardware: Hardware,
    processes: Processes,
    resume: bool,
) -> lightning.Trainer:
    import lightning.pytorch as lightning
    import torch

    from lane_seg_train.trainer.resume import AtomicCheckpointIO

    return lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=processes.devices,
        num_nodes=processes.nodes,
        strategy='ddp' if processes.world > 1 else 'auto',
        sync_batchnorm=processes.world > 1 and torch.cuda.is_available(),
        # One period of ours is an epoch of Lightning's.
        max_epochs=config.epochs * config.validations_per_epoch,
        precision=precision,  # type: ignore[arg-type]
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip or None,
        default_root_dir=output,
        logger=loggers,
        log_every_n_steps=1,
        callbacks=_callbacks(config, output, batches, start),
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=False,
        enable_progress_bar=sys.stdout.isatty(),
        enable_model_summary=False,
        # All of them: the validation of what the run begins with.
        num_sanity_val_steps=0 if start is None or resume else -1,
        # Batches know themselves which process takes which image.
        use_distributed_sampler=False,
    )


def _callbacks(
    config: TrainConfig, output: Path, batches: LaneBatches, start: Start | None
) -> list[Callback]:
    """What happens between the steps; the last one saves what the others know."""
    from lightning.pytorch.callbacks import EarlyStopping

    from lane_seg_train.trainer.best import BestCheckpoint
    from lane_seg_train.trainer.history import History
    from lane_seg_train.trainer.pictures import Pictures
    from lane_seg_train.trainer.progress import progress_display
    from lane_seg_train.trainer.resume import ResumeFile

    callbacks: list[Callback] = [
        *(() if start is None else start.callbacks),
        BestCheckpoint(output / 'checkpoint.pt', start),
        History(output, config.validations_per_epoch),
        Pictures(output, batches.val_sets, config),
        progress_display(config),
    ]
    if config.early_stop:
        patience = config.early_stop
        callbacks.append(
            EarlyStopping(
                config.monitor, mode='max', patience=patience, check_on_train_epoch_end=False
            )
        )
    return [*callbacks, ResumeFile(output / 'last.ckpt', batches, config.save_steps)]


def _say_what_starts(
    config: TrainConfig, batches: LaneBatches, net: nn.Module, steps: int, precision: str
) -> None:
    from rich.console import Console

    from lane_seg_train.nets.summary import summarize

    size = f'{config.height}x{config.width}'
    summary = summarize(net, config.height, config.width)
    images = sum(len(data.examples) for data in batches.val_sets)
    Console(stderr=True).print(
        f'{config.name}: {config.net.name}, {summary.parameters / 1e6:.2f} M parameters, '
        f'{summary.gmac:.2f} GMAC at {size}, {precision}\n'
        f'{batches.order.images_per_epoch} training images in an epoch, {images} to validate on, '
        f'{steps} steps',
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _check_output(output: Path, last: Path, *, resume: bool) -> None:
    if resume and not last.is_file():
        raise LaneSegError(f'--resume: expected {last}, found none; start without --resume')
    if resume or not (last.exists() or (output / 'checkpoint.pt').exists()):
        return
    # A run that begins with a trained network leaves it before the first step is made.
    way = 'add --resume to go on' if last.exists() else 'move its checkpoint.pt away'
    raise LaneSegError(f'{output} already holds a run; {way}, or choose another --output')


def _with_monitor(config: TrainConfig, val_sets: Sequence[LaneData]) -> TrainConfig:
    """Fill in the metric that picks the best validation, or refuse one that does not exist."""
    known = [
        f'{data.name}/{key}' for data in val_sets for key in ('miou', *data.table.set_names())
    ]
    if not config.monitor:
        return replace(config, monitor=known[0])
    if config.monitor not in known:
        raise LaneSegError(
            f'monitor: expected a metric of the validation sets, one of {", ".join(known)}; '
            f'found {config.monitor!r}'
        )
    return config


def _loggers(config: TrainConfig, output: Path) -> list[Logger]:
    """TensorBoard always, and the tracker that was asked for."""
    from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger

    # No sub-folders 'lightning_logs/version_0': a run folder is one run.
    loggers: list[Logger] = [TensorBoardLogger(output, name='', version='tensorboard')]
    if not config.tracker:
        return loggers
    if config.tracker not in TRACKERS:
        raise LaneSegError(
            f'tracker: expected one of {", ".join(TRACKERS)}, found {config.tracker!r}'
        )
    try:
        if config.tracker == 'wandb':
            loggers.append(WandbLogger(name=config.name, save_dir=output, project='lane_seg'))
        else:
            loggers.append(MLFlowLogger(experiment_name='lane_seg', run_name=config.name))
    except ModuleNotFoundError as error:
        raise LaneSegError(
            f'tracker: {config.tracker} needs its Python package, found none; install it: '
            f'python3 -m pip install {config.tracker}'
        ) from error
    return loggers


def _quiet_lightning() -> None:
    """Keep adverts, and warnings that nobody who trains can act on, out of the terminal."""
    for name in ('lightning.pytorch', 'lightning.fabric'):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        '.*LeafSpec.* is deprecated',
        'Checkpoint directory .* exists and is not empty',
        '.*does not have many workers',  # validation examples lie in memory
        '.*sync_dist=True',  # what is logged is summed over processes already
        '.*is not resumable',  # ours is: LaneBatches
        '.*ended before the epoch ended',
    ):
        warnings.filterwarnings('ignore', message)
