"""Who takes part, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.engines import tensorrt as engine_module
from lane_seg.errors import LaneSegError
from lane_seg_train.compare.contenders import find_contenders
from lane_seg_train.compare.worker import open_contender
from tests.lane_seg.engines.fake_machine import DEFAULTS, use_machine, write_plan
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
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


@pytest.fixture
def plans(
    models: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[ModelBundle, ModelBundle, Callable[..., Path]]:
    """Copies of the bundles on a stand-in for a machine with a GPU, and what writes plans."""
    for name in (models.int8, models.floating):
        shutil.copytree(name, tmp_path / name.name)
    int8 = ModelBundle.load(tmp_path / models.int8.name)
    floating = ModelBundle.load(tmp_path / models.floating.name)
    use_machine(monkeypatch, int8, with_plan=False)
    return (
        int8,
        floating,
        partial(write_plan, library=engine_module.open_library(), options=DEFAULTS),
    )


def test_every_plan_that_fits_takes_part_int8_from_the_int8_bundle(
    plans: tuple[ModelBundle, ModelBundle, Callable[..., Path]],
) -> None:
    int8, floating, write = plans
    written = {
        'tensorrt fp32': write(floating, precision='fp32'),
        'tensorrt fp16': write(floating, precision='fp16'),
        'tensorrt fp16 of int8 file': write(int8, precision='fp16'),
        'tensorrt int8': write(int8, precision='int8'),
        'tensorrt int8 of fp32 file': write(floating, precision='int8'),
    }
    field = find_contenders(int8, floating, [], ['tensorrt'])
    assert {one.label: one.file for one in field.contenders} == written
    assert [one.label for one in field.contenders] == list(written)
    assert [one.is_int8 for one in field.contenders] == [False, False, False, True, True]
    assert field.reference.label == 'tensorrt fp32'
    for one in field.contenders:
        with open_contender(one.engine, one.model, 1) as engine:
            assert (engine.name, engine.plan) == ('tensorrt', one.file)


def test_a_plan_that_was_not_built_is_nobodys_fault_but_a_bundle_without_any_is_told(
    plans: tuple[ModelBundle, ModelBundle, Callable[..., Path]],
) -> None:
    int8, floating, write = plans
    write(int8, precision='int8')
    field = find_contenders(int8, floating, [])
    labels = [one.label for one in field.contenders]
    assert [label for label in labels if label.startswith('tensorrt')] == ['tensorrt int8']
    assert list(field.skipped) == ['torch', 'tensorrt fp32']
    assert 'lane-seg build-engine' in field.skipped['tensorrt fp32']
    with pytest.raises(LaneSegError, match='tensorrt fp32: expected a plan in'):
        find_contenders(int8, floating, [], ['tensorrt'])


def test_a_plan_that_was_built_since_is_not_taken_for_the_other(
    plans: tuple[ModelBundle, ModelBundle, Callable[..., Path]],
) -> None:
    int8, _, write = plans
    plan = write(int8, precision='int8')
    newer = plan.with_name('another.plan')
    shutil.copyfile(plan, newer)
    shutil.copyfile(f'{plan}.json', f'{newer}.json')
    with pytest.raises(LaneSegError, match=r'expected to run .*, found that .*another\.plan'):
        open_contender('tensorrt', str(plan), 1)
