"""What is asked of each version of TensorRT. Only calls are checked here: nothing is built."""

from __future__ import annotations

import os
import signal

import pytest

from lane_seg.errors import EngineError
from lane_seg.plans import messages
from lane_seg.plans.options import BuildOptions
from lane_seg_engine.builder import build_plan, is_strongly_typed, parse
from tests.lane_seg_engine.fake_tensorrt import CACHE, PLAN, FakeTensorrt, library_of

VERSIONS = ('8.5.2', '8.6.1', '10.3.0', '11.1.0')


@pytest.fixture(autouse=True)
def no_logger_of_another_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, '_MESSAGES_OF', {})


def flags_of(api: FakeTensorrt) -> set[str]:
    return {flag.name for flag in api.made['config'].flags}


@pytest.mark.parametrize(
    ('version', 'network', 'flags'),
    [
        ('8.5.2', 0b01, {'INT8'}),
        ('8.6.1', 0b01, {'INT8'}),
        ('10.3.0', 0b10, set()),
        ('11.1.0', 0, set()),
    ],
)
def test_int8_is_a_flag_where_networks_are_not_strongly_typed(
    version: str, network: int, flags: set[str]
) -> None:
    api = FakeTensorrt(version)
    built = build_plan(library_of(api), b'graph', 'int8', BuildOptions())
    assert built.plan == PLAN
    assert api.made['network flags'] == network
    assert flags_of(api) == flags
    assert api.made['config'].profiling_verbosity.name == 'DETAILED'


@pytest.mark.parametrize(
    ('precision', 'options', 'flags'),
    [
        ('fp32', BuildOptions(), set()),
        ('fp32', BuildOptions(tf32=True), {'TF32'}),
        ('fp16', BuildOptions(), {'FP16'}),
        ('int8', BuildOptions(float_type='fp16'), {'INT8', 'FP16'}),
    ],
)
def test_weakly_typed_networks_get_the_flag_of_each_precision(
    precision: str, options: BuildOptions, flags: set[str]
) -> None:
    api = FakeTensorrt('8.6.1')
    build_plan(library_of(api), b'graph', precision, options)
    assert flags_of(api) == flags


@pytest.mark.parametrize('version', VERSIONS)
def test_a_calibrator_needs_weak_typing_up_to_version_10(version: str) -> None:
    library = library_of(FakeTensorrt(version))
    weak = not is_strongly_typed(library, BuildOptions(calibration='ab'))
    assert weak is (version != '11.1.0')


def test_a_calibrator_is_handed_on_in_a_weakly_typed_network() -> None:
    api = FakeTensorrt('10.3.0')
    calibrator = object()
    options = BuildOptions(calibration='ab')
    build_plan(library_of(api), b'graph', 'int8', options, calibrator=calibrator)
    assert api.made['network flags'] == 0
    assert flags_of(api) == {'INT8'}
    assert api.made['config'].int8_calibrator is calibrator


def test_the_accelerator_is_the_default_device_and_the_gpu_takes_the_rest() -> None:
    api = FakeTensorrt('10.3.0', dla_cores=2)
    build_plan(library_of(api), b'graph', 'fp16', BuildOptions(dla_core=1))
    config = api.made['config']
    assert (config.default_device_type.name, config.DLA_core) == ('DLA', 1)
    assert flags_of(api) == {'FP16', 'GPU_FALLBACK'}


def test_an_accelerator_that_is_not_there_is_named() -> None:
    library = library_of(FakeTensorrt('10.3.0'))
    with pytest.raises(EngineError, match='DLA core 0, found 0 cores'):
        build_plan(library, b'graph', 'fp16', BuildOptions(dla_core=0))


def test_memory_search_and_compatibility_are_set() -> None:
    api = FakeTensorrt('8.6.1')
    options = BuildOptions(
        workspace_mib=512,
        optimization_level=5,
        version_compatible=True,
        hardware_compatibility='ampere+',
    )
    build_plan(library_of(api), b'graph', 'int8', options)
    config = api.made['config']
    assert config.pools == {'WORKSPACE': 512 * 1024 * 1024}
    assert config.builder_optimization_level == 5
    assert config.hardware_compatibility_level.name == 'AMPERE_PLUS'
    assert flags_of(api) == {'INT8', 'VERSION_COMPATIBLE'}


