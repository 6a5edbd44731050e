"""Quantization-aware training: a quantized network learns to do with what int8 leaves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from lane_seg.errors import LaneSegError
from lane_seg_train.config import ScheduleConfig
from lane_seg_train.quantization.calibrators import CALIBRATORS

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
    from lane_seg_train.fake_quantization.record import QuantizationRecord
    from lane_seg_train.quantization.calibrators import Calibrator
    from lane_seg_train.trainer.hardware import Hardware

__all__ = ['QatSettings', 'qat']

# Fine-tuning of a quantized network, as Wu et al., 2020 (arXiv:2004.09602) recommend: from 1 % of
# the rate of training down to 1 % of that along half a cosine.
RATE_SHARE = 0.01
FINAL_SHARE = 0.01
# Share of the steps in which the rate climbs: the optimizer knows no size of gradients yet.
WARMUP_SHARE = 0.05
# bf16 has 8 binary digits, one more than a code and its sign: it would round the grid again.
PRECISION = '32-true'


@dataclass(frozen=True)
class QatSettings:
    """What quantization-aware training does otherwise than training.

    Attributes:
        epochs: of training. Few: more of them may make a network worse.
        learning_rate: the largest one; None: 1 % of the recipe's.
        freeze: share of the steps, 0 to 1, after which scales, and the statistics of batch
            normalization, stay as they are; 1: never.
        calibrator: how ranges of activations are found anew; None: as for the network that it
            begins with.
        percentile: of calibrator 'percentile'; None: likewise.
        images: number of calibration images.
    """

    epochs: int = 3
    learning_rate: float | None = None
    freeze: float = 0.5
    calibrator: Calibrator | None = None
    percentile: float | None = None
    images: int = 128

    def __post_init__(self) -> None:
        for key in ('epochs', 'images'):
            if getattr(self, key) < 1:
                raise LaneSegError(f'{key}: expected at least 1, found {getattr(self, key)}')
        if self.learning_rate is not None and not 0 < self.learning_rate < float('inf'):
            raise LaneSegError(
                f'learning_rate: expected a number above 0, found {self.learning_rate}'
            )
        if not 0 <= self.freeze <= 1:
            raise LaneSegError(f'freeze: expected a share from 0 to 1, found {self.freeze}')
        if self.calibrator not in (None, *CALIBRATORS):
            raise LaneSegError(
                f'expected a calibrator out of {", ".join(CALIBRATORS)}, found {self.calibrator!r}'
            )
        if self.percentile is not None and not 50 < self.percentile <= 100:
            raise LaneSegError(
                f'percentile: expected above 50 and up to 100, found {self.percentile}'
            )


def qat(
    ptq: Path,
    config: TrainConfig,
    data_root: Path,
    output: Path,
    settings: QatSettings,
    *,
    resume: bool = False,
    hardware: Hardware | None = None,
) -> Path:
    """Train a quantized network on, in the arithmetic of its int8 file.

    Loss, data, augmentation, optimizer and batch size are the recipe's; rate, schedule, epochs and
    precision are not. The network is validated before the first step, and checkpoint.pt stays
    what it was unless an epoch is better by `config.monitor`: then it is that of the best epoch,
    which `quantization.qat_epochs` names.

    Under `torchrun` every process calls this with the same arguments.

    Args:
        ptq: checkpoint of post-training quantization.
        config: the recipe that the network was trained with.
        data_root: folder that holds the data sets.
        output: the run folder, as `train` leaves it.
        settings: see there. A run that is resumed needs those that it began with.
        resume: continue from last.ckpt.
        hardware: devices and threads.

    Returns:
        The path of checkpoint.pt.

    Raises:
        LaneSegError: `ptq` is not quantized or not of this recipe; else as `train`.
        KeyboardInterrupt: Ctrl-C or SIGTERM; `resume` goes on with the next step.
    """
    import cv2

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.quantization.calibration import calibration_images, calibration_sha256
    from lane_seg_train.quantization.scale_schedule import ScaleSchedule
    from lane_seg_train.trainer.fit import train
    from lane_seg_train.trainer.hardware import Hardware, processes_of
    from lane_seg_train.trainer.start import Start

    own = output / 'checkpoint.pt'
    # The file that a run began with may be gone when it goes on.
    source = own if resume and own.is_file() else ptq
    begun = Checkpoint.load(source)
    net, record = _checked(begun, source, config, resume=resume)
    # Before the first image is resized; `train` says why.
    cv2.setNumThreads(1)
    images = calibration_images(config, data_root, settings.images)
    found = replace(
        record,
        calibrator=settings.calibrator or record.calibrator,
        percentile=settings.percentile or record.percentile,
        images=len(images),
        sha256=calibration_sha256(images),
    )

    def complete(checkpoint: Checkpoint, epoch: int) -> Checkpoint:
        kept = replace(found, qat_epochs=epoch) if epoch else record
        return replace(checkpoint, quantization=kept)

    schedule = ScaleSchedule(
        images,
        cast('Calibrator', found.calibrator),
        percentile=found.percentile,
        freeze=settings.freeze,
    )
    hardware = hardware or Hardware()
    if config.precision != PRECISION and processes_of(hardware).rank == 0:
        _say_precision(config.precision)
    return train(
        _fine_tuning(config, begun, settings),
        data_root,
        output,
        resume=resume,
        hardware=hardware,
        # A checkpoint is read to be used, not to learn.
        start=Start(net.train(), net.net, complete, (schedule,)),
    )


def _checked(
    begun: Checkpoint, source: Path, config: TrainConfig, *, resume: bool
) -> tuple[QuantizedNet, QuantizationRecord]:
    """A network and how it was quantized; refuse what this training cannot begin with."""
    from lane_seg_train.fake_quantization.quantized_net import QuantizedNet

    record = begun.quantization
    if record is None:
        raise LaneSegError(
            f'{source}: expected a quantized checkpoint, found one in float; quantize it with '
            '`lane-seg quantize`'
        )
    if record.qat_epochs and not resume:
        raise LaneSegError(
            f'{source}: expected a checkpoint of post-training quantization, found one of '
            f'{record.qat_epochs} epochs of quantization-aware training; begin with that before it'
        )
    wanted = (config.height, config.width, *config.classes)
    found = (begun.height, begun.width, *begun.classes)
    if wanted != found:
        raise LaneSegError(
            f'{source}: expected height, width and classes of the recipe, '
            f'{", ".join(map(str, wanted))}, found {", ".join(map(str, found))}; take the recipe '
            'of the run that made it'
        )
    assert isinstance(begun.net, QuantizedNet)
    return begun.net, record


def _fine_tuning(config: TrainConfig, begun: Checkpoint, settings: QatSettings) -> TrainConfig:
    """The recipe with another rate, schedule, length and precision."""
    rate = settings.learning_rate or RATE_SHARE * config.optimizer.learning_rate
    return replace(
        config,
        net=begun.net_config,
        epochs=settings.epochs,
        optimizer=replace(config.optimizer, learning_rate=rate),
        schedule=ScheduleConfig(
            name='cosine', warmup_epochs=WARMUP_SHARE * settings.epochs, final=FINAL_SHARE
        ),
        precision=PRECISION,
    )


def _say_precision(wanted: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(
        f'precision: {PRECISION} instead of {wanted}, which would round the int8 values again',
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
