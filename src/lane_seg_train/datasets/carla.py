"""Recordings of CARLA: rgb|seg/{train,val,test}/*.png with the same names, and classes.json.

The tags of CARLA's classes changed between its versions (a road line is 6 up to 0.9.13 and 24
from 0.9.14 on). classes.json says which ones a recording has, and classes are chosen by name.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.datasets.annotations import (
    integer,
    objects,
    record_from_file,
    records_from_file,
    text,
)
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette, Rgb
from lane_seg_train.datasets.reader import Pair, Reader
from lane_seg_train.datasets.selection import evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['CarlaReader']

IMAGES, LABELS, CLASSES, MANIFEST = 'rgb', 'seg', 'classes.json', 'manifest.jsonl'
SPLITS = ('train', 'val', 'test')
TAGS = 'tags in one channel'
RED_TAGS = 'tags in the red channel, as CARLA sends them'
COLOURS = f'the colours of {CLASSES}'
RED = 2
# Labels to look at for how they are coded; more say nothing new.
_SAMPLE = 16


class CarlaReader(Reader):
    """`images` names the folder that holds rgb, seg and classes.json."""

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder = root / config.images
        self.tags, self.colours = _classes(self.folder / CLASSES)
        self.names = dict(self.tags)

    def pairs(self) -> list[Pair]:
        """Images of the split with the label of the same stem."""
        images = self._images()
        self._check_manifest(images)
        labels = self._split_folder(LABELS)
        return [
            Pair(name, image, labels / f'{name}{LABEL_SUFFIX}') for name, image in images.items()
        ]

    def orphans(self) -> list[Path]:
        """Labels of the split without an image."""
        labels = files_in(self._split_folder(LABELS), self.config, [LABEL_SUFFIX])
        return orphans_in(by_name(labels), self._images())

    def found(self) -> str:
        """How the labels are coded."""
        return f'labels hold {self._coding}'

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read tags, or colours as tags."""
        label = label_from_file(pair.label, colours=True)
        coding = _coding(label, self.tags)
        if coding not in (None, self._coding):
            raise LaneSegError(
                f'{pair.label}: expected {self._coding} like other labels of the recording, found '
                f'{coding}; record the split again, or leave the file out'
            )
        if self._coding == COLOURS:
            return self._palette.values_from_colours(label, pair.label)
        tags = label if label.ndim == 2 else np.ascontiguousarray(label[..., RED])
        known = np.zeros(256, np.bool_)
        known[list(self.tags.values())] = True
        if not known[tags].all():
            raise LaneSegError(
                f'{pair.label}: expected tags of {CLASSES}, found '
                f'{np.unique(tags[~known[tags]])[:8].tolist()}; write the {CLASSES} of the CARLA '
                'version that made the recording'
            )
        return tags

    @cached_property
    def _coding(self) -> str:
        """What the labels hold, by looking at some of them."""
        files = files_in(self._split_folder(LABELS), self.config, [LABEL_SUFFIX])
        for path in evenly_spaced(files, _SAMPLE):
            if coding := _coding(label_from_file(path, colours=True), self.tags):
                return coding
        return RED_TAGS

    @cached_property
    def _palette(self) -> Palette:
        if len(self.colours) < len(self.tags):
            lacking = next(name for name in self.tags if name not in self.colours)
            raise LaneSegError(
                f'{self.folder / CLASSES}: expected a colour for each class, as the labels hold '
                f'colours, found none for {lacking!r}'
            )
        return Palette.from_colours(self.colours, self.tags)

    def _split_folder(self, kind: str) -> Path:
        folder = self.folder / kind
        splits = [split for split in SPLITS if (folder / split).is_dir()]
        if not splits and not self.config.split:
            return folder
        if self.config.split not in splits:
            raise LaneSegError(
                f'expected "split" out of {splits} in {folder}, '
                f'found {self.config.split!r}{nearest(self.config.split, splits)}'
            )
        return folder / self.config.split

    def _images(self) -> dict[str, Path]:
        return by_name(images_in(self._split_folder(IMAGES), self.config))

    def _check_manifest(self, images: dict[str, Path]) -> None:
        """Compare with the frames that the recording notes, if it does."""
        path = self.folder / MANIFEST
        if not path.is_file():
            return
        noted = [
            Path(str(record['name'])).stem
            for record in records_from_file(path)
            if 'name' in record and record.get('split', '') in ('', self.config.split)
        ]
        lost = [name for name in noted if name not in images]
        if lost:
            raise LaneSegError(
                f'{path}: expected the image of every frame that was recorded, found none for '
                f'{len(lost)} of {len(noted)}, for example {lost[0]}; copy the recording again'
            )


def _classes(path: Path) -> tuple[dict[str, int], dict[str, Rgb]]:
    """Read the tags and colours (R, G, B) of a recording, in one of two forms.

    {"classes": [{"id": 7, "name": "Road", "colour_rgb": [128, 64, 128]}, ...]}, or the older
    {"class_num": {"Road": [128, 64, 128], ...}} with colours as B, G, R and tags counted from 0.
    """
    content = record_from_file(path)
    tags: dict[str, int] = {}
    colours: dict[str, Rgb] = {}
    if 'class_num' in content:
        found = content['class_num'] if isinstance(content['class_num'], dict) else {}
        for tag, (name, bgr) in enumerate(found.items()):
            tags[name] = tag
            blue, green, red = _levels(bgr, path)
            colours[name] = (red, green, blue)
    else:
        for item in objects(content, 'classes', path):
            name = text(item, 'name', path)
            tags[name] = integer(item, 'id', path)
            if 'colour_rgb' in item:
                colours[name] = _levels(item['colour_rgb'], path)
    if not tags or not all(0 <= tag <= 255 for tag in tags.values()):
        raise LaneSegError(f'{path}: expected classes with tags 0..255, found {tags}; correct it')
    return tags, colours


def _levels(colour: object, path: Path) -> tuple[int, int, int]:
    levels = colour if isinstance(colour, list) else []
    if len(levels) != 3 or not all(isinstance(level, int) for level in levels):
        raise LaneSegError(f'{path}: expected three levels 0..255, found {colour!r}; correct it')
    return levels[0], levels[1], levels[2]


def _coding(label: NDArray[np.uint8], tags: dict[str, int]) -> str | None:
    """How a label is coded, None if it is black and may be coded either way."""
    if label.ndim == 2:
        return TAGS
    if not label.any():
        return None
    is_red = not label[..., :RED].any() and label[..., RED].max() <= max(tags.values())
    return RED_TAGS if is_red else COLOURS
