"""What a training run is made of: every key of its YAML file, with its default.

Reading and writing that file is `lane_seg_train.config_file`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lane_seg.errors import LaneSegError

__all__ = [
    'AugmentConfig',
    'DataConfig',
    'LossConfig',
    'NetConfig',
    'OptimizerConfig',
    'ScheduleConfig',
    'TrainConfig',
]

Labels = dict[str | int, str | list[str]]


@dataclass(frozen=True)
class NetConfig:
    """The network, built by `lane_seg_train.nets.build_net`."""

    name: str = 'unet'  # one of lane_seg_train.nets.NETS
    width: int = 24  # channels of the first level (unet)
    depth: int = 4  # number of halvings after the stem (unet)
    multipliers: tuple[int, ...] = ()  # channels of each level / width; () is 1, 2, 4, 8, 8 ...
    in_channels: int = 3  # 3: colour; 1: the network sees the grey mean of the image
    stem_stride: int = 2  # 1, 2 or 4: how much the first convolution shrinks (unet)
    skip: str = 'add'  # or 'concat' (unet, mobilenetv2_unet)
    convs: int = 1  # 3x3 convolutions of a level after the step down, and of one on the way up
    down: str = 'conv'  # step down: 'conv' of stride 2, or 'pool' as in the U-Net of 2015 (unet)
    batch_norm: bool = True  # (unet, fcn8s)
    dropout: float = 0.0  # probability; the deepest level of a U-Net, else see the network
    variant: str = ''  # size of a family: 'b0' to 'b5' of segformer, '0.5' or so of others
    weights: str = ''  # checkpoint, state dict, or model name of transformers, to start from

    def __post_init__(self) -> None:
        for key in ('width', 'depth', 'convs'):
            if getattr(self, key) < 1:
                raise LaneSegError(f'net.{key}: expected at least 1, found {getattr(self, key)}')
        choices: dict[str, tuple[object, ...]] = {
            'in_channels': (1, 3),
            'stem_stride': (1, 2, 4),
            'skip': ('add', 'concat'),
            'down': ('conv', 'pool'),
        }
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise LaneSegError(
                    f'net.{key}: expected one of {", ".join(map(str, known))}, '
                    f'found {getattr(self, key)}'
                )
        _expect_within('net.dropout', self.dropout, 0.95, 'a probability')
        if self.multipliers and len(self.multipliers) != self.depth + 1:
            raise LaneSegError(
                f'net.multipliers: expected depth + 1 = {self.depth + 1} of them, '
                f'found {list(self.multipliers)}'
            )
        if min(self.multipliers, default=1) < 1:
            raise LaneSegError(
                f'net.multipliers: expected numbers of 1 or more, found {list(self.multipliers)}'
            )


@dataclass(frozen=True)
class DataConfig:
    """One data set: files below --data, or frames of the built-in road scene."""

    name: str
    labels: Labels  # label value, its name or 'other' -> classes that the pixel may be, or 'any'
    format: str = 'folders'  # how files are laid out: one of lane_seg_train.datasets.FORMATS
    images: str = ''  # folder of images (or of the whole data set), or 'scene'
    masks: str = ''  # folder of label PNGs, file of annotations, or kind of label (see the format)
    split: str = ''  # 'train', 'val' or 'test' of a format that knows splits
    channel: str = ''  # 'red', 'green' or 'blue' if the label value is one channel of a colour PNG
    palette: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # name -> R, G, B
    thickness: int = 5  # of polylines, in pixels of the image
    strict: bool = False  # a label without an image is an error
    include: str = ''  # .txt, .csv or .json file with the names to take
    first: str = ''  # only images with this name or after it (contiguous blocks, never random)
    before: str = ''  # only images with a name before this one
    part: tuple[float, float] = (0.0, 1.0)  # only this share of each block, by order of names
    blocks: int = 1  # number of contiguous blocks that `part` is taken of
    exclude: str = ''  # .txt, .csv or .json file with the names to leave out
    foreground: tuple[str, ...] = ()  # classes that `foreground_share` counts
    foreground_share: tuple[float, float] = (0.0, 1.0)  # take images whose share lies in it
    limit: int = 0  # at most so many images, evenly spaced; 0 takes all
    repeat: float = 1.0  # how often an epoch shows each image, on average
    licence: str = 'not stated'  # of the images; goes into the model card
    scene_seeds: tuple[int, int] = (0, 0)  # for images: scene, first seed and number of seeds
    scene_frames: int = 4  # frames of each seed

    def __post_init__(self) -> None:
        for key in ('part', 'foreground_share'):
            low, high = getattr(self, key)
            if not 0 <= low <= high <= 1 or (key == 'part' and low == high):
                raise LaneSegError(
                    f'data set {self.name!r}: {key}: expected [from, to] in rising order within '
                    f'0..1, found [{low}, {high}]'
                )
        for key, least in (('blocks', 1), ('thickness', 1), ('limit', 0)):
            if getattr(self, key) < least:
                raise LaneSegError(
                    f'data set {self.name!r}: {key}: expected at least {least}, '
                    f'found {getattr(self, key)}'
                )
        if self.repeat < 0:
            raise LaneSegError(
                f'data set {self.name!r}: repeat: expected at least 0, found {self.repeat}'
            )


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training images (never of validation images)."""

    flip: float = 0.5  # probability
    vertical_flip: float = 0.0  # probability; for pictures without an up, such as microscopy
    scale: tuple[float, float] = (0.8, 1.7)  # zoom, drawn log-uniform
    stretch: float = 0.15  # aspect ratio changes by up to this factor
    rotate_deg: float = 3.0
    shear_deg: float = 0.0
    brightness: float = 45.0  # b in a (x - 128) + 128 + b
    contrast: float = 0.4  # a in 1 +- contrast
    colour: float = 0.12  # gain of each channel in 1 +- colour
    channel_shift: float = 0.0  # grey levels added to each channel by chance
    gamma: float = 0.4  # exponent in 1 +- gamma
    blur: float = 0.15  # probability of a picture out of focus or smeared by motion
    noise: float = 8.0  # largest standard deviation, grey levels
    shadow: float = 0.25  # probability of hard shadows on the street
    rain: float = 0.0  # probability
    fog: float = 0.0  # probability
    glare: float = 0.0  # probability of a low sun or a head lamp
    night: float = 0.0  # probability of darkness with a lit patch ahead

    def __post_init__(self) -> None:
        chances = ('flip', 'vertical_flip', 'blur', 'shadow', 'rain', 'fog', 'glare', 'night')
        for key in chances:
            _expect_within(f'augment.{key}', getattr(self, key), 1, 'a probability')
        # A factor of 1 - range stays above 0, and a turned or sheared picture in its frame.
        for key in ('stretch', 'contrast', 'colour', 'gamma'):
            _expect_within(f'augment.{key}', getattr(self, key), 0.95, 'a share')
        for key in ('brightness', 'channel_shift', 'noise'):
            _expect_within(f'augment.{key}', getattr(self, key), 255, 'grey levels')
        _expect_within('augment.rotate_deg', self.rotate_deg, 180, 'degrees')
        _expect_within('augment.shear_deg', self.shear_deg, 60, 'degrees')


