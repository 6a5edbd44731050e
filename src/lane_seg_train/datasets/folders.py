"""Images in one folder, label PNGs with the same stems in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette
from lane_seg_train.datasets.reader import Pair, Reader

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['CHANNELS', 'FoldersReader']

CHANNELS = ('blue', 'green', 'red')  # as OpenCV orders them


class FoldersReader(Reader):
    """Labels hold values, indices of a palette, values in one channel, or listed colours."""

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        if not config.masks:
            raise LaneSegError('expected "masks", the folder of label PNGs, found none; set it')
        if config.channel and config.channel not in CHANNELS:
            raise LaneSegError(f'expected "channel" out of {CHANNELS}, found {config.channel!r}')
        if config.channel and config.palette:
            raise LaneSegError(
                'expected "channel" or "palette", found both; a label value is one channel of a '
                'colour, or the colour as a whole'
            )
        self.palette = Palette.from_colours(config.palette) if config.palette else None
        if self.palette:
            self.names = dict(self.palette.values)

    def pairs(self) -> list[Pair]:
        """Images of the folder with the PNG of the same stem."""
        masks = self.root / self.config.masks
        files_in(masks, self.config, ())
        return [
            Pair(name, image, masks / f'{name}{LABEL_SUFFIX}')
            for name, image in self._images().items()
        ]

    def orphans(self) -> list[Path]:
        """Label PNGs without an image of the same stem."""
        labels = files_in(self.root / self.config.masks, self.config, [LABEL_SUFFIX])
        return orphans_in(by_name(labels), self._images())

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read the PNG."""
        label = label_from_file(pair.label, colours=bool(self.palette or self.config.channel))
        if self.palette:
            return self.palette.values_from_colours(label, pair.label)
        if label.ndim == 2:
            return label
        if not self.config.channel:
            raise LaneSegError(
                f'{pair.label}: expected one value for each pixel, found colours; give the '
                f'"palette" of the data set, or set "channel" to one of {CHANNELS} if the value '
                'is held in one channel'
            )
        return np.ascontiguousarray(label[..., CHANNELS.index(self.config.channel)])

    def _images(self) -> dict[str, Path]:
        return by_name(images_in(self.root / self.config.images, self.config))
