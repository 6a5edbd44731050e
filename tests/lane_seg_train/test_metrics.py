"""IoU from a joint histogram equals its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lane_seg_train.label_sets import LabelTable
from lane_seg_train.metrics import SetConfusion

CLASSES = ('background', 'road', 'lane_marking')
LANES_ONLY = LabelTable.from_config({255: 'lane_marking', 0: ['background', 'road']}, CLASSES)
EVERYTHING = LabelTable.from_config({0: 'background', 1: 'road', 2: 'lane_marking'}, CLASSES)


def slow_iou(bits: np.ndarray, mask: np.ndarray, wanted: int) -> float:
    known = bits != 0b111
    labelled = known & (bits == wanted)
    predicted = known & np.isin(mask, [c for c in range(3) if wanted >> c & 1])
    return float((labelled & predicted).sum() / (labelled | predicted).sum())


@settings(max_examples=100)
@given(st.data(), npst.array_shapes(min_dims=2, max_dims=3, max_side=8))
def test_it_equals_the_definition(data: st.DataObject, shape: tuple[int, ...]) -> None:
    bits = data.draw(npst.arrays(np.uint8, shape, elements=st.integers(1, 7)))
    mask = data.draw(npst.arrays(np.uint8, shape, elements=st.integers(0, 2)))
    confusion = SetConfusion(EVERYTHING)
    confusion.add(bits, mask)
    expected = {
        EVERYTHING.name_of(wanted): slow_iou(bits, mask, wanted)
        for wanted in sorted(set(bits.ravel().tolist()) - {0b111})
    }
    assert confusion.iou() == expected


def test_counts_of_many_images_are_those_of_all_pixels_at_once() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(1, 8, (5, 6, 7)).astype(np.uint8)
    mask = rng.integers(0, 3, (5, 6, 7)).astype(np.uint8)
    one_by_one, at_once = SetConfusion(EVERYTHING), SetConfusion(EVERYTHING)
    for image_bits, image_mask in zip(bits, mask, strict=True):
        one_by_one.add(image_bits, image_mask)
    at_once.add(bits, mask)
    assert one_by_one.iou() == at_once.iou()
    assert one_by_one.counts.sum() == bits.size


def test_on_lane_only_data_it_is_the_plain_lane_iou() -> None:
    label = np.array([[255, 255, 0, 0]], np.uint8)
    confusion = SetConfusion(LANES_ONLY)
    confusion.add(LANES_ONLY.bits_from_label(label), np.array([[2, 1, 2, 0]], np.uint8))
    assert confusion.iou() == {'lane_marking': 1 / 3, 'background+road': 1 / 3}


def test_a_perfect_mask_scores_1_and_a_wrong_one_0() -> None:
    label = np.array([[0, 1, 2]], np.uint8)
    bits = EVERYTHING.bits_from_label(label)
    for mask, score in ((label, 1.0), (np.array([[1, 2, 0]], np.uint8), 0.0)):
        confusion = SetConfusion(EVERYTHING)
        confusion.add(bits, mask)
        assert confusion.iou() == dict.fromkeys(CLASSES, score)


def test_pixels_that_may_be_anything_do_not_count() -> None:
    confusion = SetConfusion(EVERYTHING)
    confusion.add(np.array([[1, 7, 7]], np.uint8), np.array([[0, 1, 2]], np.uint8))
    assert confusion.iou() == {'background': 1.0}


def test_without_a_label_there_is_no_score() -> None:
    assert SetConfusion(EVERYTHING).iou() == {}
