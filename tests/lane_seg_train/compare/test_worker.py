"""A contender in a process of its own: what it answers, how it dies, that it ends."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.checkpoint_engine import CheckpointEngine
from lane_seg_train.compare.process import Worker, WorkerError
from tests.lane_seg_train.tiny_training import HEIGHT, WIDTH

if TYPE_CHECKING:
    from tests.lane_seg_train.compare.conftest import Models


def tensor(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime'])
def test_a_worker_runs_the_engine_of_the_car(models: Models, engine: str) -> None:
    with Worker('one') as worker:
        frames = np.stack([tensor(1), tensor(2)])
        worker.ask('tensors', frames.tobytes(), shape=frames.shape)
        facts, _ = worker.ask('open', engine=engine, model=str(models.int8), threads=1)
        assert (facts['name'], facts['threads']) == (engine, 1)
        assert facts['version'][0].isdigit()
        times, _ = worker.ask('time', frames=5, before=2)
        assert len(times['times_ms']) == 5
        assert min(times['times_ms']) > 0
        assert worker.ask('memory')[0]['peak_mb'] >= facts['library_mb'] > 0
        found = worker.mask(tensor())
    with open_engine(ModelBundle.load(models.int8), engine, threads=1) as opened:
        assert np.array_equal(found, opened.infer(tensor()))


def test_a_checkpoint_runs_in_pytorch(models: Models) -> None:
    with Worker('one') as worker:
        facts, _ = worker.ask('open', engine='torch', model=str(models.checkpoint), threads=1)
        found = worker.mask(tensor())
    assert (facts['name'], facts['threads']) == ('torch', 1)
    expected = CheckpointEngine(Checkpoint.load(models.checkpoint)).infer(tensor())
    assert np.array_equal(found, expected)


def test_what_cannot_be_done_is_said_and_the_worker_goes_on(models: Models) -> None:
    with Worker('one') as worker:
        with pytest.raises(WorkerError, match='expected an open engine, found none'):
            worker.ask('time', frames=1, before=0)
        with pytest.raises(WorkerError, match='expected a model bundle'):
            worker.ask('open', engine='openvino', model=str(models.folder / 'none'), threads=1)
        worker.ask('open', engine='openvino', model=str(models.floating), threads=1)
        with pytest.raises(WorkerError, match='expected a contiguous uint8 tensor'):
            worker.mask(tensor()[:, : WIDTH // 2])
        assert worker.mask(tensor()).shape == (HEIGHT, WIDTH)


def test_a_killed_worker_is_named_with_the_signal_and_stays_dead() -> None:
    with Worker('openvino int8') as worker:
        os.kill(worker.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(WorkerError, match=r'openvino int8 has ended \(SIGKILL: .*memory'):
                worker.ask('memory')


def test_a_worker_that_breaks_is_reported_with_its_last_words() -> None:
    with (
        Worker('torch fp32') as worker,
        pytest.raises(WorkerError, match=r'(?s)exit code 1.*AttributeError.*no_such_thing'),
    ):
        worker.ask('no_such_thing')


def test_ctrl_c_is_left_to_the_comparison() -> None:
    with Worker('one') as worker:
        worker.ask('memory')  # it has come so far
        os.kill(worker.pid, signal.SIGINT)
        assert worker.ask('memory')[0]['peak_mb'] > 0


def test_no_process_is_left_behind(models: Models) -> None:
    with pytest.raises(KeyboardInterrupt), Worker('one') as worker:
        pid = worker.pid
        worker.ask('open', engine='openvino', model=str(models.floating), threads=1)
        raise KeyboardInterrupt
    assert not is_running(pid)
    worker.close()


def test_a_worker_ends_when_whoever_asked_is_gone() -> None:
    worker = Worker('one')
    worker.ask('memory')
    assert worker._process.stdin is not None
    worker._process.stdin.close()
    end_s = time.monotonic() + 20
    while worker._process.poll() is None and time.monotonic() < end_s:
        time.sleep(0.05)
    assert worker._process.poll() == 0
    worker.close()
