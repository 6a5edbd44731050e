"""Annotation files: JSON and JSON lines, with errors that say where they are broken."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    'Record', 'integer', 'items', 'number', 'objects', 'points', 'record_from_file',
    'records_from_file', 'text',
]  # fmt: skip

Record = dict[str, object]

# In pixels; more than any image has, less than OpenCV's drawing can count.
_FARTHEST = 1e6


def record_from_file(path: Path) -> Record:
    """Read a JSON file that holds one object.

    Raises:
        LaneSegError: no such file, no JSON in it, or no object.
    """
    content = _read(path)
    try:
        record = json.loads(content)
    except ValueError as error:
        raise LaneSegError(
            f'{path}: expected JSON, found: {error}; copy or write the file again'
        ) from error
    return _checked(record, path)


def records_from_file(path: Path) -> list[Record]:
    """Read the objects of a JSON file: one, a list of them, or one on each line.

    Raises:
        LaneSegError: no such file, no JSON, or something else than objects.
    """
    content = _read(path)
    try:
        whole = json.loads(content)
        records = whole if isinstance(whole, list) else [whole]
    except ValueError:
        records = _lines(path, content)
    return [_checked(record, path) for record in records]


def items(record: Record, key: str, source: str | Path) -> list[object]:
    """The list that a record holds under a key.

    Raises:
        LaneSegError: there is none.
    """
    value = record.get(key)
    if not isinstance(value, list):
        raise _unfit(source, key, 'a list', record)
    return value


def objects(record: Record, key: str, source: str | Path) -> list[Record]:
    """The list of objects that a record holds under a key.

    Raises:
        LaneSegError: there is none.
    """
    found = [item for item in items(record, key, source) if isinstance(item, dict)]
    if len(found) < len(items(record, key, source)):
        raise _unfit(source, key, 'a list of objects', record)
    return found


def integer(record: Record, key: str, source: str | Path) -> int:
    """The integer that a record holds under a key.

    Raises:
        LaneSegError: there is none.
    """
    value = record.get(key)
    if not isinstance(value, int):
        raise _unfit(source, key, 'an integer', record)
    return value


def number(record: Record, key: str, source: str | Path) -> float:
    """The finite number that a record holds under a key; 0 if there is no such key.

    Raises:
        LaneSegError: there is something else.
    """
    value = record.get(key, 0)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise _unfit(source, key, 'a number', record)
    return float(value)


def text(record: Record, key: str, source: str | Path) -> str:
    """The text that a record holds under a key.

    Raises:
        LaneSegError: there is none.
    """
    value = record.get(key)
    if not isinstance(value, str):
        raise _unfit(source, key, 'a text', record)
    return value


def points(content: object, source: str | Path) -> NDArray[np.float64]:
    """Read points, given as [[x, y], ...] or as [x, y, x, y, ...].

    Args:
        content: as JSON gives it.
        source: where it stands, for the error.

    Returns:
        (N, 2) float64 x, y in pixels.

    Raises:
        LaneSegError: no numbers, an odd number of them, or one that no image has.
    """
    try:
        found = np.asarray(content, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        found = np.full((1, 2), np.nan)
    if not (np.abs(found) < _FARTHEST).all():
        raise LaneSegError(
            f'{source}: expected points [[x, y], ...] in pixels, found {str(content)[:60]}; '
            'correct the annotation'
        )
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LaneSegError(
            f'{path}: expected a JSON file, found: {reason}; check the path'
        ) from error


def _lines(path: Path, content: str) -> list[object]:
    records = []
    for place, line in enumerate(content.split('\n'), 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise LaneSegError(
                f'{path}: expected JSON, or JSON on each line, found in line {place}: {error}; '
                'correct the line'
            ) from error
    return records


def _checked(record: object, path: Path) -> Record:
    if not isinstance(record, dict):
        raise LaneSegError(
            f'{path}: expected a JSON object, found {str(record)[:60]!r}; correct the file'
        )
    return record


def _unfit(source: str | Path, key: str, expected: str, record: Record) -> LaneSegError:
    found = f'{str(record[key])[:60]!r}' if key in record else f'the keys {list(record)[:8]}'
    return LaneSegError(f'{source}: expected {expected} as "{key}", found {found}; correct it')
