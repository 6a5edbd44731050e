"""Numbers of whole data sets: classes, sizes, colours, brightness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lane_seg_train.data_tools.chosen_sets import TRAIN
from lane_seg_train.data_tools.image_stats import ImageStats, stats_of
from lane_seg_train.data_tools.meanings import foreground_ids, meaning, members
from lane_seg_train.data_tools.parallel import mapped
from lane_seg_train.label_sets import ANY_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lane_seg_train.data_tools.chosen_sets import ChosenSet
    from lane_seg_train.datasets import LaneData
    from lane_seg_train.label_sets import LabelTable

__all__ = ['SetStats', 'class_weights', 'meanings_of', 'set_stats']


@dataclass(frozen=True)
class SetStats:
    """Numbers of one data set.

    Attributes:
        chosen: the data set.
        table: what its target ids mean.
        images: one for each pair that could be read, in order.
        broken: what is wrong with the others.
    """

    chosen: ChosenSet
    table: LabelTable
    images: list[ImageStats]
    broken: list[str]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Pixels of each target id in each image, (images, 256)."""
        rows = [image.targets for image in self.images]
        return np.stack(rows) if rows else np.zeros((0, 256), np.int64)

    @property
    def targets(self) -> list[int]:
        """Target ids to report: all that the labels can mean, and 255 if it occurs."""
        produced = np.asarray(self.table.sets.any(axis=1), np.bool_)
        produced[ANY_ID] = self.counts[:, ANY_ID].any()
        return np.flatnonzero(produced).tolist()

    def pixel_share(self, target: int) -> float:
        """Share of all pixels that have a target id, 0..1."""
        total = int(self.counts.sum())
        return float(self.counts[:, target].sum() / total) if total else 0.0

    def image_count(self, target: int) -> int:
        """Number of images in which a target id occurs."""
        return int((self.counts[:, target] > 0).sum())

    @property
    def foreground_shares(self) -> NDArray[np.float64]:
        """Share of each image that is foreground, (images,) 0..1."""
        inside = self.counts[:, foreground_ids(self.table)].sum(axis=1)
        return np.asarray(inside / np.maximum(1, self.counts.sum(axis=1)), np.float64)

    @property
    def channel_means(self) -> NDArray[np.float64]:
        """Mean of blue, green and red over all pixels, (3,), grey levels."""
        return self._mean_of([image.channel_sums for image in self.images])

    @property
    def channel_deviations(self) -> NDArray[np.float64]:
        """Standard deviation of blue, green and red over all pixels, (3,), grey levels."""
        squares = self._mean_of([image.channel_squares for image in self.images])
        return np.sqrt(np.maximum(0.0, squares - self.channel_means**2))

    @property
    def brightness(self) -> NDArray[np.float64]:
        """Share of the pixels that have each grey level, (256,)."""
        total = np.zeros(256) + sum(image.brightness for image in self.images)
        return np.asarray(total / max(1.0, float(total.sum())), np.float64)

    def _mean_of(self, sums: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        pixels = sum(image.pixels for image in self.images)
        return np.asarray(np.zeros(3) + sum(sums), np.float64) / max(1, pixels)


def set_stats(opened: Sequence[tuple[ChosenSet, LaneData]], *, workers: int = 0) -> list[SetStats]:
    """Read all pairs of data sets and count.

    Args:
        opened: the data sets.
        workers: processes that read; 0 takes one for each core.

    Raises:
        LaneSegError: the pairs of a set cannot be listed.
    """
    jobs = [(index, pair) for index, (_, data) in enumerate(opened) for pair in data.pairs]
    sets = [data for _, data in opened]
    found: list[SetStats] = [SetStats(chosen, data.table, [], []) for chosen, data in opened]
    results = mapped(stats_of, sets, jobs, text=f'measuring {len(jobs)} images', workers=workers)
    for (index, _), result in zip(jobs, results, strict=True):
        if isinstance(result, ImageStats):
            found[index].images.append(result)
        else:
            found[index].broken.append(result)
    return found


def meanings_of(stats: Sequence[SetStats]) -> dict[str, tuple[LabelTable, int]]:
    """All that labels of data sets mean: words -> a table and its target id.

    Classes come first, in the order of their ids, then choices of classes, then what is ignored.
    """
    found = [(item.table, target) for item in stats for target in item.targets]
    found.sort(key=lambda pair: (pair[1] == ANY_ID, len(members(*pair)), members(*pair)))
    return {meaning(table, target): (table, target) for table, target in found}


def class_weights(stats: Sequence[SetStats]) -> dict[str, float]:
    """Suggest weights for the loss by median frequency balancing.

    D. Eigen and R. Fergus, "Predicting Depth, Surface Normals and Semantic Labels with a Common
    Multi-Scale Convolutional Architecture", ICCV 2015: the weight of a class is the
    median of all frequencies over its own, and the frequency is the number of its pixels over the
    number of pixels of all images in which it occurs.

    Pixels that may be several classes count for none of them, but in the number of all pixels;
    ignored pixels count nowhere. Only training sets count, each image as often as `repeat` says.

    Args:
        stats: numbers of data sets.

    Returns:
        Class -> weight with three significant digits; classes that occur nowhere are left out.
    """
    own: dict[str, float] = {}
    around: dict[str, float] = {}
    for item in stats:
        if item.chosen.part != TRAIN:
            continue
        labelled = item.counts[:, :ANY_ID].sum(axis=1)
        for index, name in enumerate(item.table.classes):
            pixels = item.counts[:, index]
            repeat = item.chosen.config.repeat
            own[name] = own.get(name, 0.0) + repeat * float(pixels.sum())
            around[name] = around.get(name, 0.0) + repeat * float(labelled[pixels > 0].sum())
    frequencies = {name: own[name] / around[name] for name in own if own[name]}
    if not frequencies:
        return {}
    median = float(np.median(list(frequencies.values())))
    return {name: float(f'{median / value:.3g}') for name, value in frequencies.items()}
