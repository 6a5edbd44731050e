"""Files of a folder, and images beside their labels by name."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.sources import IMAGE_SUFFIXES, natural_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lane_seg_train.config import DataConfig
    from lane_seg_train.datasets.reader import Pair

__all__ = ['LABEL_SUFFIX', 'by_name', 'check_labels', 'files_in', 'images_in', 'orphans_in']

LABEL_SUFFIX = '.png'


def files_in(folder: Path, config: DataConfig, suffixes: Iterable[str]) -> list[Path]:
    """The visible files of a folder that have one of these suffixes, in natural order.

    Raises:
        LaneSegError: there is no such folder.
    """
    if not folder.is_dir():
        raise LaneSegError(
            f'expected a folder {folder}, found none; '
            f'point --data at the folder that holds {config.images or config.masks}'
        )
    suffixes = tuple(suffixes)
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith('.')
    ]
    return sorted(files, key=natural_order)


def images_in(folder: Path, config: DataConfig) -> list[Path]:
    """The images of a folder, in natural order.

    Raises:
        LaneSegError: no such folder, or no image in it.
    """
    images = files_in(folder, config, IMAGE_SUFFIXES)
    if not images:
        raise LaneSegError(
            f'expected images ({" ".join(IMAGE_SUFFIXES)}) in {folder}, found none; check the path'
        )
    return images


def by_name(files: Iterable[Path], *, end: str = '') -> dict[str, Path]:
    """Files by their name: the stem, and of that what comes before `end`.

    Files whose stem has no such end are left out.

    Raises:
        LaneSegError: two files have one name.
    """
    named: dict[str, Path] = {}
    for path in files:
        if not path.stem.endswith(end):
            continue
        # Not strip(): that removes a set of letters, which may be letters of the name.
        name = path.stem[: len(path.stem) - len(end)]
        if name in named:
            raise LaneSegError(
                f'expected one file for each name, found {named[name]} '
                f'and {path.name}; take one of them away'
            )
        named[name] = path
    return named


def check_labels(pairs: Sequence[Pair]) -> None:
    """Make sure that every image has its label.

    Raises:
        LaneSegError: some have none; the first is named, with the label that was looked for.
    """
    missing = [pair for pair in pairs if not pair.label.is_file()]
    if not missing:
        return
    label = missing[0].label
    # A label saved as JPEG is a common find: say so where the label is missed.
    others = sorted(label.parent.glob(f'{glob.escape(label.stem)}.*'))
    found = f'; found {others[0].name}, but only {label.suffix} is read' if others else ''
    raise LaneSegError(
        f'expected a label for every image, found none for '
        f'{len(missing)} of {len(pairs)}, for example {label} of {missing[0].image.name}{found}; '
        'add the labels, or leave these images out with first, before, include or exclude'
    )


def orphans_in(labels: dict[str, Path], images: dict[str, Path]) -> list[Path]:
    """Labels whose name no image has."""
    return [path for name, path in labels.items() if name not in images]
