"""Which pairs of a data set to take: always the same ones, and no file is touched.

Splits are contiguous blocks of the natural order of names, never random: neighbouring frames of a
recording are near-duplicates, and one of them in training tells the answer of the other.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg.sources import IMAGE_SUFFIXES, natural_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lane_seg_train.config import DataConfig
    from lane_seg_train.datasets.reader import Pair

__all__ = ['evenly_spaced', 'listed_names', 'parts_of_blocks', 'selected_by_name']

T = TypeVar('T')

# Columns of CSV files, and keys of JSON objects, that hold the name of an image.
NAME_KEYS = ('name', 'file_name', 'filename', 'file', 'image', 'image_name', 'path', 'stem')


def selected_by_name(pairs: Sequence[Pair], config: DataConfig, root: Path) -> list[Pair]:
    """Take the pairs that a configuration asks for by name.

    In this order: `include`; from `first` and before `before`; `part` of each of `blocks`;
    `exclude`. To leave a file out does therefore not move the border between two parts.

    Args:
        pairs: all pairs, in natural order.
        config: the data set.
        root: the folder that --data names; lists of names lie below it.

    Raises:
        LaneSegError: a list cannot be read or names a pair that there is not, or nothing is left.
    """
    taken = list(pairs)
    if config.include:
        names = _found(config.include, config, pairs, root)
        taken = [pair for pair in taken if pair.name in names]
    first, before = natural_order(Path(config.first)), natural_order(Path(config.before))
    taken = [
        pair
        for pair in taken
        if (not config.first or natural_order(Path(pair.name)) >= first)
        and (not config.before or natural_order(Path(pair.name)) < before)
    ]
    taken = parts_of_blocks(taken, config.part, config.blocks)
    if config.exclude:
        names = _found(config.exclude, config, pairs, root)
        taken = [pair for pair in taken if pair.name not in names]
    if not taken:
        raise LaneSegError(
            f'expected images, found none of {len(pairs)} with '
            f'first={config.first!r}, before={config.before!r}, part={list(config.part)} of '
            f'{config.blocks} blocks, include={config.include!r}, exclude={config.exclude!r}; '
            'widen one of them'
        )
    return taken


def parts_of_blocks(items: Sequence[T], part: tuple[float, float], blocks: int) -> list[T]:
    """Cut items into contiguous blocks of equal length and take the same part of each.

    With parts [0, a] and [a, 1] every item is taken exactly once.

    Args:
        items: anything in order.
        part: from and up to which share of a block, 0..1.
        blocks: their number.
    """
    taken: list[T] = []
    for block in range(blocks):
        begin, end = block * len(items) // blocks, (block + 1) * len(items) // blocks
        low, high = (begin + round(share * (end - begin)) for share in part)
        taken += items[low:high]
    return taken


def evenly_spaced(items: Sequence[T], limit: int) -> list[T]:
    """At most `limit` items, spread over all of them; 0 takes all."""
    if not limit or limit >= len(items):
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def listed_names(path: Path) -> list[str]:
    """Read the names that a file lists.

    - .txt: one name on a line; empty lines and lines that start with # are passed over;
    - .csv: the column called name, file_name, file, image, path or the like, else the first one
      of a file without such a heading;
    - .json: a list of names, or of objects that hold one under such a key, or an object with
      such a list as 'images'.

    Names may have a suffix and folders before them.

    Raises:
        LaneSegError: no such file, another type, or no name in it.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
        if path.suffix == '.csv':
            names = _csv_names(text)
        elif path.suffix == '.json':
            names = _json_names(json.loads(text), path)
        elif path.suffix == '.txt':
            lines = (line.strip() for line in text.splitlines())
            names = [line for line in lines if line and not line.startswith('#')]
        else:
            raise LaneSegError(
                f'{path}: expected a list of names as .txt, .csv or .json, found '
                f'{path.suffix or "no suffix"}; save it as one of them'
            )
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LaneSegError(f'{path}: expected a list of names, found: {reason}') from error
    if not names:
        raise LaneSegError(f'{path}: expected a list of names, found none in it')
    return names


def _csv_names(text: str) -> list[str]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    heading = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((heading.index(key) for key in NAME_KEYS if key in heading), None)
    rows = rows if column is None else rows[1:]
    return [row[column or 0].strip() for row in rows if len(row) > (column or 0)]


def _json_names(content: object, path: Path) -> list[str]:
    if isinstance(content, dict):
        content = content.get('images')
    names: list[str] = []
    for item in content if isinstance(content, list) else [None]:
        if isinstance(item, dict):
            item = next((item[key] for key in NAME_KEYS if key in item), None)
        if not isinstance(item, str):
            raise LaneSegError(
                f'{path}: expected a list of names, or of objects with one of the keys '
                f'{", ".join(NAME_KEYS)}, found {str(item)[:80]!r}'
            )
        names.append(item)
    return names


def _found(list_file: str, config: DataConfig, pairs: Sequence[Pair], root: Path) -> set[str]:
    """Names of the pairs that a file lists."""
    path = root / list_file
    known = {pair.name: pair.name for pair in pairs}
    stems = Counter(pair.image.stem for pair in pairs)
    # The file may be called otherwise than the pair; a stem that several files have says nothing.
    for pair in pairs:
        if stems[pair.image.stem] == 1:
            known.setdefault(pair.image.stem, pair.name)
    found, missing = set(), []
    for entry in listed_names(path):
        name = next((known[form] for form in _forms(entry) if form in known), None)
        if name is None:
            missing.append(entry)
        else:
            found.add(name)
    if missing:
        raise LaneSegError(
            f'{path}: expected names of images of data set {config.name!r}, found '
            f'{len(missing)} that it has not, for example {missing[0]!r}'
            f'{nearest(_forms(missing[0])[-1], list(known))}; correct the list'
        )
    return found


def _forms(entry: str) -> list[str]:
    """What a listed name may mean: as it stands, then with ever fewer folders before it."""
    path = PurePosixPath(entry.replace('\\', '/'))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        path = path.with_suffix('')
    return ['/'.join(path.parts[start:]) for start in range(len(path.parts))] or ['']
