"""Plain values of a YAML file as a frozen dataclass; what does not fit is named with its place."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ['build', 'nearest_key']

T = typing.TypeVar('T', bound='DataclassInstance')


def nearest_key(key: str, known: Sequence[str], below: Sequence[str] = ()) -> str:
    """End an error message about an unknown key.

    Args:
        key: that is unknown.
        known: keys of this level.
        below: keys of the levels below, as 'level.key'.

    Returns:
        "; did you mean 'net'?" for a near one or the same word one level below, else all keys.
    """
    same = [name for name in below if name.rpartition('.')[2] == key]
    if same:
        return f'; did you mean {same[0]!r}?'
    return nearest(key, known) or f'; known keys: {", ".join(known)}'


def build(cls: type[T], raw: object, where: str) -> T:
    """Make a dataclass of a mapping.

    Args:
        cls: its fields are bool, int, float, str, tuples, lists and mappings of them, unions, or
            dataclasses of the kind.
        raw: as `yaml.safe_load` gives it.
        where: the place that messages name.

    Raises:
        LaneSegError: no mapping, an unknown key (the nearest known one is named), a missing key,
            or a value of another type.
    """
    if not isinstance(raw, Mapping):
        raise LaneSegError(f'{where}: expected names and values, found {raw!r}')
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
            near = nearest_key(str(key), list(fields), below)
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
            raise LaneSegError(f'{where}: expected a list such as [{raw}], found {raw!r}')
        if origin is tuple and inner[-1] is not Ellipsis and len(raw) != len(inner):
            raise LaneSegError(f'{where}: expected {len(inner)} values, found {len(raw)}')
        items = [_value(inner[0], item, f'{where}[{index}]') for index, item in enumerate(raw)]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping):
        if not isinstance(raw, Mapping):
            raise LaneSegError(f'{where}: expected names and values, found {raw!r}')
        return {
            _value(inner[0], key, where): _value(
                inner[1], item, f'{where}: {key}' if isinstance(key, str) else f'{where}[{key}]'
            )
            for key, item in raw.items()
        }
    if not isinstance(hint, type):
        raise TypeError(f'{where}: a configuration field has the unsupported type {hint}')
    if dataclasses.is_dataclass(hint):
        return build(hint, raw, where)
    # YAML 1.1 reads 1e-3 as text.
    if hint is float and isinstance(raw, int | str) and not isinstance(raw, bool):
        with contextlib.suppress(ValueError):
            return _finite(float(raw), where)
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise LaneSegError(f'{where}: expected {_type_name(hint)}, found {raw!r}')
    return _finite(raw, where) if isinstance(raw, float) else raw


def _finite(value: float, where: str) -> float:
    """Refuse what YAML can write and nobody can want."""
    if not math.isfinite(value):
        raise LaneSegError(f'{where}: expected a finite number, found {value}')
    return value


_TYPE_NAMES: dict[object, str] = {
    bool: 'true or false',
    int: 'a whole number',
    float: 'a number',
    str: 'text',
    type(None): 'nothing',
}


def _type_name(hint: object) -> str:
    """A type in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(_type_name(choice) for choice in inner)
    if origin in (list, tuple):
        return f'a list of {_type_name(inner[0])}'
    return _TYPE_NAMES.get(hint, str(hint))