def _expect_within(key: str, value: float, most: float, what: str) -> None:
    if not 0 <= value <= most:
        raise LaneSegError(f'{key}: expected {what} from 0 to {most:g}, found {value}')


@dataclass(frozen=True)
class LossConfig:
    """What is minimized, built by `lane_seg_train.losses.build_loss`."""

    name: str = 'ce+dice'  # terms joined by '+', out of lane_seg_train.losses.LOSSES
    weights: dict[str, float] = field(default_factory=dict)  # term -> factor; 1 if not listed
    class_weights: dict[str, float] = field(default_factory=dict)  # class -> factor
    focal_gamma: float = 2.0  # how fast 'focal' and 'self_balanced_focal' forget easy pixels
    balance: float = 3.0  # of 'self_balanced_focal': weight of a class that fills the image
    smooth: float = 100.0  # pixels; 'dice' and 'jaccard' without the class in the batch: k wrong
    # pixels cost k / (k + smooth), none cost nothing

    def __post_init__(self) -> None:
        _expect_within('loss.focal_gamma', self.focal_gamma, 10, 'a power')
        for key in ('balance', 'smooth'):
            if not 0 < getattr(self, key) < float('inf'):
                raise LaneSegError(
                    f'loss.{key}: expected a number above 0, found {getattr(self, key)}'
                )
        for key in ('weights', 'class_weights'):
            for name, factor in getattr(self, key).items():
                if not 0 <= factor < float('inf'):
                    raise LaneSegError(
                        f'loss.{key}.{name}: expected a factor of 0 or more, found {factor}'
                    )


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer, built by `lane_seg_train.optimizers.build_optimizer`."""

    name: str = 'adamw'  # one of lane_seg_train.optimizers.OPTIMIZERS
    learning_rate: float = 2e-3  # after warm-up
    # Of weights of convolutions, never of biases and normalizations. 'adamw', 'nadam' and 'radam'
    # shrink the weights by it; the others add it to the gradient, where 1e-4 is usual.
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)  # of the optimizers with 'adam' in their name
    momentum: float = 0.9  # of 'sgd' and 'rmsprop'
    nesterov: bool = False  # of 'sgd'

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < float('inf'):
            raise LaneSegError(
                f'optimizer.learning_rate: expected a number above 0, found {self.learning_rate}'
            )
        _expect_within('optimizer.weight_decay', self.weight_decay, 1, 'a factor')
        for key, shares in (('momentum', (self.momentum,)), ('betas', self.betas)):
            if not all(0 <= share < 1 for share in shares):
                raise LaneSegError(
                    f'optimizer.{key}: expected a share from 0 to below 1, '
                    f'found {getattr(self, key)}'
                )
        if self.nesterov and self.momentum == 0:
            raise LaneSegError(
                'optimizer.nesterov: expected optimizer.momentum above 0, found 0; '
                'switch one of them'
            )


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over optimizer steps, built by `lane_seg_train.schedules`."""

    name: str = 'cosine'  # one of lane_seg_train.schedules.SCHEDULES
    warmup_epochs: float = 1.0
    warmup: str = 'linear'  # or 'quadratic'
    # Learning rate at the last step, as a share of that after warm-up. 'plateau' never goes below
    # it, 'exponential' needs more than 0, 'constant' has no use for it.
    final: float = 0.0
    power: float = 0.9  # of 'polynomial'
    patience: int = 3  # of 'plateau': validations without a better one before the rate falls
    factor: float = 0.5  # of 'plateau': what the rate is multiplied by

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_epochs < float('inf'):
            raise LaneSegError(
                f'schedule.warmup_epochs: expected 0 or more, found {self.warmup_epochs}'
            )
        _expect_within('schedule.final', self.final, 1, 'a share')
        if not 0 < self.power < float('inf'):
            raise LaneSegError(f'schedule.power: expected a number above 0, found {self.power}')
        if self.patience < 1:
            raise LaneSegError(f'schedule.patience: expected at least 1, found {self.patience}')
        if not 0 < self.factor < 1:
            raise LaneSegError(
                f'schedule.factor: expected a share between 0 and 1, found {self.factor}'
            )


