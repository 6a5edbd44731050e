"""IoU of masks against true labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip('rclpy')

from lane_seg.bundle import ClassInfo
from lane_seg_ros.live.score import LabelScore, ious_of, mask_ids_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'lane_marking', (0, 0, 255)),
    ClassInfo(2, 'pavement', (9, 9, 9)),
    ClassInfo(3, 'road', (0, 160, 0)),
)


@given(
    pair=st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
        lambda hw: st.tuples(
            hnp.arrays(np.uint8, hw, elements=st.sampled_from([0, 1, 2, 3, 255])),
            hnp.arrays(np.uint8, hw, elements=st.sampled_from([0, 1, 2, 255])),
        )
    )
)
def test_the_score_is_intersection_over_union_by_the_names_of_the_classes(
    pair: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> None:
    mask, label = pair
    found = ious_of(LabelScore(mask_ids_of(CLASSES), unlabeled_id=255).table(mask, label))
    seen = (mask != 255) & (label != 255)
    for name, (mask_id, label_id) in {'road': (3, 1), 'lane_marking': (1, 2)}.items():
        predicted, true = (mask == mask_id) & seen, (label == label_id) & seen
        union = int((predicted | true).sum())
        if union:
            assert found[name] == pytest.approx(int((predicted & true).sum()) / union)
        else:
            assert math.isnan(found[name])


def test_tables_add_up_over_pictures_of_any_size() -> None:
    score = LabelScore(mask_ids_of(CLASSES), unlabeled_id=255)
    table = score.table(np.full((10, 10), 3, np.uint8), np.full((10, 10), 1, np.uint8))
    table = table + score.table(np.full((30, 10), 3, np.uint8), np.zeros((30, 10), np.uint8))
    assert ious_of(table)['road'] == pytest.approx(100 / 400)


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_label_of_another_size_is_stretched_to_the_mask(rows: int, columns: int) -> None:
    mask = np.kron(np.array([[3, 1], [0, 3]], np.uint8), np.ones((rows, columns), np.uint8))
    label = np.array([[1, 2], [0, 1]], np.uint8)
    table = LabelScore(mask_ids_of(CLASSES), unlabeled_id=255).table(mask, label)
    assert table.sum() == mask.size
    assert list(ious_of(table).values()) == [1.0, 1.0]
