"""Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png with gtFine/<split>/<city>/*.png.

Classes, ids and colours: M. Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene
Understanding", CVPR 2016, and the table of labels that is published with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette, Rgb
from lane_seg_train.datasets.reader import Names, Pair, Reader

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['LABELS', 'TRAIN_CLASSES', 'VOID', 'CityscapesReader']

IMAGES = 'leftImg8bit'
VOID = 'void'
VOID_TRAIN_ID = 255
ANNOTATIONS = ('gtFine', 'gtCoarse')
KINDS = ('labelIds', 'labelTrainIds', 'color')

# Name, R, G, B; the id is the position.
LABELS: tuple[tuple[str, Rgb], ...] = (
    ('unlabeled', (0, 0, 0)),
    ('ego vehicle', (0, 0, 0)),
    ('rectification border', (0, 0, 0)),
    ('out of roi', (0, 0, 0)),
    ('static', (0, 0, 0)),
    ('dynamic', (111, 74, 0)),
    ('ground', (81, 0, 81)),
    ('road', (128, 64, 128)),
    ('sidewalk', (244, 35, 232)),
    ('parking', (250, 170, 160)),
    ('rail track', (230, 150, 140)),
    ('building', (70, 70, 70)),
    ('wall', (102, 102, 156)),
    ('fence', (190, 153, 153)),
    ('guard rail', (180, 165, 180)),
    ('bridge', (150, 100, 100)),
    ('tunnel', (150, 120, 90)),
    ('pole', (153, 153, 153)),
    ('polegroup', (153, 153, 153)),
    ('traffic light', (250, 170, 30)),
    ('traffic sign', (220, 220, 0)),
    ('vegetation', (107, 142, 35)),
    ('terrain', (152, 251, 152)),
    ('sky', (70, 130, 180)),
    ('person', (220, 20, 60)),
    ('rider', (255, 0, 0)),
    ('car', (0, 0, 142)),
    ('truck', (0, 0, 70)),
    ('bus', (0, 60, 100)),
    ('caravan', (0, 0, 90)),
    ('trailer', (0, 0, 110)),
    ('train', (0, 80, 100)),
    ('motorcycle', (0, 0, 230)),
    ('bicycle', (119, 11, 32)),
)

# The classes that the benchmark counts, in the order of their train ids.
TRAIN_CLASSES = (
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign',
    'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train',
    'motorcycle', 'bicycle',
)  # fmt: skip


class CityscapesReader(Reader):
    """`images` names the folder that holds leftImg8bit and gtFine.

    `masks` names the kind of label: gtFine_labelIds (the default), gtFine_labelTrainIds or
    gtFine_color, or the same of gtCoarse. The name 'void' stands for all that the benchmark does
    not count, in each kind.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder = root / config.images
        masks = config.masks or f'{ANNOTATIONS[0]}_{KINDS[0]}'
        known = [f'{annotation}_{kind}' for annotation in ANNOTATIONS for kind in KINDS]
        if masks not in known:
            raise LaneSegError(
                f'expected "masks" out of {", ".join(known)}, found {masks!r}'
                f'{nearest(masks, known)}'
            )
        if config.split == 'test':
            raise LaneSegError(
                "expected split train or val, found test: the labels of Cityscapes' test split "
                'are not public, and the files in their place are empty'
            )
        self.annotation, self.kind = masks.split('_')
        self.end = f'_{masks}'
        self.palette = _palette() if self.kind == 'color' else None
        self.names = _names(self.kind)

    def pairs(self) -> list[Pair]:
        """Images of all cities of the split, city by city."""
        labels = self.folder / self.annotation / self.config.split
        return [
            Pair(name, image, labels / image.parent.name / f'{name}{self.end}{LABEL_SUFFIX}')
            for name, image in self._images().items()
        ]

    def orphans(self) -> list[Path]:
        """Labels of the split without an image."""
        labels = [
            path
            for city in self._cities(self.annotation)
            for path in files_in(city, self.config, [LABEL_SUFFIX])
        ]
        return orphans_in(by_name(labels, end=self.end), self._images())

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read ids, or colours as ids."""
        label = label_from_file(pair.label)
        if self.palette:
            return self.palette.values_from_colours(label, pair.label)
        if label.ndim == 3:
            raise LaneSegError(f'{pair.label}: expected ids, found colours; download it again')
        return label

    def _images(self) -> dict[str, Path]:
        images = [path for city in self._cities(IMAGES) for path in images_in(city, self.config)]
        return by_name(images, end=f'_{IMAGES}')

    def _cities(self, kind: str) -> list[Path]:
        folder = self.folder / kind / self.config.split
        cities = sorted(path for path in folder.glob('*') if path.is_dir())
        if not self.config.split or not cities:
            splits = sorted(path.name for path in (self.folder / kind).glob('*') if path.is_dir())
            raise LaneSegError(
                f'expected folders of cities in {folder}, found '
                f'none; set "split" to one of {splits}, or point --data at the folder that holds '
                f'{self.config.images}'
            )
        return cities


def _names(kind: str) -> Names:
    ids = {name: index for index, (name, _) in enumerate(LABELS)}
    if kind == 'labelTrainIds':
        names: Names = {name: index for index, name in enumerate(TRAIN_CLASSES)}
        return {**names, VOID: VOID_TRAIN_ID}
    if kind == 'color':
        ids = _palette().values
    void = tuple(index for name, index in ids.items() if name not in TRAIN_CLASSES)
    return {**ids, VOID: void}


def _palette() -> Palette:
    """The colours; of labels that share one, the first stands for all."""
    first: dict[Rgb, tuple[str, int]] = {}
    for index, (name, rgb) in enumerate(LABELS):
        first.setdefault(rgb, (name, index))
    return Palette.from_colours(
        {name: rgb for rgb, (name, _) in first.items()}, dict(first.values())
    )
