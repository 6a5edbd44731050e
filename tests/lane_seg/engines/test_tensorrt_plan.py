"""What a plan, and the library that runs it, ask of the engine besides frames."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import BundleError, EngineError
from lane_seg.plans.options import BuildOptions
from tests.lane_seg.engines.fake_cuda import mask_of
from tests.lane_seg.engines.fake_machine import some_tensor, use_machine
from tests.lane_seg.engines.fake_runtime import CACHE
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lane_seg.engines.fake_machine import Machine


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny', height=16, width=32))


@pytest.fixture
def machine(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return partial(use_machine, monkeypatch, bundle)


@pytest.mark.parametrize('first', ['mask', 'confidence'])
def test_more_outputs_are_bound_and_the_mask_is_returned(
    bundle: ModelBundle, machine: Machine, first: str
) -> None:
    gpu, _ = machine()
    mask = gpu.tensors.pop('mask')
    for name in (first, {'mask': 'confidence', 'confidence': 'mask'}[first]):
        gpu.tensors[name] = list(mask)
    tensor = some_tensor(bundle)
    with open_engine(bundle, 'tensorrt') as engine:
        assert np.array_equal(engine.infer(tensor), mask_of(tensor))
        assert gpu.calls.count('mem_alloc') == 3
    assert gpu.leaked == []


@pytest.mark.parametrize('first', ['mask', 'confidence'])
@pytest.mark.parametrize('integrated', [False, True])
def test_the_confidence_is_given_to_who_asks(
    bundle: ModelBundle, machine: Machine, first: str, *, integrated: bool
) -> None:
    gpu, _ = machine(integrated=integrated)
    mask = gpu.tensors.pop('mask')
    for name in (first, {'mask': 'confidence', 'confidence': 'mask'}[first]):
        gpu.tensors[name] = list(mask)
    tensor = some_tensor(bundle)
    with open_engine(replace(bundle, confidence=True), 'tensorrt') as engine:
        found, confidence = engine.infer_both(tensor)
    # Both outlive the engine.
    assert np.array_equal(found, mask_of(tensor))
    assert np.array_equal(confidence, mask_of(tensor) ^ 1)
    assert gpu.leaked == []
    with pytest.raises(EngineError, match='is closed'):
        engine.infer_both(tensor)


def test_a_plan_without_the_confidence_that_the_bundle_names_is_refused(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with pytest.raises(EngineError, match='expected the output confidence, .*build-engine'):
        open_engine(replace(bundle, confidence=True), 'tensorrt')
    assert gpu.leaked == []


def test_a_bundle_without_confidence_gives_none(bundle: ModelBundle, machine: Machine) -> None:
    machine()
    with (
        open_engine(bundle, 'tensorrt') as engine,
        pytest.raises(BundleError, match='expected one that gives confidence'),
    ):
        engine.infer_both(some_tensor(bundle))


@pytest.mark.parametrize('allowed', [False, True])
def test_only_a_version_compatible_plan_may_bring_code(
    bundle: ModelBundle, machine: Machine, *, allowed: bool
) -> None:
    _, api = machine(options=BuildOptions(version_compatible=allowed))
    with open_engine(bundle, 'tensorrt'):
        assert getattr(api.runtime, 'engine_host_code_allowed', False) is allowed


def test_a_plan_for_an_accelerator_runs_on_its_core(bundle: ModelBundle, machine: Machine) -> None:
    _, api = machine(options=BuildOptions(dla_core=1))
    with open_engine(bundle, 'tensorrt'):
        assert api.runtime.DLA_core == 1


def test_rtx_makes_its_own_graph_and_keeps_what_it_compiled(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, api = machine(rtx=True)
    with open_engine(bundle, 'tensorrt'):
        assert api.runtime.config.cuda_graph_strategy.name == 'WHOLE_GRAPH_CAPTURE'
        assert api.runtime.config.cache.read is None
    assert 'cuStreamBeginCapture_v2' not in gpu.calls
    (cache,) = bundle.directory.glob('*.plan.cache')
    assert cache.read_bytes() == CACHE
    stamp = cache.stat().st_mtime_ns
    with open_engine(bundle, 'tensorrt'):
        assert api.runtime.config.cache.read == CACHE
    assert cache.stat().st_mtime_ns == stamp


def test_a_cache_of_another_gpu_is_replaced(
    bundle: ModelBundle, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine(rtx=True)
    (plan,) = bundle.directory.glob('*.plan')
    cache = plan.with_name(plan.name + '.cache')
    cache.write_bytes(b'kernels of another GPU')
    with caplog.at_level(logging.INFO), open_engine(bundle, 'tensorrt'):
        assert 'is of another GPU or driver' in caplog.text
    assert cache.read_bytes() == CACHE


def test_a_folder_that_cannot_be_written_is_no_error(
    bundle: ModelBundle,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from lane_seg.engines import tensorrt_plan

    def refuse(path: Path) -> None:
        raise PermissionError(f'{path}: read-only file system')

    machine(rtx=True)
    monkeypatch.setattr(tensorrt_plan, 'atomic_path', refuse)
    with caplog.at_level(logging.INFO), open_engine(bundle, 'tensorrt'):
        assert 'is not kept: ' in caplog.text
    assert not list(bundle.directory.glob('*.cache'))