@pytest.mark.parametrize('version', VERSIONS)
def test_the_timing_cache_is_read_and_given_back(version: str) -> None:
    api = FakeTensorrt(version)
    built = build_plan(library_of(api), b'graph', 'int8', BuildOptions(), timing_cache=CACHE)
    assert api.made['config'].caches == [CACHE]
    assert built.timing_cache == CACHE


def test_a_timing_cache_of_another_gpu_is_replaced_by_a_new_one() -> None:
    api = FakeTensorrt('10.3.0')
    build_plan(library_of(api), b'graph', 'int8', BuildOptions(), timing_cache=b'foreign')
    assert api.made['config'].caches == [b'foreign', b'']
    assert api.made['config'].cache == b''


def test_progress_never_goes_back_and_ends_beyond_the_first_half() -> None:
    seen: list[tuple[float, str]] = []
    build_plan(
        library_of(FakeTensorrt('10.3.0')), b'graph', 'int8', BuildOptions(),
        on_progress=lambda part, phase: seen.append((part, phase)),
    )  # fmt: skip
    parts = [part for part, _ in seen]
    assert parts == sorted(parts)
    assert parts[0] == 0.0
    assert parts[-1] == 0.5
    assert (0.25, 'half') in seen


def test_a_version_without_a_monitor_builds_in_silence() -> None:
    seen: list[float] = []
    build_plan(
        library_of(FakeTensorrt('8.5.2')), b'graph', 'int8', BuildOptions(),
        on_progress=lambda part, _: seen.append(part),
    )  # fmt: skip
    assert seen == []


def test_ctrl_c_stops_the_build_at_its_next_step() -> None:
    parts: list[float] = []

    def interrupt(part: float, phase: str) -> None:
        parts.append(part)
        if part > 0.1:
            os.kill(os.getpid(), signal.SIGINT)

    library = library_of(FakeTensorrt('10.3.0'))
    with pytest.raises(KeyboardInterrupt):
        build_plan(library, b'graph', 'int8', BuildOptions(), on_progress=interrupt)
    assert max(parts) < 0.5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_warnings_are_told_once_and_remarks_are_not() -> None:
    built = build_plan(library_of(FakeTensorrt('10.3.0')), b'graph', 'int8', BuildOptions())
    assert built.warnings == ('a warning',)


def test_what_the_builder_logged_is_in_the_error() -> None:
    library = library_of(FakeTensorrt('10.3.0', fails='out of memory'))
    with pytest.raises(EngineError, match='built no plan: out of memory; .*--workspace'):
        build_plan(library, b'graph', 'int8', BuildOptions())


def test_what_the_parser_said_is_in_the_error() -> None:
    library = library_of(FakeTensorrt('10.3.0', refuses='no such operator'))
    with pytest.raises(EngineError, match=r'cannot read the graph: no such operator; .*export'):
        parse(library, b'graph', BuildOptions())


def test_a_builder_that_cannot_be_made_points_to_the_driver() -> None:
    api = FakeTensorrt('10.3.0')

    def no_builder(logger: object) -> None:
        logger.log(api.ILogger.Severity.ERROR, 'CUDA initialization failure with error: 35')
        raise TypeError('pybind11::init(): factory function returned nullptr')

    api.Builder = no_builder
    with pytest.raises(EngineError, match='failure with error: 35; it needs a GPU'):
        parse(library_of(api), b'graph', BuildOptions())


def test_the_signature_is_that_of_the_network() -> None:
    parsed = parse(library_of(FakeTensorrt('8.5.2')), b'graph', BuildOptions())
    assert parsed.inputs == (('image', 'uint8', (1, 16, 32, 3)),)
    assert parsed.outputs == (('mask', 'uint8', (1, 16, 32)),)
    assert parsed.layers == 7
