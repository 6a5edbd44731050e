"""Lines that people drew are compared as drawn, not as traced in the mask made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from lane_seg_train.config import DataConfig
from lane_seg_train.datasets import LaneData
from lane_seg_train.evaluation.measure import Measures, measure
from tests.lane_seg_train.evaluation.fixed_answers import (
    CLASSES,
    SIZE,
    lane,
    painted_pipeline,
    picture,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEIGHT, _ = SIZE


def drawn(
    root: Path, answer: NDArray[np.uint8], shapes: list[dict[str, object]], **labels: str
) -> LaneData:
    (root / 'images').mkdir(parents=True)
    (root / 'lines').mkdir()
    cv2.imwrite(str(root / 'images' / 'a.png'), picture(answer))
    (root / 'lines' / 'a.json').write_text(json.dumps({'shapes': shapes}))
    config = DataConfig(
        name='drawn', format='polylines', images='images', masks='lines', labels={**labels}
    )
    return LaneData(config, CLASSES, SIZE, root)


def line(label: str, x: float, kind: str = 'linestrip') -> dict[str, object]:
    points = [[x, HEIGHT - 1], [x, 0]]
    if kind == 'polygon':
        points += [[x + 9, 0], [x + 9, HEIGHT - 1]]
    return {'label': label, 'shape_type': kind, 'points': points}


def test_lines_that_touch_in_the_mask_are_two_as_they_were_drawn(tmp_path: Path) -> None:
    shapes = [line('white', 30), line('white', 33), line('white', 90)]
    data = drawn(tmp_path, lane(28, 88), shapes, white='lane_marking', other='background')
    lanes = measure(painted_pipeline(), data, Measures(lane_class='lane_marking')).lanes
    assert lanes is not None
    assert (lanes.source, lanes.labelled, lanes.predicted) == ('polylines', 3, 2)
    assert lanes.row_accuracy == pytest.approx(2 / 3)


def test_areas_and_lines_of_another_meaning_are_no_lane_lines(tmp_path: Path) -> None:
    shapes = [line('white', 30), line('kerb', 60), line('white', 90, 'polygon')]
    data = drawn(
        tmp_path, lane(28), shapes, white='lane_marking', kerb='road', background='background'
    )
    lanes = measure(painted_pipeline(), data, Measures(lane_class='lane_marking')).lanes
    assert lanes is not None
    assert (lanes.labelled, lanes.predicted) == (1, 1)
