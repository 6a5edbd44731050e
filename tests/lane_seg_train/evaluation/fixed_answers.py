"""A pipeline whose answers are known, and a data set of files to ask it about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lane_seg.pipeline import LanePipeline
from lane_seg_train.checkpoint_engine import CheckpointModel
from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData
from tests.lane_seg_train.tiny_training import random_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = ('background', 'road', 'lane_marking')
# Of random_checkpoint; images of this size are not scaled.
SIZE = (64, 128)
LABELS: dict[str | int, str | list[str]] = {
    0: 'background', 1: 'road', 2: 'lane_marking', 9: 'any'
}  # fmt: skip


class PaintedAnswers:
    """An engine that reads the class of a pixel from the blue channel: 50 for each class."""

    name = 'painted'
    version = '1'
    threads = 1

    def infer(self, tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(tensor[..., 0] // 50, np.uint8)

    def close(self) -> None:
        pass

    def __enter__(self) -> PaintedAnswers:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def painted_pipeline() -> LanePipeline:
    """A pipeline that predicts what is painted."""
    return LanePipeline(CheckpointModel.of(random_checkpoint()), PaintedAnswers())  # type: ignore[arg-type]


def picture(answer: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image to which the pipeline answers so."""
    return np.repeat(answer[..., None] * np.uint8(50) + np.uint8(10), 3, axis=2)


def blank() -> NDArray[np.uint8]:
    return np.zeros(SIZE, np.uint8)


def lane(*columns: int, width: int = 6) -> NDArray[np.uint8]:
    """Road with upright lane marking, `width` pixels from each of the columns on."""
    label = np.ones(SIZE, np.uint8)
    for column in columns:
        label[:, column : column + width] = 2
    return label


def data_of(
    root: Path,
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    labels: dict[str | int, str | list[str]] | None = None,
    name: str = 'painted',
) -> LaneData:
    """Write (label, answer) pairs and open them."""
    for folder in ('images', 'labels'):
        (root / name / folder).mkdir(parents=True)
    for index, (label, answer) in enumerate(pairs):
        cv2.imwrite(str(root / name / 'images' / f'{index:02}.png'), picture(answer))
        cv2.imwrite(str(root / name / 'labels' / f'{index:02}.png'), label)
    config = DataConfig(
        name=name, images=f'{name}/images', masks=f'{name}/labels', labels=labels or LABELS
    )
    return LaneData(config, CLASSES, SIZE, root)
