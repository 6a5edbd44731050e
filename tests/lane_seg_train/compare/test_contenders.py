"""Who takes part, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.errors import LaneSegError
from lane_seg_train.compare.contenders import find_contenders
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lane_seg_train.compare.conftest import Models


def bundles(models: Models) -> tuple[ModelBundle, ModelBundle]:
    return ModelBundle.load(models.int8), ModelBundle.load(models.floating)


def has_gpu() -> bool:
    from lane_seg.errors import EngineError
    from lane_seg.plans.gpu import gpu_info

    try:
        gpu_info()
    except EngineError:
        return False
    return True


@pytest.mark.skipif(has_gpu(), reason='TensorRT may run here')
def test_all_that_can_run_takes_part_and_the_others_have_a_reason(models: Models) -> None:
    field = find_contenders(*bundles(models), [models.quantized, models.checkpoint])
    assert [one.label for one in field.contenders] == [
        'torch fp32', 'torch int8', 'onnxruntime fp32', 'onnxruntime int8', 'openvino fp32',
        'openvino int8',
    ]  # fmt: skip
    assert field.reference.label == 'torch fp32'
    assert {one.label: one.file.name for one in field.contenders}['torch int8'] == 'int8.pt'
    assert list(field.skipped) == ['tensorrt']
    assert 'libcuda' in field.skipped['tensorrt']


def test_without_a_checkpoint_the_first_float_bundle_is_the_reference(models: Models) -> None:
    field = find_contenders(*bundles(models), [], ['openvino'])
    assert [one.label for one in field.contenders] == ['openvino fp32', 'openvino int8']
    assert field.reference.label == 'openvino fp32'


@pytest.mark.skipif(has_gpu(), reason='TensorRT may run here')
def test_an_engine_that_was_named_and_cannot_run_is_an_error(models: Models) -> None:
    with pytest.raises(LaneSegError, match='tensorrt fp32: .*libcuda'):
        find_contenders(*bundles(models), [], ['openvino', 'tensorrt'])
    with pytest.raises(LaneSegError, match='torch: expected a checkpoint to run, found none'):
        find_contenders(*bundles(models), [], ['torch', 'openvino'])


def test_nothing_to_compare_with_is_refused(models: Models) -> None:
    int8, _ = bundles(models)
    with pytest.raises(LaneSegError, match='at least one float model that can run, found none'):
        find_contenders(int8, None, [], ['openvino'])
    with pytest.raises(LaneSegError, match='at least one int8 model that can run, found none'):
        find_contenders(int8, None, [models.checkpoint], ['torch'])


def test_bundles_in_each_others_place_are_refused(models: Models) -> None:
    int8, floating = bundles(models)
    with pytest.raises(LaneSegError, match='--int8: expected an int8 bundle, found fp32'):
        find_contenders(floating, int8, [])
    with pytest.raises(LaneSegError, match='--float: expected a bundle in float, found int8'):
        find_contenders(int8, int8, [])


def test_another_network_is_refused(models: Models, tmp_path: Path) -> None:
    int8, floating = bundles(models)
    other = ModelBundle.load(make_tiny_bundle(tmp_path / 'other', height=32, width=64))
    with pytest.raises(LaneSegError, match='the same network as .*128x64 .*, found 64x32'):
        find_contenders(int8, other, [])
    fewer = dataclasses.replace(int8, classes=int8.classes[:2])
    with pytest.raises(LaneSegError, match='the same network'):
        find_contenders(fewer, floating, [])
    with pytest.raises(LaneSegError, match='two of fp32'):
        find_contenders(int8, floating, [models.checkpoint, models.checkpoint])
