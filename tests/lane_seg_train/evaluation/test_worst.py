"""The worst images are drawn, the worst one first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg_train.colours import default_colours
from lane_seg_train.evaluation.measure import measure
from lane_seg_train.evaluation.scores import ImageScore
from lane_seg_train.evaluation.worst import WorstImages
from tests.lane_seg_train.evaluation.fixed_answers import (
    SIZE,
    data_of,
    lane,
    painted_pipeline,
)

if TYPE_CHECKING:
    from pathlib import Path

SHIFTS = (0, 4, 1, 5, 2)  # the IoU of lane marking falls with the shift


def test_the_worst_images_are_drawn_worst_first(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(20 + shift)) for shift in SHIFTS])
    worst = WorstImages(2)
    measure(painted_pipeline(), data, listeners=[worst])
    paths = worst.write(tmp_path / 'worst', data.table, default_colours(3))
    assert [path.name for path in paths] == [
        'worst_painted_001_03.jpg',
        'worst_painted_002_01.jpg',
    ]
    sheet = cv2.imread(str(paths[0]))
    assert sheet.shape[1] > 3 * SIZE[1]  # image, label and prediction beside each other


@pytest.mark.parametrize(('count', 'kept'), [(0, 0), (3, 3), (10, 5)])
def test_no_more_are_kept_than_asked_for(tmp_path: Path, count: int, kept: int) -> None:
    data = data_of(tmp_path, [(lane(20), lane(20 + shift)) for shift in SHIFTS])
    worst = WorstImages(count)
    measure(painted_pipeline(), data, listeners=[worst])
    assert len(worst.write(tmp_path / 'worst', data.table, default_colours(3))) == kept


def test_images_of_equal_iou_come_in_their_order(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(23))] * 4)
    worst = WorstImages(2)
    measure(painted_pipeline(), data, listeners=[worst])
    paths = worst.write(tmp_path / 'worst', data.table, default_colours(3))
    assert [path.name for path in paths] == [
        'worst_painted_001_00.jpg',
        'worst_painted_002_01.jpg',
    ]


def test_images_that_show_no_labelled_class_are_not_ranked(tmp_path: Path) -> None:
    void = np.full(SIZE, 9, np.uint8)
    data = data_of(tmp_path, [(void, lane(20)), (lane(20), lane(20))])
    worst = WorstImages(5)
    measure(painted_pipeline(), data, listeners=[worst])
    paths = worst.write(tmp_path / 'worst', data.table, default_colours(3))
    assert [path.name for path in paths] == ['worst_painted_001_01.jpg']


def test_what_the_model_does_not_see_is_cut_off_the_picture(tmp_path: Path) -> None:
    data = data_of(tmp_path, [(lane(20), lane(20))])
    mask = lane(20)
    mask[:, 100:] = 255
    worst = WorstImages(1)
    score = ImageScore('painted', '../00', {'road': 0.5}, {'road': 0}, 1.0)
    worst.add(score, np.zeros((*SIZE, 3), np.uint8), lane(20), mask)
    (path,) = worst.write(tmp_path / 'worst', data.table, default_colours(3))
    assert path.parent == tmp_path / 'worst'  # a name with a slash stays in the folder
    assert path.is_file()
