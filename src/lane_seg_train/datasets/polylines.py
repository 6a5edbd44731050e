"""Polylines in JSON, drawn with a thickness; `polyline_records` says in which forms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.sources import natural_order
from lane_seg_train.datasets.annotations import Record, records_from_file
from lane_seg_train.datasets.pairing import by_name, files_in, images_in
from lane_seg_train.datasets.polyline_records import LINE, Shape, image_of, shapes_of, size_of
from lane_seg_train.datasets.reader import Pair, Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['PolylinesReader']

SUFFIXES = ('.json', '.jsonl')
BACKGROUND = 'background'
# A file that is called like its image may have this end (road cracks of AI Hub).
END = '_PLINE'
# Points are drawn to a sixteenth of a pixel.
_SHIFT = 4


@dataclass(frozen=True)
class _Annotation:
    file: Path
    image: Path | None  # where the record names one; else the file is called like it
    shapes: list[Shape]
    size: tuple[int, int] | None


class PolylinesReader(Reader):
    """`images` names the folder of images, `masks` a file of annotations or a folder of them.

    Label values: 0 background, 1 line, and from 2 on the labels of labelme's shapes in the order
    of the alphabet. Areas are filled before any line is drawn.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder, self.masks = root / config.images, root / config.masks
        self.annotations: dict[str, _Annotation] = {}
        is_folder = self.masks.is_dir()
        for file in files_in(self.masks, config, SUFFIXES) if is_folder else [self.masks]:
            for record in records_from_file(file):
                self._add(record, file)
        if not self.annotations:
            raise LaneSegError(
                f'expected annotations ({" ".join(SUFFIXES)}) in {self.masks}, found none; '
                'check "masks"'
            )
        shapes = [shape for item in self.annotations.values() for shape in item.shapes]
        labels = {shape.name for shape in shapes} - {BACKGROUND, LINE}
        if len(labels) > 254:
            raise LaneSegError(
                f'{self.masks}: expected at most 254 different labels, found {len(labels)}'
            )
        self.values = {
            name: value for value, name in enumerate([BACKGROUND, LINE, *sorted(labels)])
        }
        self.names = dict(self.values)

    def pairs(self) -> list[Pair]:
        """Images that a record names; where files are called like images, all images."""
        images = {
            name: item.image
            for name, item in self.annotations.items()
            if item.image and item.image.is_file()
        }
        if not all(item.image for item in self.annotations.values()):
            images |= by_name(images_in(self.folder, self.config))
        if not images:
            raise LaneSegError(
                f'expected the images of {self.masks} in '
                f'{self.folder}, found none of {len(self.annotations)}; check "images"'
            )
        pairs = [
            Pair(
                name,
                image,
                self.annotations[name].file
                if name in self.annotations
                else self.masks / f'{name}{SUFFIXES[0]}',
            )
            for name, image in images.items()
        ]
        return sorted(pairs, key=lambda pair: natural_order(Path(pair.name)))

    def orphans(self) -> list[Path]:
        """Images that records name and that are not there, and files called like no image."""
        known = {pair.name for pair in self.pairs()}
        return [
            item.image or item.file for name, item in self.annotations.items() if name not in known
        ]

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw areas, then lines."""
        item = self.annotations[pair.name]
        if item.size not in (None, size):
            raise LaneSegError(
                f'{pair.label}: expected annotations of an image of (height, width) {size} like '
                f'{pair.image}, found that they state {item.size}; annotate the image as it is'
            )
        label = np.zeros(size, np.uint8)
        shapes = sorted(item.shapes, key=lambda shape: not shape.is_polygon)
        # Neighbours of one kind and value are drawn at a time.
        for (is_polygon, name), group in groupby(shapes, attrgetter('is_polygon', 'name')):
            lines = [np.round(shape.points * (1 << _SHIFT)).astype(np.int32) for shape in group]
            if is_polygon:
                for line in lines:
                    cv2.fillPoly(label, [line], self.values[name], shift=_SHIFT)
                continue
            drawn = np.zeros(size, np.uint8)
            cv2.polylines(drawn, lines, False, 1, shift=_SHIFT)
            label[cv2.dilate(drawn, self._brush) > 0] = self.values[name]
        return label

    @cached_property
    def _brush(self) -> NDArray[np.uint8]:
        """A disc as wide as a line. OpenCV's own thick lines are up to 2 pixels wider."""
        offset = np.arange(self.config.thickness) - (self.config.thickness - 1) / 2
        radius = self.config.thickness / 2
        return (np.add.outer(offset**2, offset**2) <= radius**2).astype(np.uint8)

    def _add(self, record: Record, file: Path) -> None:
        image = image_of(record)
        if image:
            name = PurePosixPath(image).with_suffix('').as_posix()
        else:
            # Not strip(): that removes a set of letters, which may be letters of the name.
            name = file.stem[: -len(END)] if file.stem.endswith(END) else file.stem
        if name in self.annotations:
            raise LaneSegError(
                f'{file}: expected one record for each image, found a second one for {name}; the '
                f'first is in {self.annotations[name].file}'
            )
        self.annotations[name] = _Annotation(
            file=file,
            image=self.folder / image if image else None,
            shapes=shapes_of(record, f'{file}: {name}'),
            size=size_of(record),
        )
