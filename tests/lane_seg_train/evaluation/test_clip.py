"""Flicker of videos and folders of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg.errors import LaneSegError
from lane_seg_train.evaluation.clip import measure_clip
from tests.lane_seg_train.evaluation.fixed_answers import (
    SIZE,
    lane,
    painted_pipeline,
    picture,
)

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = SIZE[1]


def write_frames(folder: Path, *columns: int) -> Path:
    folder.mkdir()
    for index, column in enumerate(columns):
        cv2.imwrite(str(folder / f'frame{index}.png'), picture(lane(column)))
    return folder


def test_the_frames_of_a_folder_are_compared_in_natural_order(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / 'clip', *range(11))  # frame10 comes after frame9
    score = measure_clip(painted_pipeline(), folder)
    assert (score.clip, score.frames, score.unreadable) == ('clip', 11, 0)
    assert score.flip_rate == 2 / WIDTH
    assert score.still_flip_rate < score.flip_rate


def test_frames_around_one_that_cannot_be_read_are_not_compared(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / 'clip', 10, 10, 50, 90, 90)
    (folder / 'frame2.png').write_bytes(b'no image')
    score = measure_clip(painted_pipeline(), folder)
    assert (score.frames, score.unreadable) == (4, 1)
    assert score.flip_rate == 0


def test_a_video_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (SIZE[1], SIZE[0]))
    for _ in range(4):
        writer.write(picture(np.ones(SIZE, np.uint8)))
    writer.release()
    score = measure_clip(painted_pipeline(), path)
    assert (score.frames, score.flip_rate, score.still_share) == (4, 0.0, 1.0)


def test_a_single_frame_is_no_clip(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / 'clip', 10)
    with pytest.raises(LaneSegError, match='expected at least two consecutive frames'):
        measure_clip(painted_pipeline(), folder)


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='found no such path'):
        measure_clip(painted_pipeline(), tmp_path / 'none.mp4')
