"""The contenders of the GPU benchmark: PyTorch in fp16, and processes that may die."""

from __future__ import annotations

import importlib.util
import multiprocessing
import signal
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('torch')

from lane_seg.errors import EngineError, LaneSegError
from lane_seg.plans.gpu import gpu_info
from lane_seg.plans.libraries import installed_flavours
from lane_seg_train.checkpoint_engine import CheckpointEngine
from tests.lane_seg.engines.fake_cuda import NETWORK_MS, FakeGpu, mask_of
from tests.lane_seg_engine.quantized_graphs import HEIGHT, WIDTH
from tests.lane_seg_train import tiny_training as tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType


def has_gpu() -> bool:
    try:
        gpu_info()
    except EngineError:
        return False
    return True


without_gpu = pytest.mark.skipif(has_gpu(), reason='shows what happens without a GPU')


@pytest.fixture
def tensors() -> np.ndarray:
    return np.stack([image for image, _ in tiny.pairs(2)])


def test_the_network_in_fp16_gives_the_masks_of_the_checkpoint(
    script: ModuleType, tensors: np.ndarray
) -> None:
    import torch
    from gpu_torch import half_net

    checkpoint = tiny.random_checkpoint()
    with CheckpointEngine(checkpoint) as engine:
        wanted = np.stack([engine.infer(tensor).copy() for tensor in tensors])
    net = half_net(checkpoint)
    assert {value.dtype for value in net.parameters()} == {torch.float16}
    with torch.no_grad():
        found = np.stack([net(torch.from_numpy(tensor)[None])[0].numpy() for tensor in tensors])
    assert found.dtype == np.uint8
    assert len(np.unique(wanted)) > 1
    assert np.mean(found == wanted) > 0.99


def test_a_quantized_checkpoint_is_refused(script: ModuleType) -> None:
    from gpu_torch import half_net

    with pytest.raises(EngineError, match='expected a checkpoint in float, found int8'):
        half_net(tiny.quantized_checkpoint())


def test_what_a_process_answers_until_it_is_told_to_end(
    script: ModuleType, gpu: FakeGpu, bundles: tuple[Path, Path]
) -> None:
    import gpu_contenders

    contender = gpu_contenders.Contender('tensorrt', 'int8', bundles[0])
    tensors = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    ours, theirs = multiprocessing.Pipe()
    for request in (('masks', 0, 0), ('times', 4, 1), None):
        ours.send(request)
    before = signal.getsignal(signal.SIGINT)
    try:
        gpu_contenders._serve(theirs, contender, tensors)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ours.recv()['library'] == 'tensorrt 10.3.0, pycuda unknown'
    assert np.array_equal(ours.recv()['masks'], mask_of(tensors))
    times = ours.recv()
    assert times['gpu_ms'] == [NETWORK_MS] * 4
    assert len(times['whole_ms']) == 4
    assert not ours.poll()


@pytest.mark.gpu
def test_processes_on_the_gpu_answer_with_masks_and_times(
    script: ModuleType, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    if not has_gpu() or not installed_flavours() or importlib.util.find_spec('pycuda') is None:
        pytest.skip('needs an NVIDIA GPU, TensorRT or TensorRT-RTX, and pycuda')
    from gpu_contenders import Contender, Process

    tensors = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    with Process(Contender('tensorrt', 'int8', bundles[0]), tensors, patience_s=120) as process:
        assert process.facts['plan'].endswith('.plan')
        masks = process.ask('masks')['masks']
        times = process.ask('times', 4, 1)
    assert masks.shape == (3, HEIGHT, WIDTH)
    assert len(times['gpu_ms']) == len(times['whole_ms']) == 4
    assert min(times['gpu_ms'] + times['whole_ms']) > 0


@pytest.mark.gpu
def test_pytorch_on_the_gpu_gives_the_masks_of_the_checkpoint(
    script: ModuleType, tensors: np.ndarray, tmp_path: Path
) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip('needs an NVIDIA GPU and PyTorch with CUDA')
    from gpu_contenders import Contender, Process

    checkpoint = tiny.random_checkpoint()
    checkpoint.save(tmp_path / 'checkpoint.pt')
    with CheckpointEngine(checkpoint) as engine:
        wanted = np.stack([engine.infer(tensor).copy() for tensor in tensors])
    with Process(
        Contender('torch', 'fp16', tmp_path / 'checkpoint.pt'), tensors, patience_s=120
    ) as process:
        assert np.mean(process.ask('masks')['masks'] == wanted) > 0.99
        assert min(process.ask('times', 4, 1)['gpu_ms']) > 0


@without_gpu
def test_a_process_tells_why_its_contender_cannot_run(
    script: ModuleType, bundles: tuple[Path, Path], tensors: np.ndarray
) -> None:
    from gpu_contenders import Contender, Process

    with pytest.raises(LaneSegError, match='flavour|libcuda'):
        Process(Contender('tensorrt', 'int8', bundles[0]), tensors, patience_s=120)
    assert multiprocessing.active_children() == []


@pytest.fixture
def killer() -> Iterator[threading.Event]:
    """A thread that kills the first process that this one starts."""
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.01):
            for child in multiprocessing.active_children():
                child.kill()
                return

    thread = threading.Thread(target=kill)
    thread.start()
    yield done
    done.set()
    thread.join()


def test_a_process_that_dies_is_told_by_its_exit_code(
    script: ModuleType, bundles: tuple[Path, Path], tensors: np.ndarray, killer: threading.Event
) -> None:
    from gpu_contenders import Contender, Process

    with pytest.raises(LaneSegError, match='its process died with exit code -9'):
        Process(Contender('tensorrt', 'int8', bundles[0]), tensors, patience_s=120)
    assert multiprocessing.active_children() == []


def test_a_process_that_does_not_answer_in_time_is_ended(
    script: ModuleType, bundles: tuple[Path, Path], tensors: np.ndarray
) -> None:
    from gpu_contenders import Contender, Process

    # Shorter than a new Python takes to start.
    with pytest.raises(LaneSegError, match='its process did not answer within 1e-06 s'):
        Process(Contender('tensorrt', 'int8', bundles[0]), tensors, patience_s=1e-6)
    assert multiprocessing.active_children() == []
