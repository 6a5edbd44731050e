"""One readable YAML file describes a training run; unknown keys are errors, not surprises."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lane_seg.errors import LaneSegError

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    'AugmentConfig',
    'DataConfig',
    'NetConfig',
    'TrainConfig',
    'load_config',
    'plain_config',
    'with_overrides',
]

T = typing.TypeVar('T', bound='DataclassInstance')
Labels = dict[str | int, str | list[str]]


@dataclass(frozen=True)
class NetConfig:
    """The network: U-Net with strided stem and additive skips (`lane_seg_train.nets`)."""

    name: str = 'unet'
    width: int = 24  # channels after the stem
    depth: int = 4  # number of further halvings
    multipliers: tuple[int, ...] = (1, 2, 4, 8, 8)  # channels of each level, times width


@dataclass(frozen=True)
class DataConfig:
    """One data set: folders below --data, or frames of the built-in road scene."""

    name: str
    labels: Labels  # label value -> class names that the pixel may be
    images: str = ''  # folder of images, or 'scene' for the procedural road scene
    masks: str = ''  # folder of label PNGs with the same stems
    channel: str = ''  # 'red', 'green' or 'blue' if the label value is one channel of a colour PNG
    first: str = ''  # only files with this stem or after it (contiguous blocks, never random)
    before: str = ''  # only files with a stem before this one
    repeat: float = 1.0  # how often an epoch shows each image, on average
    licence: str = 'not stated'  # of the images; goes into the model card
    scene_seeds: tuple[int, int] = (0, 0)  # for images: scene, first seed and number of seeds
    scene_frames: int = 4  # frames of each seed


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training images (never of validation images)."""

    flip: float = 0.5  # probability
    scale: tuple[float, float] = (0.8, 1.7)  # zoom, drawn log-uniform
    stretch: float = 0.15  # aspect ratio changes by up to this factor
    rotate_deg: float = 3.0
    brightness: float = 45.0  # b in a (x - 128) + 128 + b
    contrast: float = 0.4  # a in 1 +- contrast
    colour: float = 0.12  # gain of each channel in 1 +- colour
    gamma: float = 0.4  # exponent in 1 +- gamma
    blur: float = 0.15  # probability
    noise: float = 8.0  # largest standard deviation, grey levels
    shadow: float = 0.25  # probability of a dark polygon


@dataclass(frozen=True)
class TrainConfig:
    """A run: what is learned, from what, and how."""

    name: str
    train: tuple[DataConfig, ...]
    val: tuple[DataConfig, ...]
    classes: tuple[str, ...] = ('background', 'road', 'lane_marking')
    height: int = 256
    width: int = 512
    net: NetConfig = field(default_factory=NetConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    weak_points: tuple[str, ...] = ()  # what is known to go wrong; goes into the model card
    monitor: str = ''  # metric that picks the best epoch: '<val set>/<class>'
    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_epochs: float = 1.0
    dice_weight: float = 1.0
    workers: int = 1
    precision: str = '32-true'  # Lightning's names: '32-true', 'bf16-mixed', '16-mixed'
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ('height', 'width', 'epochs', 'batch_size'):
            if getattr(self, key) < 1:
                raise LaneSegError(f'{key}: expected at least 1, found {getattr(self, key)}')
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


def load_config(path: str | Path) -> TrainConfig:
    """Read a YAML configuration.

    Raises:
        LaneSegError: no such file, not YAML, an unknown key (the nearest known one is named), a
            missing key or a value of the wrong type.
    """
    path = Path(path)
    if not path.is_file():
        raise LaneSegError(f'expected a training configuration, found no file {path}')
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LaneSegError(f'{path}: expected YAML, found: {error}') from error
    return _build(TrainConfig, raw, str(path))


def with_overrides(config: TrainConfig, settings: list[str]) -> TrainConfig:
    """Apply `--set net.width=32` style changes; values are read as YAML.

    Raises:
        LaneSegError: not key=value, an unknown key, or a value of the wrong type.
    """
    raw = dataclasses.asdict(config)
    for setting in settings:
        key, equals, text = setting.partition('=')
        if not equals:
            raise LaneSegError(f'--set: expected key=value, found {setting!r}')
        place: object = raw
        known = list(raw)
        *parents, last = key.split('.')
        for part in parents:
            place = place.get(part) if isinstance(place, dict) else None
            known = list(place) if isinstance(place, dict) else known
        if not isinstance(place, dict) or last not in place:
            raise LaneSegError(f'--set: unknown key {key!r}{_nearest(last, known)}')
        try:
            place[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise LaneSegError(f'--set {key}: expected YAML, found {text!r}') from error
    return _build(TrainConfig, raw, '--set')


def plain_config(config: TrainConfig) -> dict[str, object]:
    """The configuration as plain dicts and lists, as `yaml.safe_dump` takes them."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return value

    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f'; did you mean {close[0]!r}?' if close else f'; known keys: {", ".join(known)}'


def _build(cls: type[T], raw: object, where: str) -> T:
    if not isinstance(raw, dict):
        raise LaneSegError(f'{where}: expected keys and values, found {raw!r}')
    fields = {item.name: item for item in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    for key in raw:
        if key not in fields:
            raise LaneSegError(f'{where}: unknown key {key!r}{_nearest(str(key), list(fields))}')
    missing = [
        name
        for name, item in fields.items()
        if name not in raw
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise LaneSegError(f'{where}: expected the key(s) {", ".join(missing)}, found none')
    return cls(**{key: _value(hints[key], raw[key], f'{where}: {key}') for key in raw})


def _value(hint: object, raw: object, where: str) -> object:
    """Convert what YAML gave to the type of a field, or say what is wrong with it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for choice in inner:
            with contextlib.suppress(LaneSegError):
                return _value(choice, raw, where)
        raise LaneSegError(f'{where}: expected {_type_name(hint)}, found {raw!r}')
    if origin in (tuple, list):
        if not isinstance(raw, list | tuple):
            raise LaneSegError(f'{where}: expected a list, found {raw!r}')
        if origin is tuple and inner[-1] is not Ellipsis and len(raw) != len(inner):
            raise LaneSegError(f'{where}: expected {len(inner)} values, found {len(raw)}')
        items = [_value(inner[0], item, f'{where}[{index}]') for index, item in enumerate(raw)]
        return tuple(items) if origin is tuple else items
    if origin is dict:
        if not isinstance(raw, dict):
            raise LaneSegError(f'{where}: expected a mapping, found {raw!r}')
        return {
            _value(inner[0], key, where): _value(inner[1], item, f'{where}[{key!r}]')
            for key, item in raw.items()
        }
    if not isinstance(hint, type):
        raise TypeError(f'{where}: a configuration field has the unsupported type {hint}')
    if dataclasses.is_dataclass(hint):
        return _build(hint, raw, where)
    # YAML 1.1 reads 1e-3 as text.
    if hint is float and isinstance(raw, int | str) and not isinstance(raw, bool):
        with contextlib.suppress(ValueError):
            return float(raw)
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise LaneSegError(f'{where}: expected {_type_name(hint)}, found {raw!r}')
    return raw


def _type_name(hint: object) -> str:
    return hint.__name__ if type(hint) is type else str(hint).replace(' | ', ' or ')
