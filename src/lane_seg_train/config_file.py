"""One readable YAML file describes a training run; unknown keys are errors, not surprises."""

from __future__ import annotations

import contextlib
import dataclasses
import types
import typing
from pathlib import Path

import yaml

from lane_seg.errors import LaneSegError
from lane_seg_train.config import TrainConfig
from lane_seg_train.nearest import nearest

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ['load_config', 'plain_config', 'with_overrides']

T = typing.TypeVar('T', bound='DataclassInstance')


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
    raw = plain_config(config)
    for setting in settings:
        key, equals, text = setting.partition('=')
        if not equals:
            raise LaneSegError(f'--set: expected key=value, found {setting!r}')
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise LaneSegError(f'--set {key}: expected YAML, found {text!r}') from error
        _set(raw, key, value, text)
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


def _set(raw: dict[str, object], key: str, value: object, text: str) -> None:
    """Change one value in place; `train.0.repeat` is that of the first training set."""
    place: object = raw
    *parents, last = key.split('.')
    for part in (*parents, None):
        if isinstance(place, list):
            names = [str(index) for index in range(len(place))]
        else:
            names = [str(name) for name in place] if isinstance(place, dict) else []
        wanted = last if part is None else part
        # Only these mappings are free: a factor for any term of the loss, and the like.
        is_free = isinstance(place, dict) and parents[-1:] in (
            ['weights'], ['class_weights'], ['colours'], ['palette'], ['labels']
        )  # fmt: skip
        if wanted not in names and not (part is None and is_free):
            below = [
                f'{name}.{inner}'
                for name, item in (place.items() if isinstance(place, dict) else ())
                if isinstance(item, dict)
                for inner in item
            ]
            raise LaneSegError(f'--set: unknown key {key!r}{_nearest(wanted, names, below)}')
        if part is not None:
            place = place[int(part)] if isinstance(place, list) else place[part]  # type: ignore[index]
    if isinstance(place, list):
        place[int(last)] = value
    elif isinstance(place, dict):
        known = {str(name): name for name in place}  # labels have numbers as keys
        inner = known.get(last, last)
        # A shell has eaten the quotes of net.variant='0.25'.
        is_text = isinstance(place.get(inner), str) and isinstance(value, int | float)
        place[inner] = text if is_text else value


def _nearest(key: str, known: list[str], below: list[str]) -> str:
    """Name the key that was meant: of this level, or the same word one level below."""
    same = [name for name in below if name.rpartition('.')[2] == key]
    if same:
        return f'; did you mean {same[0]!r}?'
    return nearest(key, known) or f'; known keys: {", ".join(known)}'


def _build(cls: type[T], raw: object, where: str) -> T:
    if not isinstance(raw, dict):
        raise LaneSegError(f'{where}: expected keys and values, found {raw!r}')
    fields = {item.name: item for item in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    below = [
        f'{name}.{inner.name}'
        for name, hint in hints.items()
        if dataclasses.is_dataclass(hint)
        for inner in dataclasses.fields(hint)
    ]
    for key in raw:
        if key not in fields:
            near = _nearest(str(key), list(fields), below)
            raise LaneSegError(f'{where}: unknown key {key!r}{near}')
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
