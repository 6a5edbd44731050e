"""Figures against their limits."""

from __future__ import annotations

import dataclasses

import pytest

from lane_seg_train.compare.results import Check, Row
from lane_seg_train.compare.verdict import Limits, verdict

SCORES = {'set': {'lane_marking': 0.8}}
TORCH = Row('torch fp32', 'torch', 'fp32', 'a.pt', p50_ms=20, lane_iou=0.8, by_set=SCORES)
FLOAT = Row(
    'openvino fp32', 'openvino', 'fp32', 'a.onnx', file_mb=4, p50_ms=12, lane_iou=0.8,
    by_set=SCORES, executed='3 convolutions f32', convolutions=3, other_types=('f32',),
)  # fmt: skip
INT8 = Row(
    'openvino int8', 'openvino', 'int8', 'b.onnx', file_mb=1, p50_ms=4, lane_iou=0.795,
    by_set=SCORES, executed='3 of 3 convolutions int8', convolutions=3, int8_convolutions=3,
)  # fmt: skip
LIMITS = Limits(max_drop=0.5, min_speedup=3, max_size=0.25)


def failed(*rows: Row, limits: Limits = LIMITS) -> list[Check]:
    return [check for check in verdict(rows, 'torch fp32', limits) if check.holds is False]


def changed(row: Row, **values: object) -> Row:
    return dataclasses.replace(row, **values)


def test_figures_at_their_limits_hold() -> None:
    checks = verdict((TORCH, FLOAT, INT8), 'torch fp32', LIMITS)
    assert {(check.what, check.found, check.holds) for check in checks} == {
        ('openvino fp32: runs in its precision', '3 convolutions f32', True),
        ('openvino int8: runs in its precision', '3 of 3 convolutions int8', True),
        ('openvino int8: size of the file, against openvino fp32', '0.25x', True),
        ('openvino int8: faster, against openvino fp32', '3.00x', True),
        ('openvino int8: faster, against torch fp32', '5.00x', None),
        ('openvino int8: loss of lane IoU, against torch fp32', '0.50 points', True),
    }


@pytest.mark.parametrize(
    ('values', 'what'),
    [
        ({'p50_ms': 4.1}, 'faster, against openvino fp32'),
        ({'file_mb': 1.1}, 'size of the file'),
        ({'lane_iou': 0.7949}, 'loss of lane IoU'),
        ({'lane_iou': float('nan')}, 'loss of lane IoU'),
        ({'missing': ('conv',), 'int8_convolutions': 2}, 'runs in its precision'),
        ({'int8_convolutions': 0, 'other_types': ('f32',)}, 'runs in its precision'),
    ],
)
def test_each_figure_beyond_its_limit_fails(values: dict[str, object], what: str) -> None:
    (check,) = failed(TORCH, FLOAT, changed(INT8, **values))
    assert what in check.what


def test_a_layer_that_ran_in_float_is_named() -> None:
    (check,) = failed(TORCH, FLOAT, changed(INT8, missing=('/head/Conv',)))
    assert 'in float although the file has them in int8: /head/Conv' in check.found


def test_a_float_contender_in_bf16_is_none() -> None:
    (check,) = failed(TORCH, changed(FLOAT, other_types=('bf16',)), INT8)
    assert (check.what, check.wanted) == ('openvino fp32: runs in its precision', 'f32')


def test_without_limits_ratios_are_shown_only() -> None:
    checks = verdict((TORCH, FLOAT, changed(INT8, p50_ms=99)), 'torch fp32', Limits())
    assert ('openvino int8: faster, against openvino fp32', '0.12x', None) in [
        (check.what, check.found, check.holds) for check in checks
    ]


def test_a_contender_that_dropped_out_fails_with_its_reason() -> None:
    (check,) = failed(TORCH, FLOAT, changed(INT8, error='killed'))
    assert (check.what, check.found) == ('openvino int8: measured', 'killed')


def test_without_labels_no_loss_is_claimed() -> None:
    rows = [changed(row, by_set={}, lane_iou=float('nan')) for row in (TORCH, FLOAT, INT8)]
    checks = verdict(rows, 'torch fp32', LIMITS)
    assert [check.found for check in checks if 'loss' in check.what] == [
        'not measured, there were no labels'
    ]


def test_the_time_of_a_network_that_imitates_int8_is_not_compared() -> None:
    imitated = Row('torch int8', 'torch', 'int8', 'b.pt', p50_ms=60, lane_iou=0.8, by_set=SCORES)
    checks = verdict((TORCH, imitated), 'torch fp32', LIMITS)
    assert not any('faster' in check.what for check in checks)
    assert any('loss of lane IoU' in check.what and check.holds for check in checks)


def test_an_engine_that_rounds_otherwise_than_pytorch_fails() -> None:
    assert failed(FLOAT, changed(INT8, parity=0.999), limits=Limits()) == []
    (check,) = failed(FLOAT, changed(INT8, parity=0.9989), limits=Limits())
    assert check.what == 'openvino int8: like torch int8'
    assert (check.found, check.wanted) == ('99.890% of pixels', 'at least 99.9%')
