"""Pascal VOC: JPEGImages/*.jpg with SegmentationClass/*.png, whose indices are the classes.

M. Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 88(2), 2010, and the
development kit of VOC2012.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette, Rgb
from lane_seg_train.datasets.reader import Pair, Reader
from lane_seg_train.datasets.selection import listed_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['CLASSES', 'VocReader']

IMAGES, LABELS, LISTS = 'JPEGImages', 'SegmentationClass', Path('ImageSets', 'Segmentation')
LABEL_MAP = 'labelmap.txt'
VOID = 255

# The label value is the position.
CLASSES = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair',
    'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa',
    'train', 'tvmonitor',
)  # fmt: skip


class VocReader(Reader):
    """`images` names the folder that holds JPEGImages and SegmentationClass.

    `split` names a list in ImageSets/Segmentation; empty takes every image that has a label. A
    labelmap.txt beside them (`name:R,G,B::` on each line), as labelling tools write it for classes
    of one's own, replaces the 20 classes; the labels are then read by their colours.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder = root / config.images
        self.masks = self.folder / (config.masks or LABELS)
        label_map = self.folder / LABEL_MAP
        self.palette = _palette(label_map) if label_map.is_file() else None
        if self.palette:
            self.names = dict(self.palette.values)
        else:
            self.names = {**{name: value for value, name in enumerate(CLASSES)}, 'void': VOID}

    def pairs(self) -> list[Pair]:
        """The images of the list, or all that have a label."""
        images = self._images()
        if not self.config.split:
            labels = self._labels()
            return [Pair(name, images[name], labels[name]) for name in images if name in labels]
        path = self.folder / LISTS / f'{self.config.split}.txt'
        listed = set(listed_names(path))
        if lost := sorted(listed - set(images)):
            raise LaneSegError(
                f'{path}: expected images of {self.folder / IMAGES}, found {len(lost)} that are '
                f'not there, for example {lost[0]}; copy the data set again'
            )
        return [
            Pair(name, image, self.masks / f'{name}{LABEL_SUFFIX}')
            for name, image in images.items()
            if name in listed
        ]

    def orphans(self) -> list[Path]:
        """Labels without an image."""
        return orphans_in(self._labels(), self._images())

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read indices, or the colours of labelmap.txt."""
        label = label_from_file(pair.label, colours=self.palette is not None)
        if self.palette:
            return self.palette.values_from_colours(label, pair.label)
        if label.ndim == 3:
            raise LaneSegError(
                f'{pair.label}: expected a PNG with a palette, whose indices are the classes, '
                f'found colours; put a {LABEL_MAP} into {self.folder} that says what they mean'
            )
        return label

    def _images(self) -> dict[str, Path]:
        return by_name(images_in(self.folder / IMAGES, self.config))

    def _labels(self) -> dict[str, Path]:
        return by_name(files_in(self.masks, self.config, [LABEL_SUFFIX]))


def _palette(path: Path) -> Palette:
    colours: dict[str, Rgb] = {}
    for line in listed_names(path):
        name, _, rest = line.partition(':')
        try:
            red, green, blue = (int(level) for level in rest.split(':')[0].split(','))
        except ValueError as error:
            raise LaneSegError(
                f'{path}: expected name:R,G,B on each line, found {line[:60]!r}; correct it'
            ) from error
        colours[name] = (red, green, blue)
    return Palette.from_colours(colours)
