"""The plan beside the model that runs here is found; if none does, each says why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.errors import EngineError
from lane_seg.files import sha256_of
from lane_seg.plans.gpu import Gpu
from lane_seg.plans.key import PlanRecord, key_of, plan_name, write_record
from lane_seg.plans.options import BuildOptions
from lane_seg.plans.search import find_plan
from tests.lane_seg_engine.fake_tensorrt import FakeTensorrt, library_of
from tests.lane_seg_engine.quantized_graphs import quantized_graph, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

ORIN, THOR = Gpu('Orin', '8.7', '12.6'), Gpu('Thor', '11.0', '13.0')
LIBRARY = library_of(FakeTensorrt('10.3.0'))


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(write_bundle(tmp_path / 'mine', quantized_graph()))


def write_plan(
    bundle: ModelBundle, precision: str = 'int8', *, gpu: Gpu = ORIN, dla_core: int | None = None
) -> Path:
    key = key_of(
        onnx_sha256=bundle.onnx_sha256, flavour='tensorrt', version='10.3.0',
        precision=precision, options=BuildOptions(dla_core=dla_core), gpu=gpu,
    )  # fmt: skip
    path = bundle.directory / plan_name(key)
    path.write_bytes(b'a plan')
    write_record(path, PlanRecord(key, sha256_of(path), 6, {}))
    return path


def test_the_plan_of_this_gpu_is_taken_among_others(bundle: ModelBundle) -> None:
    write_plan(bundle, gpu=THOR)
    path = write_plan(bundle)
    assert find_plan(bundle, LIBRARY, ORIN) == path


def test_int8_comes_first_unless_another_precision_is_asked_for(bundle: ModelBundle) -> None:
    fp16, int8 = write_plan(bundle, 'fp16'), write_plan(bundle)
    write_plan(bundle, 'fp32')
    assert find_plan(bundle, LIBRARY, ORIN) == int8
    assert find_plan(bundle, LIBRARY, ORIN, precision='fp16') == fp16


def test_the_newest_of_equals_is_taken(bundle: ModelBundle) -> None:
    plans = [write_plan(bundle), write_plan(bundle, dla_core=0)]
    for newest in plans:
        for path in plans:
            os.utime(path, (1000, 2000 if path is newest else 1000))
        assert find_plan(bundle, LIBRARY, ORIN) == newest


def test_no_plan_at_all_gives_the_build_command(bundle: ModelBundle) -> None:
    with pytest.raises(EngineError, match=r'on Orin, found: none\nbuild one: lane-seg build-eng'):
        find_plan(bundle, LIBRARY, ORIN)


def test_each_plan_that_does_not_fit_says_why(bundle: ModelBundle) -> None:
    write_plan(bundle)
    write_plan(bundle, 'fp16').write_bytes(b'altered')
    with pytest.raises(EngineError) as caught:
        find_plan(bundle, LIBRARY, THOR)
    message = str(caught.value)
    assert 'gpu: the plan needs Orin, the GPU is Thor; build it again: lane-seg' in message
    assert 'expected the plan with sha256' in message
