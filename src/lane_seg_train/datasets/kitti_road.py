"""KITTI road: image_2/um_000000.png with gt_image_2/um_road_000000.png and um_lane_000000.png.

Layout and colours: J. Fritsch, T. Kuehnl, A. Geiger, "A New Performance Measure and Evaluation
Benchmark for Road Detection Algorithms", ITSC 2013, and the benchmark's development kit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.nearest import nearest
from lane_seg_train.datasets.label_png import label_from_file
from lane_seg_train.datasets.pairing import LABEL_SUFFIX, by_name, files_in, images_in, orphans_in
from lane_seg_train.datasets.palette import Palette
from lane_seg_train.datasets.reader import Pair, Reader

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['KittiRoadReader']

IMAGES, LABELS = 'image_2', 'gt_image_2'
SCENES = ('um', 'umm', 'uu')  # urban: marked, with multiple lanes, unmarked
KINDS = ('road', 'lane')
VOID = 255


class KittiRoadReader(Reader):
    """`images` names the folder that holds image_2 and gt_image_2.

    `masks` is 'road' (the default) or 'lane', the lane of the own car, which only um images have;
    `split` is um, umm, uu, or empty for all of them.
    """

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.folder = root / config.images
        self.kind = config.masks or KINDS[0]
        if self.kind not in KINDS:
            raise LaneSegError(
                f'expected "masks" out of {", ".join(KINDS)}, found {self.kind!r}'
                f'{nearest(self.kind, KINDS)}'
            )
        if config.split and config.split not in SCENES:
            raise LaneSegError(
                f'expected "split" out of {", ".join(SCENES)} or empty, found {config.split!r}'
            )
        only_um = SCENES[:1] if self.kind == 'lane' else SCENES
        self.scenes = [scene for scene in only_um if config.split in ('', scene)]
        self.palette = Palette.from_colours(
            {self.kind: (255, 0, 255), f'not_{self.kind}': (255, 0, 0), 'void': (0, 0, 0)},
            {self.kind: 1, f'not_{self.kind}': 0, 'void': VOID},
        )
        self.names = dict(self.palette.values)

    def pairs(self) -> list[Pair]:
        """Images of the scenes with the label of the same number."""
        labels = self.folder / LABELS
        return [
            Pair(name, image, labels / f'{self._label_name(name)}{LABEL_SUFFIX}')
            for name, image in self._images().items()
        ]

    def orphans(self) -> list[Path]:
        """Labels of this kind without an image."""
        labels = by_name(files_in(self.folder / LABELS, self.config, [LABEL_SUFFIX]))
        expected = {self._label_name(name): image for name, image in self._images().items()}
        starts = tuple(f'{scene}_{self.kind}_' for scene in self.scenes)
        wanted = {name: path for name, path in labels.items() if name.startswith(starts)}
        return orphans_in(wanted, expected)

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Read magenta as the road, red as not the road, black as void."""
        return self.palette.values_from_colours(label_from_file(pair.label), pair.label)

    def _images(self) -> dict[str, Path]:
        images = by_name(images_in(self.folder / IMAGES, self.config))
        starts = tuple(f'{scene}_' for scene in self.scenes)
        return {name: path for name, path in images.items() if name.startswith(starts)}

    def _label_name(self, name: str) -> str:
        scene, number = name.split('_', 1)
        return f'{scene}_{self.kind}_{number}'