@dataclass(frozen=True)
class TrainConfig:
    """A run: what is learned, from what, and how."""

    name: str
    train: tuple[DataConfig, ...]
    val: tuple[DataConfig, ...]
    classes: tuple[str, ...] = ('background', 'road', 'lane_marking')
    colours: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # class -> R, G, B
    height: int = 256
    width: int = 512
    net: NetConfig = field(default_factory=NetConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    weak_points: tuple[str, ...] = ()  # what is known to go wrong; goes into the model card
    monitor: str = ''  # metric that picks the best validation: '<val set>/<class>'
    epochs: int = 40
    batch_size: int = 16  # images of one process in one step
    accumulate: int = 1  # batches whose gradients make one optimizer step
    clip: float = 0.0  # largest norm of the gradient; 0 does not clip
    epoch_share: float = 1.0  # share of the training images that one epoch shows
    val_share: float = 1.0  # share of the validation images, evenly spaced
    validations_per_epoch: int = 1
    early_stop: int = 0  # stop after so many validations without a better one; 0 never
    workers: int = 1  # processes that load and augment
    precision: str = 'auto'  # or '32-true', 'bf16-mixed', '16-mixed'; see trainer/precision.py
    save_steps: int = 0  # optimizer steps between saves; 0: as often as 2 % of the time allows
    snapshots: int = 4  # validation images drawn beside label and prediction
    tracker: str = ''  # also log to 'wandb' or 'mlflow', where installed
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ('height', 'width', 'epochs', 'batch_size', 'accumulate'):
            if getattr(self, key) < 1:
                raise LaneSegError(f'{key}: expected at least 1, found {getattr(self, key)}')
        if self.validations_per_epoch < 1:
            raise LaneSegError(
                f'validations_per_epoch: expected at least 1, found {self.validations_per_epoch}'
            )
        for key in ('epoch_share', 'val_share'):
            if not 0 < getattr(self, key) <= 1:
                raise LaneSegError(
                    f'{key}: expected a share above 0 and up to 1, found {getattr(self, key)}'
                )
        for key in ('train', 'val'):
            names = [data.name for data in getattr(self, key)]
            if not names or len(set(names)) < len(names):
                raise LaneSegError(
                    f'{key}: expected one data set or more, each with a name of its own, '
                    f'found {names}'
                )
        low, high = self.augment.scale
        if not 0 < low <= high:
            raise LaneSegError(
                f'augment.scale: expected [low, high] with 0 < low <= high, found [{low}, {high}]'
            )
