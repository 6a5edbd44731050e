"""COCO instances: a folder of images and a JSON file with polygons and run lengths.

Format: T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the
description of its data format.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.sources import natural_order
from lane_seg_train.datasets.annotations import (
    Record,
    integer,
    number,
    objects,
    points,
    record_from_file,
    text,
)
from lane_seg_train.datasets.coco_rle import counts_from_text, mask_from_counts
from lane_seg_train.datasets.reader import Pair, Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['CocoReader']

BACKGROUND = 'background'
# Polygons are drawn to a sixteenth of a pixel. COCO counts from the corner of the first pixel,
# OpenCV from its centre.
_SHIFT = 4
_HALF_PIXEL = 0.5


@dataclass(frozen=True)
class _Instance:
    category: int
    is_crowd: bool
    area: float
    segmentation: object


@dataclass(frozen=True)
class _Image:
    file: str  # below the folder of images
    size: tuple[int, int]  # (height, width)
    instances: list[_Instance]


class CocoReader(Reader):
    """`images` names the folder of images, `masks` the JSON file.

    Label values are the ids of the categories; pixels of no instance are 0, or 255 if a category
    has the id 0. Where instances overlap the smaller one is seen, and crowds lie below all others.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder, self.file = root / config.images, root / config.masks
        content = record_from_file(self.file)
        categories = {
            text(item, 'name', self.file): integer(item, 'id', self.file)
            for item in objects(content, 'categories', self.file)
        }
        if not categories or not all(0 <= value <= 254 for value in categories.values()):
            raise LaneSegError(
                f'{self.file}: expected categories with ids 0..254, found '
                f'{sorted(categories.values())[-5:]}; number them anew'
            )
        self.background = 255 if 0 in categories.values() else 0
        self.names = {BACKGROUND: self.background, **categories}
        self.images = {
            _name(text(item, 'file_name', self.file)): _Image(
                file=text(item, 'file_name', self.file),
                size=(integer(item, 'height', self.file), integer(item, 'width', self.file)),
                instances=[],
            )
            for item in objects(content, 'images', self.file)
        }
        by_id = {
            integer(item, 'id', self.file): self.images[_name(text(item, 'file_name', self.file))]
            for item in objects(content, 'images', self.file)
        }
        for item in objects(content, 'annotations', self.file):
            image = by_id.get(integer(item, 'image_id', self.file))
            instance = _instance(item, self.file)
            if image is None or instance.category not in categories.values():
                raise LaneSegError(
                    f'{self.file}: expected annotations of its images and categories, found '
                    f'image_id {item["image_id"]} with category_id {instance.category}; the file '
                    'was cut or merged wrongly'
                )
            image.instances.append(instance)

    def pairs(self) -> list[Pair]:
        """The images of the file that exist; one without an instance is background."""
        pairs = [
            Pair(name, self.folder / image.file, self.file)
            for name, image in self.images.items()
            if (self.folder / image.file).is_file()
        ]
        if not pairs:
            raise LaneSegError(
                f'expected the images of {self.file} in '
                f'{self.folder}, found none of {len(self.images)}; check "images"'
            )
        return sorted(pairs, key=lambda pair: natural_order(Path(pair.name)))

    def orphans(self) -> list[Path]:
        """The images that the file lists and that are not there."""
        files = [self.folder / image.file for image in self.images.values()]
        return sorted((file for file in files if not file.is_file()), key=natural_order)

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw the instances of an image: crowds first, then the others, the smallest last."""
        image = self.images[pair.name]
        source = f'{self.file}: {image.file}'
        if image.size != size:
            raise LaneSegError(
                f'{source}: expected an image of (height, width) {image.size} as it states, found '
                f'{size} in {pair.image}; use the images that were annotated'
            )
        label = np.full(size, self.background, np.uint8)
        for instance in sorted(image.instances, key=lambda item: (not item.is_crowd, -item.area)):
            _draw(label, instance, source)
        return label


def _name(file: str) -> str:
    return PurePosixPath(file).with_suffix('').as_posix()


def _instance(item: Record, source: Path) -> _Instance:
    return _Instance(
        category=integer(item, 'category_id', source),
        is_crowd=bool(item.get('iscrowd', 0)),
        area=number(item, 'area', source),
        segmentation=item.get('segmentation'),
    )


def _draw(label: NDArray[np.uint8], instance: _Instance, source: str) -> None:
    """Draw one instance into a label, (H, W) uint8."""
    shape = instance.segmentation
    if isinstance(shape, dict):
        counts = shape.get('counts')
        try:
            counts = counts_from_text(counts) if isinstance(counts, str) else counts
            if not isinstance(counts, list) or not all(isinstance(run, int) for run in counts):
                raise LaneSegError(f'expected run lengths, found {str(shape)[:60]}')
            mask = mask_from_counts(counts, (label.shape[0], label.shape[1]))
        except LaneSegError as error:
            raise LaneSegError(f'{source}: {error}; write the annotation again') from error
        label[mask] = instance.category
        return
    if not isinstance(shape, list):
        raise LaneSegError(
            f'{source}: expected polygons or run lengths as "segmentation", found '
            f'{str(shape)[:60]}; boxes alone cannot be used'
        )
    for polygon in shape:
        fixed = np.round((points(polygon, source) - _HALF_PIXEL) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(label, [fixed], instance.category, shift=_SHIFT)
