"""The network alone, timed on a stand-in of which each copy and each network takes a set time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import EngineError
from tests.lane_seg.engines.fake_cuda import NETWORK_MS, mask_of
from tests.lane_seg.engines.fake_machine import some_tensor, use_machine
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


@pytest.mark.parametrize('settings', [{}, {'rtx': True}, {'integrated': True}])
def test_the_time_is_that_of_the_network_without_copies(
    bundle: ModelBundle, machine: Machine, settings: dict[str, bool]
) -> None:
    gpu, _ = machine(**settings)
    with open_engine(bundle, 'tensorrt') as engine:
        assert engine.time_network_ms(some_tensor(bundle), 3) == [NETWORK_MS] * 3
        assert engine.time_network_ms(some_tensor(bundle), 2) == [NETWORK_MS] * 2
    assert gpu.leaked == []


def test_the_gpu_is_busy_with_the_same_network_while_what_is_timed_is_queued(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt') as engine:
        engine.time_network_ms(some_tensor(bundle), 1)
        gpu.calls.clear()
        engine.time_network_ms(some_tensor(bundle), 1)
        assert gpu.calls == [
            'memcpy_htod_async', 'cuGraphLaunch', 'event', 'cuGraphLaunch', 'event',
            'event synchronize',
        ]  # fmt: skip


@pytest.mark.parametrize('settings', [{'rtx': True}, {'fails': ('no cuStreamBeginCapture_v2',)}])
def test_where_frames_have_no_graph_of_ours_the_timed_network_has_none(
    bundle: ModelBundle, machine: Machine, settings: dict[str, object]
) -> None:
    gpu, _ = machine(**settings)
    with open_engine(bundle, 'tensorrt') as engine:
        assert ('library' in engine.cuda_graph) == ('rtx' in settings)
        gpu.calls.clear()
        engine.time_network_ms(some_tensor(bundle), 1)
        assert 'cuGraphLaunch' not in gpu.calls
        assert gpu.calls.count('execute') == 2


def test_frames_are_run_as_before_after_a_measurement(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt') as engine:
        assert engine.cuda_graph == 'yes'
        engine.time_network_ms(some_tensor(bundle), 2)
        gpu.calls.clear()
        tensor = some_tensor(bundle)
        assert np.array_equal(engine.infer(tensor), mask_of(tensor))
        assert gpu.calls == ['cuGraphLaunch', 'synchronize']


def test_what_cannot_be_timed_is_named_and_everything_freed(
    bundle: ModelBundle, machine: Machine
) -> None:
    gpu, _ = machine()
    with open_engine(bundle, 'tensorrt') as engine:
        with pytest.raises(EngineError, match='expected a contiguous uint8 tensor'):
            engine.time_network_ms(some_tensor(bundle)[:-1], 1)
        gpu.fails.add('cuGraphInstantiateWithFlags')
        with pytest.raises(EngineError, match='engine tensorrt: .*cuGraphInstantiateWithFlags'):
            engine.time_network_ms(some_tensor(bundle), 1)
        gpu.fails = {'event synchronize'}
        with pytest.raises(EngineError, match='that a measurement failed: cuEventSync') as caught:
            engine.time_network_ms(some_tensor(bundle), 1)
    assert caught.tb is not None
    assert gpu.leaked == []
    with pytest.raises(EngineError, match='engine tensorrt is closed'):
        engine.time_network_ms(some_tensor(bundle), 1)
