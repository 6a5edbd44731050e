"""A plan is used only for what it was built from and for."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from lane_seg.errors import EngineError
from lane_seg.files import sha256_of
from lane_seg.plans.gpu import Gpu
from lane_seg.plans.key import (
    PlanKey,
    PlanRecord,
    build_command,
    key_differences,
    key_of,
    plan_name,
    read_record,
    write_record,
)
from lane_seg.plans.options import BuildOptions

if TYPE_CHECKING:
    from pathlib import Path

ORIN = Gpu('Orin', '8.7', '12.6')
RTX_4090 = Gpu('NVIDIA GeForce RTX 4090', '8.9', '13.0')
RTX_2080 = Gpu('NVIDIA GeForce RTX 2080', '7.5', '13.0')
SHA = 'ab' * 32


def key(
    flavour: str = 'tensorrt', options: BuildOptions | None = None, gpu: Gpu | None = ORIN
) -> PlanKey:
    return key_of(
        onnx_sha256=SHA,
        flavour=flavour,
        version='10.3.0' if flavour == 'tensorrt' else '1.7.1.116',
        precision='int8',
        options=options or BuildOptions(),
        gpu=gpu,
    )


def written(folder: Path) -> Path:
    plan = folder / 'model.plan'
    plan.write_bytes(b'a plan')
    write_record(plan, PlanRecord(key(), sha256_of(plan), 6, {'model': 'tiny 1'}))
    return plan


def test_a_plan_of_tensorrt_is_bound_to_its_gpu_and_that_is_in_its_name() -> None:
    assert (key().gpu, key().compute_capability) == ('Orin', '8.7')
    assert plan_name(key()) == 'model.int8.tensorrt-10.3.0.orin-sm87.plan'
    assert plan_name(key(gpu=RTX_4090)).endswith('.nvidia-geforce-rtx-4090-sm89.plan')
    assert plan_name(key(options=BuildOptions(dla_core=1))).endswith('.orin-sm87.dla1.plan')


def test_a_plan_of_tensorrt_rtx_is_bound_to_no_gpu() -> None:
    assert key('rtx', gpu=RTX_4090).gpu is None
    assert plan_name(key('rtx')) == 'model.int8.rtx-1.7.1.116.portable.plan'
    options = BuildOptions(targets=('8.6', '12.0'))
    assert plan_name(key('rtx', options)) == 'model.int8.rtx-1.7.1.116.sm86+120.plan'


def test_the_key_holds_every_option() -> None:
    names = {field.name for field in dataclasses.fields(BuildOptions)}
    assert set(key().options) == names


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    options = BuildOptions(targets=('8.6',), workspace_mib=64)
    plan = tmp_path / 'model.plan'
    plan.write_bytes(b'a plan')
    record = PlanRecord(key('rtx', options), sha256_of(plan), 6, {'model': 'tiny 1'})
    path = write_record(plan, record)
    assert path.name == 'model.plan.json'
    assert read_record(plan) == record


def test_an_altered_plan_is_refused(tmp_path: Path) -> None:
    plan = written(tmp_path)
    plan.write_bytes(b'A plan')
    with pytest.raises(EngineError, match='expected the plan with sha256 .* build it again'):
        read_record(plan)


@pytest.mark.parametrize('missing', ['model.plan', 'model.plan.json'])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    plan = written(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(EngineError, match=f'found no file .*{missing}; build it again'):
        read_record(plan)


@pytest.mark.parametrize(
    'text', ['', '[]', '{}', '{"format": 1}', '{"format": 1, "key": {"a": 1}}', 'null', '\0']
)
def test_a_damaged_key_is_refused(tmp_path: Path, text: str) -> None:
    plan = written(tmp_path)
    (tmp_path / 'model.plan.json').write_text(text, encoding='utf-8')
    with pytest.raises(EngineError, match='expected the key of a plan'):
        read_record(plan)


def test_a_key_of_another_format_is_refused(tmp_path: Path) -> None:
    plan = written(tmp_path)
    path = tmp_path / 'model.plan.json'
    content = json.loads(path.read_text(encoding='utf-8')) | {'format': 2}
    path.write_text(json.dumps(content), encoding='utf-8')
    with pytest.raises(EngineError, match='expected format 1, found 2'):
        read_record(plan)


def test_the_same_everything_fits() -> None:
    assert (
        key_differences(key(), onnx_sha256=SHA, flavour='tensorrt', version='10.3.0', gpu=ORIN)
        == []
    )


def test_what_is_not_known_is_not_compared() -> None:
    assert key_differences(key()) == []


@pytest.mark.parametrize(
    ('here', 'field'),
    [
        ({'onnx_sha256': 'cd' * 32}, 'onnx_sha256'),
        ({'flavour': 'rtx', 'version': '10.3.0'}, 'flavour'),
        ({'version': '10.4.0'}, 'version'),
        ({'version': '10.3.0.1'}, 'version'),
        ({'gpu': Gpu('Orin', '8.6', '12.6')}, 'compute_capability'),
        ({'gpu': Gpu('Orin Nano', '8.7', '12.6')}, 'gpu'),
    ],
)
def test_one_field_that_differs_is_named_with_both_values(
    here: dict[str, object], field: str
) -> None:
    (line,) = key_differences(key(), **here)
    assert line.startswith(f'{field}: the plan ')
    value = here[field.replace('compute_capability', 'gpu')]
    assert str(getattr(value, field.replace('gpu', 'name'), value)) in line


@pytest.mark.parametrize(
    ('version', 'fits'), [('10.2.9', False), ('10.3.0', True), ('10.10.0', True), ('11.0', True)]
)
def test_a_version_compatible_plan_fits_later_libraries(version: str, *, fits: bool) -> None:
    built = key(options=BuildOptions(version_compatible=True))
    assert (key_differences(built, version=version) == []) is fits


@pytest.mark.parametrize(
    ('flavour', 'options', 'gpu', 'fits'),
    [
        ('rtx', BuildOptions(), RTX_4090, True),
        ('rtx', BuildOptions(), RTX_2080, False),
        ('rtx', BuildOptions(targets=('8.6',)), RTX_4090, False),
        ('rtx', BuildOptions(targets=('7.5', '8.9')), RTX_2080, True),
        ('tensorrt', BuildOptions(hardware_compatibility='ampere+'), RTX_4090, True),
        ('tensorrt', BuildOptions(hardware_compatibility='ampere+'), RTX_2080, False),
        ('tensorrt', BuildOptions(hardware_compatibility='same_capability'), ORIN, True),
        (
            'tensorrt', BuildOptions(hardware_compatibility='same_capability'),
            Gpu('another', '8.7', '12.6'), True,
        ),
        ('tensorrt', BuildOptions(hardware_compatibility='same_capability'), RTX_4090, False),
    ],
)  # fmt: skip
def test_compatible_plans_fit_the_gpus_they_were_built_for(
    flavour: str, options: BuildOptions, gpu: Gpu, *, fits: bool
) -> None:
    assert (key_differences(key(flavour, options), gpu=gpu) == []) is fits


def test_the_build_command_is_one_that_can_be_typed() -> None:
    assert build_command(key(), 'models/mine') == (
        'lane-seg build-engine --model "models/mine" --flavour tensorrt --precision int8'
    )


def test_the_build_command_sets_the_options_that_were_set() -> None:
    options = BuildOptions(
        float_type='fp16', tf32=True, workspace_mib=64, targets=('8.6', '8.9'), calibration='ab'
    )
    assert build_command(key('rtx', options), 'mine').endswith(
        '--precision int8 --float-type fp16 --tf32 --workspace 64 --target 8.6 --target 8.9 '
        '--calibration-images DIR'
    )
