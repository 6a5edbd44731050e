"""What the TensorRT engine cannot run is refused, with what to do, and nothing is left behind."""

from __future__ import annotations

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.engines import tensorrt as engine_module
from lane_seg.errors import EngineError
from tests.lane_seg.engines.fake_machine import some_tensor, use_machine
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg.plans.libraries import Library
    from tests.lane_seg.engines.fake_machine import Machine


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny', height=16, width=32))


@pytest.fixture
def machine(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return partial(use_machine, monkeypatch, bundle)


def test_a_wrong_tensor_is_refused_before_it_reaches_the_gpu(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt') as engine:
        gpu.calls.clear()
        with pytest.raises(EngineError, match='expected a contiguous uint8 tensor'):
            engine.infer(some_tensor(bundle)[:-1])
        assert gpu.calls == []


@pytest.mark.parametrize(
    ('name', 'field', 'value'),
    [
        ('image', 1, (1, 16, 32 + 1, 3)),
        ('image', 2, 'FLOAT'),
        ('image', 0, 'OUTPUT'),
        ('mask', 1, (1, 16, 32, 1)),
        ('mask', 2, 'FLOAT'),
        ('mask', 3, 'HOST'),
        ('mask', 4, 'CHW4'),
        ('mask', 0, 'INPUT'),
    ],
)
def test_a_plan_with_other_tensors_is_refused(
    bundle: ModelBundle, machine: Machine, name: str, field: int, value: object
) -> None:
    gpu, _ = machine()
    gpu.tensors[name][field] = value
    with pytest.raises(EngineError, match=r'expected one input \(1, 16, 32, 3\).*build it again'):
        open_engine(bundle, 'tensorrt')
    assert gpu.leaked == []


@pytest.mark.parametrize(
    ('fails', 'text'),
    [
        ('Device', 'opening the GPU failed: cuDeviceGet'),
        ('Stream', 'enough GPU memory for opening the GPU, found: Stream failed'),
        ('pagelocked_empty', 'expected enough GPU memory for loading .*nvidia-smi'),
        ('mem_alloc', 'expected enough GPU memory for loading .*mem_alloc'),
        ('runtime', 'expected a runtime, found: .*nullptr.*driver'),
        ('deserialize', 'back, found: magicTag does not match; .*lane-seg build-engine .*--force'),
        ('context', 'expected an execution context, found: none, .* --workspace MIB'),
        ('address', 'expected to take the address of image'),
        ('execute', 'expected to queue an inference'),
        ('memcpy_dtoh_async', 'expected enough GPU memory for loading'),
        ('synchronize', 'an illegal memory access; end this process'),
    ],
)
def test_what_fails_while_opening_is_named_and_everything_freed(
    bundle: ModelBundle, machine: Machine, fails: str, text: str
) -> None:
    gpu, _ = machine(fails=(fails,))
    with pytest.raises(EngineError, match=f'^engine tensorrt: .*{text}') as caught:
        open_engine(bundle, 'tensorrt')
    # The traceback still holds every frame; nothing in them may keep a part of the GPU.
    assert caught.tb is not None
    assert gpu.leaked == []


def test_an_inference_that_fails_is_named_and_the_engine_still_closes(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt') as engine:
        gpu.fails.add('synchronize')
        with pytest.raises(EngineError, match='engine tensorrt: .*an inference failed'):
            engine.infer(some_tensor(bundle))
    assert gpu.leaked == []


def test_an_altered_plan_is_refused_before_the_gpu_is_touched(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    (plan,) = bundle.directory.glob('*.plan')
    plan.write_bytes(b'another plan')
    with pytest.raises(EngineError, match='expected the plan with sha256'):
        open_engine(bundle, 'tensorrt')
    assert gpu.calls == []


def test_without_a_plan_the_build_command_is_told(bundle: ModelBundle, machine: Machine) -> None:
    machine(with_plan=False)
    with pytest.raises(EngineError, match='\nbuild one: lane-seg build-engine'):
        open_engine(bundle, 'tensorrt')


def test_without_pycuda_the_message_says_how_to_install_it(
    bundle: ModelBundle, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setitem(sys.modules, 'pycuda.driver', None)
    with pytest.raises(EngineError, match='expected the Python package pycuda, .*pip install'):
        open_engine(bundle, 'tensorrt')


def test_a_library_that_does_not_load_leaves_the_plan_to_the_other(
    bundle: ModelBundle, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(rtx=True)
    rtx = engine_module.open_library()

    def only_rtx(flavour: str) -> Library:
        if flavour != 'rtx':
            raise EngineError('flavour tensorrt: found an empty package')
        return rtx

    monkeypatch.setattr(engine_module, 'installed_flavours', lambda: ['tensorrt', 'rtx'])
    monkeypatch.setattr(engine_module, 'open_library', only_rtx)
    with open_engine(bundle, 'tensorrt') as engine:
        assert engine.version == 'rtx 1.7.1.116'
    (plan,) = bundle.directory.glob('*.plan')
    plan.unlink()
    with pytest.raises(EngineError, match='found an empty package\nexpected a plan in'):
        open_engine(bundle, 'tensorrt')


def test_without_a_library_the_message_says_what_to_install(
    bundle: ModelBundle, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()

    def nothing() -> Library:
        raise EngineError('expected the Python package tensorrt, found none')

    monkeypatch.setattr(engine_module, 'installed_flavours', list)
    monkeypatch.setattr(engine_module, 'open_library', nothing)
    with pytest.raises(EngineError, match='engine tensorrt: expected the Python package tensorrt'):
        open_engine(bundle, 'tensorrt')


def test_auto_takes_tensorrt_where_everything_is_there(
    bundle: ModelBundle, machine: Machine
) -> None:
    machine()
    with open_engine(bundle) as engine:
        assert engine.name == 'tensorrt'


def test_auto_steps_down_from_a_gpu_without_a_plan_and_tells_the_build_command(
    bundle: ModelBundle, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip('openvino')
    machine(with_plan=False)
    with caplog.at_level(logging.DEBUG, logger='lane_seg'), open_engine(bundle) as engine:
        assert engine.name == 'openvino'
    (record,) = [item for item in caplog.records if 'tensorrt' in item.message]
    assert record.levelno == logging.WARNING
    assert 'build one: lane-seg build-engine' in record.message
