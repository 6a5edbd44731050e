"""CamVid: colour labels of 32 classes (*_L.png), or the usual 11 classes as values.

Classes and colours: G. Brostow, J. Fauqueur, R. Cipolla, "Semantic Object Classes in Video: A
High-Definition Ground Truth Database", Pattern Recognition Letters 30(2), 2009. The 11 classes:
V. Badrinarayanan, A. Kendall, R. Cipolla, "SegNet", TPAMI 39(12), 2017.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette, Rgb
from lane_seg_train.datasets.reader import Pair, Reader

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['CLASSES_11', 'COLOURS', 'CamVidReader']

END = '_L'  # of the stems of the colour labels

# R, G, B; the label value is the position.
COLOURS: dict[str, Rgb] = {
    'Animal': (64, 128, 64),
    'Archway': (192, 0, 128),
    'Bicyclist': (0, 128, 192),
    'Bridge': (0, 128, 64),
    'Building': (128, 0, 0),
    'Car': (64, 0, 128),
    'CartLuggagePram': (64, 0, 192),
    'Child': (192, 128, 64),
    'Column_Pole': (192, 192, 128),
    'Fence': (64, 64, 128),
    'LaneMkgsDriv': (128, 0, 192),
    'LaneMkgsNonDriv': (192, 0, 64),
    'Misc_Text': (128, 128, 64),
    'MotorcycleScooter': (192, 0, 192),
    'OtherMoving': (128, 64, 64),
    'ParkingBlock': (64, 192, 128),
    'Pedestrian': (64, 64, 0),
    'Road': (128, 64, 128),
    'RoadShoulder': (128, 128, 192),
    'Sidewalk': (0, 0, 192),
    'SignSymbol': (192, 128, 128),
    'Sky': (128, 128, 128),
    'SUVPickupTruck': (64, 128, 192),
    'TrafficCone': (0, 0, 64),
    'TrafficLight': (0, 64, 64),
    'Train': (192, 64, 128),
    'Tree': (128, 128, 0),
    'Truck_Bus': (192, 128, 192),
    'Tunnel': (64, 0, 64),
    'VegetationMisc': (192, 192, 0),
    'Void': (0, 0, 0),
    'Wall': (64, 192, 0),
}

# The label value is the position.
CLASSES_11 = (
    'Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence', 'Car',
    'Pedestrian', 'Bicyclist', 'Void',
)  # fmt: skip


class CamVidReader(Reader):
    """`images` and `masks` name folders.

    With `split` instead of `masks` they are <split> and <split>annot, both below `images`. Which
    of the two forms the labels have is found out from the first of them.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.images = root / config.images / config.split
        self.masks = root / config.masks
        if not config.masks:
            if not config.split:
                raise LaneSegError(
                    'expected "masks", the folder of labels, or "split" for folders <split> and '
                    '<split>annot, found neither'
                )
            self.masks = root / config.images / f'{config.split}annot'
        self.palette = Palette.from_colours(COLOURS) if self._is_coloured else None
        self.names = (
            dict(self.palette.values)
            if self.palette
            else {name: value for value, name in enumerate(CLASSES_11)}
        )

    def pairs(self) -> list[Pair]:
        """Images with the label of the same stem, or of that and _L."""
        labels = self._labels()
        end = END if self._is_coloured else ''
        return [
            Pair(name, image, labels.get(name, self.masks / f'{name}{end}{LABEL_SUFFIX}'))
            for name, image in self._images().items()
        ]

    def orphans(self) -> list[Path]:
        """Labels without an image."""
        return orphans_in(self._labels(), self._images())

    def found(self) -> str:
        """Which form the labels have."""
        form = 'colours of 32 classes' if self._is_coloured else 'values of 11 classes'
        return f'labels hold {form}'

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read colours or values."""
        label = label_from_file(pair.label, colours=self._is_coloured)
        if (label.ndim == 3) != self._is_coloured:
            raise LaneSegError(
                f'{pair.label}: expected {self.found()[12:]} like the first label, found the '
                'other form; keep the forms in folders of their own'
            )
        if self.palette:
            return self.palette.values_from_colours(label, pair.label)
        if label.max() >= len(CLASSES_11):
            raise LaneSegError(
                f'{pair.label}: expected values 0..{len(CLASSES_11) - 1} of the 11 classes and '
                f'void, found {label.max()}; use the format folders for labels of other classes'
            )
        return label

    @cached_property
    def _is_coloured(self) -> bool:
        labels = list(self._labels().values())
        return bool(labels) and label_from_file(labels[0]).ndim == 3

    def _images(self) -> dict[str, Path]:
        return by_name(images_in(self.images, self.config))

    def _labels(self) -> dict[str, Path]:
        labels = by_name(files_in(self.masks, self.config, [LABEL_SUFFIX]))
        return {
            name[: -len(END)] if name.endswith(END) else name: path
            for name, path in labels.items()
        }
