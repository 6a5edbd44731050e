"""Plain values of a YAML file as a frozen dataclass; what does not fit is named with its place."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping

from lane_seg.errors import LaneSegError

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ['build', 'nearest']

T = typing.TypeVar('T', bound='DataclassInstance')


def build(cls: type[T], raw: object, where: str) -> T:
    """Make a dataclass of a mapping.

    Args:
        cls: its fields are bool, int, float, str, optional ones of these, tuples of them,
            mappings of them, or dataclasses of the kind.
        raw: as `yaml.safe_load` gives it.
        where: the place that messages name.

    Raises:
        LaneSegError: no mapping, an unknown key (the nearest known one is named), a missing key,
            or a value of another type.
    """
    if not isinstance(raw, Mapping):
        raise LaneSegError(f'{where}: expected names and values, found {raw!r}')
    fields = {item.name: item for item in dataclasses.fields(cls)}
    for key in raw:
        if key not in fields:
            raise LaneSegError(f'{where}: unknown key {key!r}{nearest(key, fields)}')
    missing = [
        name
        for name, item in fields.items()
        if name not in raw
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise LaneSegError(f'{where}: expected the key(s) {", ".join(missing)}, found none')
    hints = typing.get_type_hints(cls)
    return cls(**{key: _value(hints[key], raw[key], f'{where}: {key}') for key in raw})


def nearest(name: object, known: Iterable[str]) -> str:
    """End an error message: '; did you mean 'towns'?', or all names if none is near."""
    names = list(known)
    close = difflib.get_close_matches(str(name).casefold(), [item.casefold() for item in names], 1)
    for item in names:
        if close and item.casefold() == close[0]:
            return f'; did you mean {item!r}?'
    return f'; known: {", ".join(names)}'


def _value(hint: object, raw: object, where: str) -> object:
    """Convert to the type of a field."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # the only one that we use: or None
        return None if raw is None else _value(inner[0], raw, where)
    if origin is tuple:
        if not isinstance(raw, list | tuple):
            raise LaneSegError(f'{where}: expected a list such as [{raw}], found {raw!r}')
        return tuple(_value(inner[0], item, f'{where}[{n}]') for n, item in enumerate(raw))
    if origin is Mapping:
        if not isinstance(raw, Mapping):
            raise LaneSegError(f'{where}: expected names and values, found {raw!r}')
        return {str(key): _value(inner[1], item, f'{where}: {key}') for key, item in raw.items()}
    if not isinstance(hint, type):
        raise TypeError(f'{where}: a field has the unsupported type {hint}')
    if dataclasses.is_dataclass(hint):
        return build(hint, raw, where)
    if hint is float and isinstance(raw, int | float) and not isinstance(raw, bool):
        if not math.isfinite(raw):
            raise LaneSegError(f'{where}: expected a finite number, found {raw}')
        return float(raw)
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise LaneSegError(f'{where}: expected {_TYPES[hint]}, found {raw!r}')
    return raw


_TYPES: dict[object, str] = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'text',
}
