"""The record of a quantization says in one line how it was done."""

from __future__ import annotations

import dataclasses

from lane_seg_train.fake_quantization.record import QuantizationRecord

RECORD = QuantizationRecord('max', 99.9, 128, 'f' * 64)


def test_one_line_says_what_the_calibrator_was() -> None:
    assert RECORD.method == (
        'post-training quantization, symmetric int8, weights per output channel, activations per '
        'tensor (max)'
    )
    assert dataclasses.replace(RECORD, calibrator='entropy').method.endswith('(entropy)')


def test_the_percentile_is_named_where_it_counts() -> None:
    record = dataclasses.replace(RECORD, calibrator='percentile')
    assert record.method.endswith('(percentile 99.9)')
    assert '99.9' not in RECORD.method


def test_learning_and_what_stayed_float_are_named() -> None:
    record = dataclasses.replace(RECORD, qat_epochs=2, exclude=('stem.0', 'head'))
    assert record.method.startswith('quantization-aware training, symmetric int8')
    assert record.method.endswith('(max), stem.0, head in float')
