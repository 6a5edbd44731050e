"""The TensorRT engine on a recording stand-in: frames, CUDA graph, threads, freeing."""

from __future__ import annotations

import logging
import re
import threading
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.engines import tensorrt as engine_module
from lane_seg.engines.tensorrt import TensorRtEngine, plan_for_this_machine
from lane_seg.errors import EngineError
from tests.lane_seg.engines.fake_cuda import mask_of
from tests.lane_seg.engines.fake_machine import DEFAULTS, some_tensor, use_machine, write_plan
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lane_seg.engines.fake_machine import Machine

FRAME = ['memcpy_htod_async', 'execute', 'memcpy_dtoh_async']


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny', height=16, width=32))


@pytest.fixture
def machine(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return partial(use_machine, monkeypatch, bundle)


@pytest.mark.parametrize('rtx', [False, True])
@pytest.mark.parametrize('integrated', [False, True])
def test_each_image_gives_its_own_mask(
    bundle: ModelBundle, machine: Machine, *, rtx: bool, integrated: bool
) -> None:
    gpu, _ = machine(rtx=rtx, integrated=integrated)
    with open_engine(bundle, 'tensorrt') as engine:
        assert (engine.name, engine.version) == (
            'tensorrt', 'rtx 1.7.1.116' if rtx else '10.3.0'
        )  # fmt: skip
        for _ in range(3):
            tensor = some_tensor(bundle)
            mask = engine.infer(tensor)
            assert mask.shape == (bundle.height, bundle.width)
            assert mask.dtype == np.uint8
            assert np.array_equal(mask, mask_of(tensor))
    assert gpu.leaked == []


def test_a_named_precision_takes_only_plans_of_it(bundle: ModelBundle, machine: Machine) -> None:
    machine()
    library = engine_module.open_library()
    plans = {name: write_plan(bundle, library, DEFAULTS, name) for name in ('fp16', 'int8')}
    for precision, plan in (*plans.items(), (None, plans['int8'])):
        assert plan_for_this_machine(bundle, precision) == (library, plan)
        with TensorRtEngine(bundle, precision) as engine:
            assert engine.plan == plan
            tensor = some_tensor(bundle)
            assert np.array_equal(engine.infer(tensor), mask_of(tensor))
    with pytest.raises(EngineError, match='found: none\n.*build-engine .* --precision fp32'):
        TensorRtEngine(bundle, 'fp32')


@pytest.mark.parametrize('version', ['8.5.2', '8.6.1', '10.3.0', '11.1.0'])
def test_a_frame_is_one_launch_of_the_graph_and_allocates_nothing(
    bundle: ModelBundle, machine: Machine, version: str
) -> None:
    gpu, _ = machine(version=version)
    with open_engine(bundle, 'tensorrt') as engine:
        gpu.calls.clear()
        engine.infer(some_tensor(bundle))
        assert gpu.calls == ['cuGraphLaunch', 'synchronize']


def test_the_graph_holds_the_copies_and_is_made_after_a_first_inference(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt'):
        after = gpu.calls[gpu.calls.index('memcpy_htod_async') :]
        assert after == [
            *FRAME, 'synchronize', 'cuStreamBeginCapture_v2', *FRAME, 'cuStreamEndCapture',
            'a recorded graph', 'cuGraphInstantiateWithFlags', 'cuGraphDestroy',
            'cuGraphLaunch', 'synchronize',
        ]  # fmt: skip


def test_shared_memory_is_mapped_and_never_copied(bundle: ModelBundle, machine: Machine) -> None:
    gpu, _ = machine(integrated=True)
    with open_engine(bundle, 'tensorrt') as engine:
        engine.infer(some_tensor(bundle))
    assert not {'memcpy_htod_async', 'memcpy_dtoh_async', 'mem_alloc'} & set(gpu.calls)
    assert gpu.calls.count('get_device_pointer') == 2


@pytest.mark.parametrize(
    ('fails', 'reason'),
    [
        ('no cuStreamBeginCapture_v2', 'CUDA 11.4 or later .* without cuStreamBeginCapture_v2'),
        ('no cuGraphInstantiateWithFlags', 'without cuGraphInstantiateWithFlags'),
        ('cuStreamBeginCapture_v2', 'cuStreamBeginCapture_v2 failed with CUDA error 901'),
        ('execute while recording', 'expected to queue an inference'),
        ('nothing recorded', 'cuStreamEndCapture failed'),
        ('cuGraphInstantiateWithFlags', 'cuGraphInstantiateWithFlags failed'),
        ('wrong graph', 'it gave another result'),
    ],
)
def test_without_a_graph_the_calls_are_made_one_by_one(
    bundle: ModelBundle,
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
    fails: str,
    reason: str,
) -> None:
    gpu, _ = machine(fails=(fails,))
    with caplog.at_level(logging.INFO), open_engine(bundle, 'tensorrt') as engine:
        before = len(gpu.calls)
        tensor = some_tensor(bundle)
        assert np.array_equal(engine.infer(tensor), mask_of(tensor))
        assert gpu.calls[before:] == [*FRAME, 'synchronize']
    (record,) = [item for item in caplog.records if 'CUDA graph: ' in item.message]
    assert re.search(f'CUDA graph: no: .*{reason}', record.message)
    assert gpu.leaked == []


def test_everything_is_freed_in_order(bundle: ModelBundle, machine: Machine) -> None:
    gpu, _ = machine()
    engine = open_engine(bundle, 'tensorrt')
    gpu.calls.clear()
    engine.close()
    assert gpu.calls == [
        'cuGraphExecDestroy', 'mem_free', 'free pages', 'free context', 'free engine',
        'free runtime', 'mem_free', 'free pages', 'free stream', 'release',
    ]  # fmt: skip
    engine.close()
    assert gpu.calls[-1] == 'release'
    assert gpu.calls.count('release') == 1
    with pytest.raises(EngineError, match='engine tensorrt is closed'):
        engine.infer(some_tensor(bundle))


def test_built_used_and_closed_on_three_threads(bundle: ModelBundle, machine: Machine) -> None:
    gpu, _ = machine()
    made: list[object] = []
    left: list[list[object]] = []
    tensor = some_tensor(bundle)

    def on_a_thread(work: object) -> object:
        def call() -> None:
            made.append(work())
            left.extend([gpu.contexts('pycuda'), gpu.contexts('driver')])

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        return made[-1]

    engine = on_a_thread(lambda: open_engine(bundle, 'tensorrt'))
    mask = on_a_thread(lambda: engine.infer(tensor).copy())
    assert np.array_equal(mask, mask_of(tensor))
    on_a_thread(engine.close)
    assert left == [[]] * 6
    assert gpu.leaked == []


def test_a_context_of_somebody_else_is_current_again_afterwards(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    theirs = object()
    for kind in ('pycuda', 'driver'):
        gpu.contexts(kind).append(theirs)
    with open_engine(bundle, 'tensorrt') as engine:
        engine.infer(some_tensor(bundle))
        assert gpu.contexts('driver') == [theirs]
    assert gpu.contexts('pycuda') == gpu.contexts('driver') == [theirs]


def test_a_mask_outlives_the_engine(bundle: ModelBundle, machine: Machine) -> None:
    machine()
    tensor = some_tensor(bundle)
    with open_engine(bundle, 'tensorrt') as engine:
        mask = engine.infer(tensor)
    assert np.array_equal(mask, mask_of(tensor))
