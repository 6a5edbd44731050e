"""One readable YAML file describes a training run; unknown keys are errors, not surprises."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import yaml

from lane_seg.errors import LaneSegError
from lane_seg.typed import build, nearest_key
from lane_seg_train.config import TrainConfig

__all__ = ['load_config', 'plain_config', 'with_overrides']


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
    return build(TrainConfig, raw, str(path))


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
    return build(TrainConfig, raw, '--set')


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
            raise LaneSegError(f'--set: unknown key {key!r}{nearest_key(wanted, names, below)}')
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
