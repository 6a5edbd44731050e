"""What reads a data set: pairs of files, and for each pair an image and its label values."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg.sources import image_from_file

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['FORMATS', 'SCENE', 'Names', 'Pair', 'Reader', 'open_reader']

SCENE = 'scene'

# Format -> class in the module of that name; imported when a data set asks for it.
FORMATS = {
    'camvid': 'CamVidReader',
    'carla': 'CarlaReader',
    'cityscapes': 'CityscapesReader',
    'coco': 'CocoReader',
    'folders': 'FoldersReader',
    'kitti_road': 'KittiRoadReader',
    'polylines': 'PolylinesReader',
    SCENE: 'SceneReader',
    'voc': 'VocReader',
}

# What a data set calls its label values; a name may stand for several.
Names = dict[str, 'int | tuple[int, ...]']


@dataclass(frozen=True)
class Pair:
    """An image and where its label stands.

    Attributes:
        name: without suffix and different for each pair of a data set; lists of files name it.
        image: file of the image; of the scene a name only.
        label: file of the label; several pairs may share a file of annotations.
    """

    name: str
    image: Path
    label: Path


class Reader(ABC):
    """A data set on disk, before any selection.

    Attributes:
        config: as the run states it.
        root: the folder that --data names.
        size: the model's (height, width), for pictures that are rendered.
        names: what the data set calls its label values.
        has_files: False if pairs are rendered and not read.
    """

    has_files = True

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        self.config = config
        self.root = root
        self.size = size
        self.names: Names = {}

    @abstractmethod
    def pairs(self) -> list[Pair]:
        """All images in natural order, each with the label that it should have.

        Raises:
            LaneSegError: a folder is absent, or holds no image.
        """

    @abstractmethod
    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read a label.

        Args:
            pair: one of `pairs`.
            size: (height, width) of its image, for labels that are drawn.

        Returns:
            (H, W) uint8 label values.

        Raises:
            LaneSegError: the file cannot be used, or holds what the data set does not know.
        """

    def orphans(self) -> list[Path]:
        """Labels without an image, in natural order."""
        return []

    def found(self) -> str:
        """What was found out about the labels by looking at them; '' if nothing was to find."""
        return ''

    def read(self, pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Read one pair.

        Returns:
            image (H, W, 3) uint8 BGR, label values (H, W) uint8.

        Raises:
            LaneSegError: a file cannot be used, or the label has another size than the image.
        """
        image = image_from_file(pair.image)
        height, width = image.shape[:2]
        label = self.label(pair, (height, width))
        if label.shape != (height, width):
            raise LaneSegError(
                f'{pair.label}: expected a label of {width}x{height} like its image {pair.image}, '
                f'found {label.shape[1]}x{label.shape[0]}; scale it with nearest neighbour, or '
                'take the pair out'
            )
        return image, label


def open_reader(config: DataConfig, root: Path, size: tuple[int, int] = (256, 512)) -> Reader:
    """Open the reader of a data set's format.

    Args:
        config: the data set.
        root: the folder that --data names.
        size: the model's (height, width) in pixels.

    Raises:
        LaneSegError: an unknown format, or a list of classes or annotations that cannot be read.
    """
    name = SCENE if config.images == SCENE else config.format
    if name not in FORMATS:
        raise LaneSegError(
            f'expected "format" out of {", ".join(FORMATS)}, '
            f'found {name!r}{nearest(name, list(FORMATS))}'
        )
    module = importlib.import_module(f'lane_seg_train.datasets.{name}')
    return cast('Reader', getattr(module, FORMATS[name])(config, root, size))
