"""A data set as training sees it: selected pairs, their labels as targets, at the model's size."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.machine import usable_cores
from lane_seg.preprocess import tensor_from_image
from lane_seg_train.datasets.ahead import mapped_ahead
from lane_seg_train.datasets.cache import examples_of
from lane_seg_train.datasets.pairing import check_labels
from lane_seg_train.datasets.progress import shown
from lane_seg_train.datasets.reader import open_reader
from lane_seg_train.datasets.selection import evenly_spaced, selected_by_name
from lane_seg_train.label_sets import LabelTable, class_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig
    from lane_seg_train.datasets.reader import Pair, Reader

__all__ = ['Example', 'LaneData', 'open_data', 'pairs_of', 'resized']

T = TypeVar('T')

# image (H, W, 3) uint8 BGR, target (H, W) uint8
Example = tuple['NDArray[np.uint8]', 'NDArray[np.uint8]']

# Raised when the same files and configuration give other examples than before.
CACHE_VERSION = 1
# Keys of a configuration that do not change what an example looks like.
_ASIDE = ('name', 'repeat', 'licence')


class LaneData:
    """A data set at the model's size.

    Scaling the images once and keeping them leaves the cores to the network. An example takes
    height x width x 4 bytes: 0.5 MB at 256x512, 8,192 of them in the 4 GiB of memory that a data
    set may take. A larger one lies in a file on disk, see `lane_seg_train.datasets.cache`.

    Attributes:
        name: as in the configuration.
        config: the configuration.
        root: the folder that --data names.
        size: the model's (height, width).
        reader: of the data set's format.
        table: what the label values mean.
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
        self.root = root
        self.size = size
        with _naming(config):
            self.reader: Reader = open_reader(config, root, size)
            self.table = LabelTable.from_config(config.labels, classes, self.reader.names)
            self._foreground = self._foreground_ids()

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs that the configuration selects, in natural order.

        Raises:
            LaneSegError: nothing is left, an image has no label, or - with `strict` - a label no
                image.
        """
        with _naming(self.config):
            pairs = _pairs_by_name(self.reader)
        if self._foreground is not None:
            pairs = self._with_foreground(pairs, self._foreground)
        return evenly_spaced(pairs, self.config.limit)

    @property
    def names(self) -> list[str]:
        """Names of the pairs, in the order of `examples` and `originals`."""
        return [pair.name for pair in self.pairs]

    @property
    def nbytes(self) -> int:
        """What all examples take, in memory or on disk."""
        return len(self) * self.size[0] * self.size[1] * 4

    @cached_property
    def examples(self) -> list[Example]:
        """All examples at the model's size, read on first use."""
        text = (
            f'reading {self.name}: {len(self)} images, {self.nbytes / 1e9:.2f} GB at '
            f'{self.size[1]}x{self.size[0]}'
        )
        frames = self._mapped(lambda pair: resized(*self.read(pair), self.size), self.pairs, text)
        return examples_of(frames, len(self), self.size, self._key)

    def originals(self) -> Iterator[Example]:
        """Read the examples one by one at their own size."""
        return map(self.read, self.pairs)

    def read(self, pair: Pair) -> Example:
        """Read a pair at its own size.

        Returns:
            image (H, W, 3) uint8 BGR, target (H, W) uint8.

        Raises:
            LaneSegError: a file cannot be used, sizes differ, or a label value is not known.
        """
        image, label = self.reader.read(pair)
        return image, self.table.target_from_label(label, str(pair.label))

    def __len__(self) -> int:
        return len(self.pairs)

    def _mapped(
        self, function: Callable[[Pair], T], pairs: Sequence[Pair], text: str
    ) -> Iterator[T]:
        """Apply a function to pairs, in threads where that is possible, and show how far it is."""
        workers = usable_cores() if self.reader.has_files else 1
        return shown(mapped_ahead(function, pairs, workers), text, len(pairs))

    def _with_foreground(self, pairs: list[Pair], counted: NDArray[np.bool_]) -> list[Pair]:
        low, high = self.config.foreground_share
        shares = list(
            self._mapped(
                lambda pair: float(counted[self.read(pair)[1]].mean()),
                pairs,
                f'measuring the foreground of {self.name}: {len(pairs)} images',
            )
        )
        taken = [pair for pair, share in zip(pairs, shares, strict=True) if low <= share <= high]
        if not taken:
            raise LaneSegError(
                f'data set {self.name!r}: expected images with a share of '
                f'{"+".join(self.config.foreground)} of {low} to {high}, found shares of '
                f'{min(shares):.4f} to {max(shares):.4f}; change "foreground_share"'
            )
        return taken

    def _foreground_ids(self) -> NDArray[np.bool_] | None:
        """Target ids that `foreground` covers whole, (256,) bool; None without a selection."""
        low, high = self.config.foreground_share
        if not self.config.foreground:
            if (low, high) != (0.0, 1.0):
                raise LaneSegError(
                    f'expected "foreground" with the classes that foreground_share [{low}, {high}]'
                    ' counts, found none'
                )
            return None
        counted = np.zeros(len(self.table.classes), np.bool_)
        counted[list(class_set(self.config.foreground, self.table.classes))] = True
        sets = self.table.sets
        return np.asarray(sets.any(axis=1) & ~(sets & ~counted).any(axis=1), np.bool_)

    def _key(self) -> str:
        """Name of the file of examples: a hash of all that they depend on."""
        config = {
            key: value
            for key, value in dataclasses.asdict(self.config).items()
            if key not in _ASIDE
        }
        files = {path for pair in self.pairs for path in (pair.image, pair.label)}
        stats = [
            (str(path), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(files)
            if path.is_file()
        ]
        names = [pair.name for pair in self.pairs]
        parts = [CACHE_VERSION, config, self.table.classes, self.size, names, stats]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def open_data(
    configs: Sequence[DataConfig], classes: Sequence[str], size: tuple[int, int], root: Path
) -> list[LaneData]:
    """Prepare data sets; images are read on first use of `examples`.

    Args:
        configs: the data sets of a run.
        classes: class names in the order of their ids.
        size: the model's (height, width) in pixels.
        root: the folder that --data names.

    Raises:
        LaneSegError: a configuration that does not fit its data set.
    """
    return [LaneData(config, classes, size, root) for config in configs]


def pairs_of(config: DataConfig, root: Path) -> list[Pair]:
    """List the pairs of a data set that are selected by name, in natural order.

    `foreground_share` and `limit` are applied by `LaneData.pairs` only.

    Raises:
        LaneSegError: a folder is absent, nothing is left, or an image has no label.
    """
    with _naming(config):
        return _pairs_by_name(open_reader(config, root))


def resized(image: NDArray[np.uint8], target: NDArray[np.uint8], size: tuple[int, int]) -> Example:
    """Scale an example to the model's size: the image as in the car, the target nearest.

    Args:
        image: (H, W, 3) uint8 BGR.
        target: (H, W) uint8 target or label values.
        size: (height, width) in pixels.

    Returns:
        image (height, width, 3) uint8 BGR, target (height, width) uint8 of values of `target`.
    """
    nearest = cv2.resize(target, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return tensor_from_image(image, size), np.asarray(nearest, np.uint8)


@contextlib.contextmanager
def _naming(config: DataConfig) -> Iterator[None]:
    """Put the name of the data set before an error: a recipe has several."""
    try:
        yield
    except LaneSegError as error:
        raise LaneSegError(f'data set {config.name!r}: {error}') from error


def _pairs_by_name(reader: Reader) -> list[Pair]:
    config = reader.config
    pairs = selected_by_name(reader.pairs(), config, reader.root)
    if reader.has_files:
        check_labels(pairs)
    if config.strict and (orphans := reader.orphans()):
        raise LaneSegError(
            f'expected an image for every label, found none for {len(orphans)}, for example '
            f'{orphans[0]}; add the images, take the labels away, or set strict: false'
        )
    return pairs
