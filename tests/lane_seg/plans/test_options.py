"""Options that cannot work together are refused before a build that would be in vain."""

from __future__ import annotations

from types import ModuleType

import pytest

from lane_seg.errors import EngineError
from lane_seg.plans.libraries import Library
from lane_seg.plans.options import BuildOptions, check_options
from tests.lane_seg_engine.fake_tensorrt import FakeTensorrt, library_of

RTX = Library('rtx', '1.7.1.116', ModuleType('tensorrt_rtx'))


@pytest.mark.parametrize('version', ['8.5.2', '10.3.0', '11.1.0'])
@pytest.mark.parametrize(
    ('precision', 'quantized'), [('int8', True), ('fp16', True), ('fp16', False), ('fp32', False)]
)
def test_the_defaults_work_everywhere(version: str, precision: str, *, quantized: bool) -> None:
    check_options(
        BuildOptions(), library_of(FakeTensorrt(version)), precision, quantized=quantized
    )


@pytest.mark.parametrize(
    ('options', 'version', 'precision', 'quantized', 'text'),
    [
        (BuildOptions(), '10.3.0', 'int8', False, 'lane-seg quantize'),
        (BuildOptions(calibration='ab'), '10.3.0', 'int8', True, 'scales in the graph'),
        (BuildOptions(calibration='ab'), '11.1.0', 'int8', False, 'TensorRT 10 or earlier'),
        (BuildOptions(calibration='ab'), '10.3.0', 'fp16', False, '--precision int8 only'),
        (BuildOptions(float_type='fp16'), '10.3.0', 'fp32', False, '--precision int8 only'),
        (BuildOptions(dla_core=0), '10.3.0', 'fp32', False, 'cannot compute'),
        (BuildOptions(dla_core=0), '10.3.0', 'int8', True, 'without Q/DQ for --dla-core'),
        (BuildOptions(targets=('8.6',)), '10.3.0', 'int8', True, 'use --flavour rtx'),
        (BuildOptions(version_compatible=True), '8.5.2', 'int8', True, 'TensorRT 8.6 or later'),
        (BuildOptions(hardware_compatibility='ampere+'), '8.5.2', 'int8', True, 'ampere'),
        (
            BuildOptions(hardware_compatibility='same_capability'), '10.3.0', 'int8', True,
            'same_capability',
        ),
    ],
)  # fmt: skip
def test_what_a_version_cannot_do_is_refused(
    options: BuildOptions, version: str, precision: str, text: str, *, quantized: bool
) -> None:
    with pytest.raises(EngineError, match=text):
        check_options(options, library_of(FakeTensorrt(version)), precision, quantized=quantized)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (BuildOptions(dla_core=0), '--flavour tensorrt'),
        (BuildOptions(hardware_compatibility='ampere+'), 'use --target'),
    ],
)
def test_what_tensorrt_rtx_cannot_do_is_refused(options: BuildOptions, text: str) -> None:
    with pytest.raises(EngineError, match=text):
        check_options(options, RTX, 'int8' if options.dla_core is None else 'fp16', quantized=True)


def test_calibration_and_the_accelerator_go_together_for_a_model_in_float() -> None:
    options = BuildOptions(calibration='ab', dla_core=0)
    check_options(options, library_of(FakeTensorrt('8.5.2')), 'int8', quantized=False)
