"""The images to compare on: labelled sets of a recipe, a folder, or the built-in road scene."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg.preprocess import tensor_from_image
from lane_seg.sources import ImageSource, open_source
from lane_seg_train.datasets.selection import evenly_spaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.datasets import LaneData, Pair
    from lane_seg_train.label_sets import LabelTable

__all__ = ['FrameSet', 'folder_frames', 'labelled_frames', 'scene_frames', 'timed_tensors']

TIMED = 8  # different frames that are timed

# Neither training, nor tests, nor the demo use these seeds.
SCENE_SEEDS = range(3000, 3004)
SCENE_FRAMES = 6  # of each seed, 2 s apart


@dataclass(frozen=True)
class FrameSet:
    """Images that can be read one by one.

    Attributes:
        name: of the set.
        names: of the images.
        read: gives image number i: (H, W, 3) uint8 BGR, and its target, (H, W) uint8 target ids,
            or None where there is no label.
        table: what the target ids mean; None without labels.
    """

    name: str
    names: tuple[str, ...]
    read: Callable[[int], tuple[NDArray[np.uint8], NDArray[np.uint8] | None]]
    table: LabelTable | None = None


def labelled_frames(
    config: TrainConfig,
    classes: Sequence[str],
    size: tuple[int, int],
    root: Path,
    limit: int,
) -> list[FrameSet]:
    """The validation sets of a recipe.

    Args:
        config: the recipe.
        classes: names in the order of their ids.
        size: the model's (height, width) in pixels.
        root: folder that holds the data sets.
        limit: images of each set at most, evenly spaced; 0 takes all.

    Raises:
        LaneSegError: a data set cannot be opened.
    """
    from lane_seg_train.datasets import open_data

    sets = []
    for data in open_data(config.val, classes, size, root):
        pairs = evenly_spaced(data.pairs, limit)
        sets.append(
            FrameSet(
                name=data.name,
                names=tuple(pair.name for pair in pairs),
                read=partial(_read_pair, data, pairs),
                table=data.table,
            )
        )
    return sets


def _read_pair(
    data: LaneData, pairs: Sequence[Pair], index: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return data.read(pairs[index])


def folder_frames(folder: Path, limit: int) -> list[FrameSet]:
    """The images of a folder, or one image; they have no labels.

    Args:
        folder: path.
        limit: images at most, evenly spaced; 0 takes all.

    Raises:
        LaneSegError: no image there.
    """
    source = open_source(folder)
    if not isinstance(source, ImageSource):
        raise LaneSegError(f'--images: expected a folder of images, found a video: {folder}')
    source = dataclasses.replace(source, files=tuple(evenly_spaced(source.files, limit)))
    one_by_one = [dataclasses.replace(source, files=(file,)) for file in source.files]
    return [
        FrameSet(
            name=folder.name or str(folder),
            names=tuple(file.as_posix() for file in source.files),
            read=lambda index: (next(iter(one_by_one[index])).image, None),
        )
    ]


def scene_frames(limit: int) -> list[FrameSet]:
    """Frames of the built-in road scene, 1280x720, rendered here.

    Args:
        limit: images at most; 0 takes all.
    """
    from lane_seg_scene import RoadScene

    places = [(seed, 2.0 * step) for seed in SCENE_SEEDS for step in range(SCENE_FRAMES)]
    places = list(evenly_spaced(places, limit))
    scenes: dict[int, RoadScene] = {}

    def read(index: int) -> tuple[NDArray[np.uint8], None]:
        seed, time_s = places[index]
        if seed not in scenes:
            scenes.clear()  # one at a time: each holds its textures
            scenes[seed] = RoadScene(seed)
        return scenes[seed].frame(time_s).image, None

    names = tuple(f'seed {seed}, {time_s:.0f} s' for seed, time_s in places)
    return [FrameSet('road scene', names, read)]


def timed_tensors(sets: Sequence[FrameSet], bundle: ModelBundle) -> NDArray[np.uint8]:
    """Some frames out of all, evenly spaced, as the model takes them.

    Returns:
        (N, height, width, 3) uint8 BGR, N at most TIMED.
    """
    places = [(frames, index) for frames in sets for index in range(len(frames.names))]
    size = (bundle.height, bundle.width)
    return np.stack(
        [
            tensor_from_image(frames.read(index)[0], size, bundle.fit)
            for frames, index in evenly_spaced(places, TIMED)
        ]
    )
