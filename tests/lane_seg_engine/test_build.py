"""`lane-seg build-engine` and `engine-info`, with the calls of TensorRT recorded."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import EngineError
from lane_seg.plans import gpu, libraries, messages
from lane_seg.plans.gpu import Gpu
from lane_seg_engine import build, engine_info
from tests.lane_seg_engine.fake_tensorrt import CACHE, PLAN, FakeTensorrt, library_of
from tests.lane_seg_engine.quantized_graphs import quantize_bias, quantized_graph, write_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORIN = Gpu('Orin', '8.7', '12.6')
PLAN_NAME = 'model.int8.tensorrt-10.3.0.orin-sm87.plan'


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / 'mine', quantized_graph())


@pytest.fixture
def jetson(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeTensorrt]:
    """Makes this machine one with an Orin and a version of TensorRT."""

    def make(version: str = '10.3.0', *, found: Gpu | None = ORIN) -> FakeTensorrt:
        api = FakeTensorrt(version)
        monkeypatch.setattr(messages, '_MESSAGES_OF', {})
        monkeypatch.setattr(libraries, 'open_library', lambda flavour='auto': library_of(api))

        def here() -> Gpu:
            if found is None:
                raise EngineError("expected NVIDIA's driver, found none")
            return found

        monkeypatch.setattr(gpu, 'gpu_info', here)
        return api

    return make


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(flavour: str = 'auto') -> None:
        raise EngineError('expected the Python package tensorrt, found none')

    monkeypatch.setattr(libraries, 'open_library', missing)


def run(module: object, *words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([str(word) for word in words]))


def test_the_plan_lies_beside_the_model_with_its_key(
    bundle: Path, jetson: Callable[..., FakeTensorrt], capsys: pytest.CaptureFixture[str]
) -> None:
    jetson()
    assert run(build, '--model', bundle) == 0
    assert (bundle / PLAN_NAME).read_bytes() == PLAN
    content = json.loads((bundle / f'{PLAN_NAME}.json').read_text(encoding='utf-8'))
    assert content['key']['gpu'] == 'Orin'
    assert content['key']['version'] == '10.3.0'
    assert content['built']['model'] == 'tiny 0.0.1'
    printed = capsys.readouterr().out
    assert '2 of 2 convolutions ask for int8' in printed
    assert 'convolutions 1 in fp32, 1 in int8' in printed
    assert 'not int8     head: fp32' in printed
    assert PLAN_NAME in printed


def test_the_same_plan_is_not_built_twice_unless_forced(
    bundle: Path, jetson: Callable[..., FakeTensorrt], capsys: pytest.CaptureFixture[str]
) -> None:
    jetson()
    run(build, '--model', bundle)
    api = jetson()
    run(build, '--model', bundle)
    assert 'config' not in api.made
    assert 'is there already' in capsys.readouterr().out
    run(build, '--model', bundle, '--force')
    assert 'config' in api.made


def test_another_option_builds_again(bundle: Path, jetson: Callable[..., FakeTensorrt]) -> None:
    jetson()
    run(build, '--model', bundle)
    api = jetson()
    run(build, '--model', bundle, '--workspace', '64')
    assert api.made['config'].pools == {'WORKSPACE': 64 << 20}


def test_a_failed_build_leaves_the_old_plan(
    bundle: Path, jetson: Callable[..., FakeTensorrt]
) -> None:
    jetson()
    run(build, '--model', bundle)
    before = sorted(path.name for path in bundle.iterdir())
    jetson().fails = 'no kernel'
    with pytest.raises(EngineError, match='no kernel'):
        run(build, '--model', bundle, '--force')
    assert sorted(path.name for path in bundle.iterdir()) == before
    assert run(engine_info, bundle / PLAN_NAME) == 0


def test_the_timing_cache_is_kept_in_its_file(
    bundle: Path, tmp_path: Path, jetson: Callable[..., FakeTensorrt]
) -> None:
    cache = tmp_path / 'deep' / 'cache'
    api = jetson()
    run(build, '--model', bundle, '--timing-cache', cache)
    assert api.made['config'].caches == [b'']
    assert cache.read_bytes() == CACHE
    run(build, '--model', bundle, '--timing-cache', cache, '--force')
    assert api.made['config'].caches == [CACHE]


def test_an_illegal_graph_is_refused_before_tensorrt_sees_it(
    tmp_path: Path, jetson: Callable[..., FakeTensorrt]
) -> None:
    model = quantized_graph()
    quantize_bias(model)
    api = jetson()
    with pytest.raises(EngineError, match='bias in float, found it quantized to int32'):
        run(build, '--model', write_bundle(tmp_path / 'illegal', model))
    assert api.made == {}


def test_tensorrt_needs_a_gpu(bundle: Path, jetson: Callable[..., FakeTensorrt]) -> None:
    jetson(found=None)
    with pytest.raises(EngineError, match="NVIDIA's driver"):
        run(build, '--model', bundle)


def test_a_dry_run_writes_nothing(
    bundle: Path, jetson: Callable[..., FakeTensorrt], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(bundle.iterdir())
    jetson()
    assert run(build, '--model', bundle, '--dry-run') == 0
    assert sorted(bundle.iterdir()) == before
    assert '7 layers; nothing was built' in capsys.readouterr().out


@pytest.mark.usefixtures('nothing_installed')
def test_a_dry_run_without_tensorrt_checks_the_rules(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(build, '--model', bundle, '--dry-run') == 0
    printed = capsys.readouterr().out
    assert 'keeps the rules; 2 of 2 convolutions in int8' in printed
    assert 'parser       not run: expected the Python package tensorrt' in printed


@pytest.mark.usefixtures('nothing_installed')
def test_a_build_without_tensorrt_says_what_is_missing(bundle: Path) -> None:
    with pytest.raises(EngineError, match='expected the Python package tensorrt'):
        run(build, '--model', bundle)


def test_an_engine_in_float_of_a_quantized_model_says_what_it_is(
    bundle: Path, jetson: Callable[..., FakeTensorrt], capsys: pytest.CaptureFixture[str]
) -> None:
    jetson()
    run(build, '--model', bundle, '--precision', 'fp16', '--output', bundle / 'plans')
    printed = capsys.readouterr().out
    assert '4 dequantizations taken out' in printed
    assert 'float32 turned into float16' in printed
    (record,) = (bundle / 'plans').glob('model.fp16.*.json')
    assert json.loads(record.read_text(encoding='utf-8'))['key']['precision'] == 'fp16'


@pytest.mark.parametrize(
    'words',
    [('--workspace', '0'), ('--target', '86'), ('--target', '8.66'), ('--precision', 'int4')],
)
def test_wrong_arguments_are_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(build, *words)
    assert caught.value.code == 2


def test_engine_info_names_what_differs_and_the_command_that_mends_it(
    bundle: Path, jetson: Callable[..., FakeTensorrt], capsys: pytest.CaptureFixture[str]
) -> None:
    jetson()
    run(build, '--model', bundle)
    jetson('11.1.0', found=Gpu('Thor', '11.0', '13.0'))
    capsys.readouterr()
    assert run(engine_info, bundle / PLAN_NAME) == 1
    printed = capsys.readouterr().out
    assert 'version: the plan needs 10.3.0, the library is 11.1.0' in printed
    assert 'gpu: the plan needs Orin, the GPU is Thor' in printed
    assert 'build it     lane-seg build-engine --model' in printed


def test_engine_info_compares_with_another_model(
    bundle: Path,
    tmp_path: Path,
    jetson: Callable[..., FakeTensorrt],
    capsys: pytest.CaptureFixture[str],
) -> None:
    jetson()
    run(build, '--model', bundle)
    model = quantized_graph()
    model.graph.name = 'another'
    other = write_bundle(tmp_path / 'other', model)
    assert run(engine_info, bundle / PLAN_NAME, '--model', other) == 1
    assert 'onnx_sha256: the plan is of' in capsys.readouterr().out


def test_a_plan_far_from_its_model_is_compared_with_what_there_is(
    bundle: Path,
    tmp_path: Path,
    jetson: Callable[..., FakeTensorrt],
    capsys: pytest.CaptureFixture[str],
) -> None:
    jetson()
    run(build, '--model', bundle, '--output', tmp_path / 'plans')
    assert run(engine_info, tmp_path / 'plans' / PLAN_NAME) == 0
    printed = capsys.readouterr().out
    assert 'not compared model' in printed
    assert 'fits' in printed
