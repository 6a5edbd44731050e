"""The TensorRT engine with its real parts: what can be run without a GPU, and what needs one."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import logging
import shutil
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.engines.cuda_device import CudaDevice
from lane_seg.engines.tensorrt_plan import TensorRtPlan
from lane_seg.errors import EngineError
from lane_seg.plans.gpu import gpu_info
from lane_seg.plans.libraries import installed_flavours, open_library
from lane_seg.preprocess import tensor_from_image
from tests.lane_seg_engine.quantized_graphs import quantized_graph, write_bundle
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lane_seg.engines import Engine

HAS_PYCUDA = importlib.util.find_spec('pycuda') is not None
AGREEMENT = 0.999


@functools.lru_cache(maxsize=1)
def has_gpu() -> bool:
    try:
        gpu_info()
    except EngineError:
        return False
    return True


without_gpu = pytest.mark.skipif(has_gpu(), reason='shows what happens without a GPU')
with_rtx = pytest.mark.skipif(
    'rtx' not in installed_flavours(), reason="needs lane_seg_ros's extra tensorrt-rtx"
)


def build_plan(directory: Path, *words: str) -> Path:
    """Build a plan of the bundle with the real command."""
    pytest.importorskip('rich')
    from lane_seg_engine import build

    parser = argparse.ArgumentParser()
    build.add_arguments(parser)
    assert build.run(parser.parse_args(['--model', str(directory), *words])) == 0
    (plan,) = directory.glob('*.plan')
    return plan


@without_gpu
def test_without_a_gpu_the_error_is_that_of_the_driver(tmp_path: Path) -> None:
    bundle = ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))
    with pytest.raises(EngineError, match='^engine tensorrt: expected .*GPU that will run them'):
        open_engine(bundle, 'tensorrt')


@without_gpu
def test_without_a_gpu_auto_takes_openvino_and_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip('openvino')
    bundle = ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))
    with caplog.at_level(logging.DEBUG, logger='lane_seg'), open_engine(bundle) as engine:
        assert engine.name == 'openvino'
    (record,) = [item for item in caplog.records if 'tensorrt' in item.message]
    assert record.levelno == logging.DEBUG


@pytest.mark.parametrize('flavour', installed_flavours() or ['none'])
def test_the_library_has_every_name_that_the_engine_uses(flavour: str) -> None:
    if flavour == 'none':
        pytest.skip('needs TensorRT or TensorRT-RTX')
    api = open_library(flavour).api
    names = {
        'Runtime': ('deserialize_cuda_engine', 'engine_host_code_allowed', 'DLA_core'),
        'ICudaEngine': (
            'num_io_tensors', 'get_tensor_name', 'get_tensor_mode', 'get_tensor_shape',
            'get_tensor_dtype', 'get_tensor_location', 'get_tensor_format',
            'create_execution_context',
        ),
        'IExecutionContext': ('set_tensor_address', 'execute_async_v3'),
        'TensorIOMode': ('INPUT', 'OUTPUT'),
        'DataType': ('UINT8',),
        'TensorLocation': ('DEVICE',),
        'TensorFormat': ('LINEAR',),
    }  # fmt: skip
    if flavour == 'rtx':
        names |= {
            'ICudaEngine': (*names['ICudaEngine'], 'create_runtime_config'),
            'IRuntimeConfig': (
                'create_runtime_cache', 'set_runtime_cache', 'cuda_graph_strategy'
            ),
            'IRuntimeCache': ('deserialize', 'serialize'),
            'CudaGraphStrategy': ('WHOLE_GRAPH_CAPTURE',),
        }  # fmt: skip
    missing = [
        f'{owner}.{name}'
        for owner, members in names.items()
        for name in members
        if not hasattr(getattr(api, owner, None), name)
    ]
    assert missing == []
    assert (api.TensorFormat.LINEAR.name, api.DataType.UINT8.name) == ('LINEAR', 'UINT8')


@with_rtx
@without_gpu
def test_the_real_runtime_says_why_it_cannot_read_a_plan_back(tmp_path: Path) -> None:
    directory = write_bundle(tmp_path / 'mine', quantized_graph())
    plan = build_plan(directory, '--flavour', 'rtx')
    with pytest.raises(EngineError, match=r'back, found: .*CUDA driver .*lane-seg build-engine'):
        TensorRtPlan(plan, ModelBundle.load(directory), open_library('rtx'))


@pytest.mark.skipif(not HAS_PYCUDA or not has_gpu(), reason='needs pycuda and the driver')
def test_pycuda_has_every_name_that_the_engine_uses() -> None:
    import pycuda.driver as cuda

    owners = {
        cuda: ('init', 'Device', 'Stream', 'pagelocked_empty', 'mem_alloc', 'memcpy_htod_async')
        + ('memcpy_dtoh_async', 'Event', 'Error', 'MemoryError'),
        cuda.Device: ('get_attribute', 'retain_primary_context'),
        cuda.Context: ('push', 'pop', 'detach'),
        cuda.Stream: ('handle', 'synchronize'),
        cuda.Event: ('record', 'synchronize', 'time_since'),
        cuda.HostPointer: ('get_device_pointer',),
        cuda.device_attribute: ('INTEGRATED',),
        cuda.host_alloc_flags: ('DEVICEMAP',),
    }
    missing = [
        name for owner, names in owners.items() for name in names if not hasattr(owner, name)
    ]
    assert missing == []


@pytest.fixture(scope='module')
def built(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """The shipped model with a plan for this GPU."""
    if not has_gpu() or not installed_flavours() or not HAS_PYCUDA:
        pytest.skip('needs an NVIDIA GPU, TensorRT or TensorRT-RTX, and pycuda')
    directory = tmp_path_factory.mktemp('gpu') / 'model'
    shutil.copytree(ModelBundle.load('default').directory, directory)
    for old in directory.glob('*.plan*'):
        old.unlink()
    build_plan(directory)
    return ModelBundle.load(directory)


def pictures(bundle: ModelBundle, count: int = 8) -> list[np.ndarray]:
    """Camera pictures of the built-in road, as the model takes them."""
    from lane_seg_scene import RoadScene

    scene = RoadScene(seed=3, height=360, width=640)
    size = (bundle.height, bundle.width)
    return [
        tensor_from_image(scene.frame(0.7 * index).image, size, bundle.fit).copy()
        for index in range(count)
    ]


def masks_of(engine: Engine, tensors: list[np.ndarray]) -> list[np.ndarray]:
    return [engine.infer(tensor).copy() for tensor in tensors]


def on_a_thread(work: Callable[[], object]) -> object:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.gpu
def test_the_gpu_agrees_with_openvino(built: ModelBundle) -> None:
    pytest.importorskip('openvino')
    tensors = pictures(built)
    with open_engine(built) as gpu, open_engine(built, 'openvino') as cpu:
        assert gpu.name == 'tensorrt'
        ours, theirs = masks_of(gpu, tensors), masks_of(cpu, tensors)
    assert len({mask.tobytes() for mask in theirs}) > 1
    assert min(np.mean(a == b) for a, b in zip(ours, theirs, strict=True)) >= AGREEMENT


@pytest.mark.gpu
def test_threads_share_an_engine_and_close_it_elsewhere(built: ModelBundle) -> None:
    tensors = pictures(built)
    engine = open_engine(built, 'tensorrt')
    wanted = masks_of(engine, tensors)
    for _ in range(2):
        masks = on_a_thread(lambda: masks_of(engine, tensors))
        assert all(np.array_equal(*pair) for pair in zip(masks, wanted, strict=True))
    on_a_thread(engine.close)
    with pytest.raises(EngineError, match='closed'):
        engine.infer(tensors[0])


@pytest.mark.gpu
def test_a_network_is_timed_on_the_gpu_and_its_masks_stay_the_same(built: ModelBundle) -> None:
    tensors = pictures(built, 3)
    with open_engine(built, 'tensorrt') as engine:
        wanted = masks_of(engine, tensors)
        times_ms = engine.time_network_ms(tensors[0], 10)
        # The GPU's own clock, not what the CPU waited: no frame of this model takes a second.
        assert all(0 < time_ms < 1e3 for time_ms in times_ms)
        assert all(map(np.array_equal, masks_of(engine, tensors), wanted))


@pytest.mark.gpu
def test_closing_gives_the_memory_back(built: ModelBundle) -> None:
    tensor = pictures(built, 1)[0]
    # Held, so that what the driver keeps for the context itself does not count.
    with closing(CudaDevice()) as device, device.current():
        open_engine(built, 'tensorrt').close()
        free, _ = device.cuda.mem_get_info()
        for _ in range(5):
            with open_engine(built, 'tensorrt') as engine:
                engine.infer(tensor)
                engine.time_network_ms(tensor, 2)
                assert device.cuda.mem_get_info()[0] < free
        assert device.cuda.mem_get_info()[0] >= free
