"""Images with admissible-set labels: from folders, or from the procedural road scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.preprocess import tensor_from_image
from lane_seg_train.label_sets import LabelTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['LaneData', 'Pair', 'SCENE', 'open_data', 'pairs_of']

# image (H, W, 3) uint8 BGR, admissible sets (H, W) uint8
Example = tuple['NDArray[np.uint8]', 'NDArray[np.uint8]']
SCENE = 'scene'
CHANNELS = ('blue', 'green', 'red')  # as OpenCV reads a colour PNG
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')


@dataclass(frozen=True)
class Pair:
    """An image file and its label file."""

    image: Path
    label: Path


def pairs_of(config: DataConfig, root: Path) -> list[Pair]:
    """List the image/label pairs of a folder data set, in the order of their names.

    Raises:
        LaneSegError: a folder is absent, no image lies in it, or an image has no label.
    """
    folder, masks = root / config.images, root / config.masks
    for path in (folder, masks):
        if not path.is_dir():
            raise LaneSegError(
                f'data set {config.name!r}: expected a folder {path}, found none; '
                f'point --data at the folder that holds {config.images}'
            )
    images = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    block = [
        path
        for path in images
        if path.stem >= config.first and (not config.before or path.stem < config.before)
    ]
    if not block:
        raise LaneSegError(
            f'data set {config.name!r}: expected images ({", ".join(IMAGE_SUFFIXES)}) in '
            f'{folder}, found none of {len(images)} with first={config.first!r} and '
            f'before={config.before!r}'
        )
    pairs = [Pair(path, masks / f'{path.stem}.png') for path in block]
    unpaired = [pair.image.name for pair in pairs if not pair.label.is_file()]
    if unpaired:
        raise LaneSegError(
            f'data set {config.name!r}: expected a label <stem>.png in {masks} for every image, '
            f'found none for {len(unpaired)} of {len(pairs)}, for example {unpaired[0]}'
        )
    return pairs


class LaneData:
    """A data set held in memory at the model's size.

    Scaling 1,500 images once and keeping them (0.5 MB each) leaves both cores to the network.

    Attributes:
        name: as in the configuration.
        table: what the label values mean.
        size: the model's (height, width).
    """

    def __init__(
        self,
        config: DataConfig,
        classes: Sequence[str],
        size: tuple[int, int],
        root: Path,
    ) -> None:
        self.name = config.name
        self.config = config
        self.table = LabelTable.from_config(config.labels, classes)
        self.size = size
        self.root = root
        if config.channel and config.channel not in CHANNELS:
            raise LaneSegError(
                f'data set {config.name!r}: expected "channel" out of {CHANNELS}, '
                f'found {config.channel!r}'
            )
        if config.images == SCENE and not len(self):
            raise LaneSegError(
                f'data set {config.name!r}: expected scene_seeds [first, count] and scene_frames '
                f'of at least 1, found {list(config.scene_seeds)} and {config.scene_frames}'
            )

    @cached_property
    def examples(self) -> list[Example]:
        """All examples at the model's size, read on first use."""
        width_height = (self.size[1], self.size[0])
        return [
            (
                tensor_from_image(image, self.size),
                np.asarray(
                    cv2.resize(bits, width_height, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
                ),
            )
            for image, bits in self.originals()
        ]

    def originals(self) -> Iterator[Example]:
        """Read the examples one by one at their own size."""
        if self.config.images == SCENE:
            frames = self._scene_frames()
        else:
            frames = map(self._read, pairs_of(self.config, self.root))
        for image, label, source in frames:
            yield image, self.table.bits_from_label(label, source)

    def __len__(self) -> int:
        if self.config.images == SCENE:
            return max(0, self.config.scene_seeds[1] * self.config.scene_frames)
        return len(pairs_of(self.config, self.root))

    def _read(self, pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
        image = _read_image(pair.image, cv2.IMREAD_COLOR)
        label = _read_image(pair.label, cv2.IMREAD_UNCHANGED)
        if self.config.channel and label.ndim == 3:
            label = np.ascontiguousarray(label[..., CHANNELS.index(self.config.channel)])
        if label.shape != image.shape[:2] or label.dtype != np.uint8:
            raise LaneSegError(
                f'{pair.label}: expected one 8-bit channel of {image.shape[1]}x{image.shape[0]} '
                f'like its image, found {label.dtype} of shape {label.shape}; for a value held in '
                f'one channel of a colour PNG set "channel" to one of {CHANNELS}'
            )
        return image, label, str(pair.label)

    def _scene_frames(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], str]]:
        from lane_seg_scene import RoadScene

        first, count = self.config.scene_seeds
        for seed in range(first, first + count):
            # Twice the model's size, so that scaling down softens edges as it does for a camera.
            scene = RoadScene(seed, height=2 * self.size[0], width=2 * self.size[1])
            rng = np.random.default_rng(seed)
            for time_s in rng.uniform(0, 300, self.config.scene_frames):
                frame = scene.frame(float(time_s))
                yield frame.image, frame.label, f'{SCENE} {seed} at {time_s:.2f} s'


def open_data(
    configs: Sequence[DataConfig], classes: Sequence[str], size: tuple[int, int], root: Path
) -> list[LaneData]:
    """Prepare data sets (files are read on first use of `examples`).

    Args:
        configs: the data sets of a run.
        classes: class names in the order of their ids.
        size: the model's (height, width) in pixels.
        root: the folder that --data names.
    """
    return [LaneData(config, classes, size, root) for config in configs]


def _read_image(path: Path, flags: int) -> NDArray[np.uint8]:
    array = cv2.imread(str(path), flags)
    if array is None:
        raise LaneSegError(
            f'{path}: expected a readable image, found a corrupt file; '
            'restore it, or move it and its partner out of the data set'
        )
    # Sixteen-bit labels stay as they are here: the caller refuses them.
    return cast('NDArray[np.uint8]', array)
