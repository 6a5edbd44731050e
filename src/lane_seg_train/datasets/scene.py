"""Frames of the procedural road scene: exact labels without any file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.errors import LaneSegError
from lane_seg_scene import BACKGROUND, LANE_MARKING, ROAD, RoadScene
from lane_seg_train.datasets.reader import SCENE, Pair, Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lane_seg_train.config import DataConfig

__all__ = ['SceneReader']

LONGEST_S = 300.0


class SceneReader(Reader):
    """`scene_frames` moments of each of the seeds that `scene_seeds` names."""

    has_files = False

    def __init__(self, config: DataConfig, root: Path, size: tuple[int, int]) -> None:
        super().__init__(config, root, size)
        self.names = {'background': BACKGROUND, 'road': ROAD, 'lane_marking': LANE_MARKING}
        first, count = config.scene_seeds
        if first < 0 or count < 1 or config.scene_frames < 1:
            raise LaneSegError(
                'expected scene_seeds [first, count] with first of at least 0, count and '
                f'scene_frames of at least 1, found [{first}, {count}] and {config.scene_frames}'
            )

    def pairs(self) -> list[Pair]:
        """One pair for each frame; its files exist by name only."""
        first, count = self.config.scene_seeds
        names = [
            f'{SCENE}_{seed}_{frame}'
            for seed in range(first, first + count)
            for frame in range(self.config.scene_frames)
        ]
        return [Pair(name, Path(SCENE, name), Path(SCENE, name)) for name in names]

    def label(self, pair: Pair, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Render the frame again for its label."""
        return self.read(pair)[1]

    def read(self, pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Render a frame at twice the model's size.

        Scaling it down then softens edges as it does for a camera.
        """
        seed, frame = (int(number) for number in pair.name.split('_')[1:])
        times_s = np.random.default_rng(seed).uniform(0, LONGEST_S, self.config.scene_frames)
        picture = _scene(seed, 2 * self.size[0], 2 * self.size[1]).frame(float(times_s[frame]))
        return picture.image, picture.label


@lru_cache(maxsize=1)
def _scene(seed: int, height: int, width: int) -> RoadScene:
    """The scene of the last frame: most of the time goes into painting a new one."""
    try:
        return RoadScene(seed, height=height, width=width)
    except ValueError as error:
        raise LaneSegError(f'{SCENE}: expected a scene that can be drawn: {error}') from error
