"""What a plan was built from and for: its key, in a JSON file beside it."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.files import sha256_of, write_text
from lane_seg.plans.libraries import version_numbers
from lane_seg.plans.options import BuildOptions

if TYPE_CHECKING:
    from lane_seg.plans.gpu import Gpu

__all__ = [
    'KEY_SUFFIX', 'PLAN_SUFFIX', 'PlanKey', 'PlanRecord', 'build_command', 'key_differences',
    'key_of', 'plan_name', 'read_record', 'write_record',
]  # fmt: skip

FORMAT = 1
PLAN_SUFFIX = '.plan'
KEY_SUFFIX = '.json'
_AMPERE = (8, 0)
# Build options and the arguments of `lane-seg build-engine` that set them.
_ARGUMENTS = {
    'float_type': '--float-type', 'tf32': '--tf32', 'workspace_mib': '--workspace',
    'optimization_level': '--optimization-level', 'dla_core': '--dla-core',
    'version_compatible': '--version-compatible',
    'hardware_compatibility': '--hardware-compatibility', 'targets': '--target',
}  # fmt: skip
_DEFAULTS = BuildOptions().for_key()


@dataclass(frozen=True)
class PlanKey:
    """A plan is good for exactly this.

    Attributes:
        onnx_sha256: of the bundle's model.onnx.
        flavour: 'tensorrt' or 'rtx'.
        version: full version of the library.
        gpu: name of the GPU it was built for; None where it is not bound to one GPU.
        compute_capability: of that GPU, for example '8.7'; None as above.
        precision: 'int8', 'fp16' or 'fp32'.
        options: all build options, see `BuildOptions.for_key`.
    """

    onnx_sha256: str
    flavour: str
    version: str
    gpu: str | None
    compute_capability: str | None
    precision: str
    options: dict[str, object]


@dataclass(frozen=True)
class PlanRecord:
    """What the JSON file beside a plan holds.

    Attributes:
        key: see `PlanKey`.
        plan_sha256: of the plan.
        plan_bytes: its size.
        built: about the build, for people: time, seconds, bundle, graph, convolutions in int8.
    """

    key: PlanKey
    plan_sha256: str
    plan_bytes: int
    built: dict[str, object]


def plan_name(key: PlanKey) -> str:
    """Return the plan's file name: one for each precision, library version and target."""
    options = key.options
    targets = options.get('targets')
    if isinstance(targets, list) and targets:
        where = 'sm' + '+'.join(str(target).replace('.', '') for target in targets)
    elif key.gpu is None:
        where = 'portable'
    else:
        gpu = re.sub(r'[^a-z0-9]+', '-', key.gpu.lower()).strip('-')
        where = f'{gpu}-sm{(key.compute_capability or "").replace(".", "")}'
    core = options.get('dla_core')
    dla = '' if core is None else f'.dla{core}'
    return f'model.{key.precision}.{key.flavour}-{key.version}.{where}{dla}{PLAN_SUFFIX}'


def write_record(plan: Path, record: PlanRecord) -> Path:
    """Write the JSON file of a plan, whole or not at all; returns its path."""
    content = {
        'format': FORMAT,
        'key': dataclasses.asdict(record.key),
        'plan': {'sha256': record.plan_sha256, 'bytes': record.plan_bytes},
        'built': record.built,
    }
    path = plan.with_name(plan.name + KEY_SUFFIX)
    write_text(path, json.dumps(content, indent=2) + '\n')
    return path


def read_record(plan: Path) -> PlanRecord:
    """Read the JSON file of a plan and compare the plan with it.

    Raises:
        EngineError: plan or JSON file missing, damaged, or not of the same build.
    """
    path = plan.with_name(plan.name + KEY_SUFFIX)
    advice = 'build it again with `lane-seg build-engine`'
    for file in (plan, path):
        if not file.is_file():
            raise EngineError(f'expected the plan and its key, found no file {file}; {advice}')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        if content['format'] != FORMAT:
            raise EngineError(
                f'{path}: expected format {FORMAT}, found {content["format"]}; {advice}'
            )
        key = PlanKey(**content['key'])
        record = PlanRecord(
            key, content['plan']['sha256'], content['plan']['bytes'], content['built']
        )
        if not isinstance(key.options, dict) or not isinstance(record.built, dict):
            raise TypeError('options and built are no mappings')
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f'{path}: expected the key of a plan, found: {error}; {advice}'
        ) from error
    found = sha256_of(plan)
    if found != record.plan_sha256:
        raise EngineError(
            f'{plan}: expected the plan with sha256 {record.plan_sha256}, found {found}; {advice}'
        )
    return record


def key_differences(
    key: PlanKey,
    *,
    onnx_sha256: str | None = None,
    flavour: str | None = None,
    version: str | None = None,
    gpu: Gpu | None = None,
) -> list[str]:
    """Say why a plan does not fit; what is None is not compared.

    Returns:
        One line for each field that differs: the field, what the plan needs, what there is.
        Empty: it fits.
    """
    lines = []
    if onnx_sha256 is not None and key.onnx_sha256 != onnx_sha256:
        lines.append(
            f'onnx_sha256: the plan is of {key.onnx_sha256}, the bundle has {onnx_sha256}'
        )
    if flavour is not None and key.flavour != flavour:
        lines.append(f'flavour: the plan needs {key.flavour}, the library is {flavour}')
    elif version is not None and not _version_fits(key, version):
        later = ' or later' if key.options.get('version_compatible') else ''
        lines.append(f'version: the plan needs {key.version}{later}, the library is {version}')
    if gpu is not None:
        lines += _gpu_differences(key, gpu)
    return lines


def build_command(key: PlanKey, model: str) -> str:
    """Return the command that builds such a plan again."""
    words = [f'lane-seg build-engine --model "{model}"']
    words += [f'--flavour {key.flavour}', f'--precision {key.precision}']
    for name, argument in _ARGUMENTS.items():
        value = key.options.get(name)
        if value == _DEFAULTS[name]:
            continue
        if value is True:
            words.append(argument)
        else:
            values = value if isinstance(value, list) else [value]
            words += [f'{argument} {item}' for item in values]
    if key.options.get('calibration') is not None:
        words.append('--calibration-images DIR')
    return ' '.join(words)


def _version_fits(key: PlanKey, version: str) -> bool:
    if key.options.get('version_compatible'):
        return version_numbers(version) >= version_numbers(key.version)
    return version == key.version


def _gpu_differences(key: PlanKey, gpu: Gpu) -> list[str]:
    here = version_numbers(gpu.compute_capability)
    targets = key.options.get('targets')
    if isinstance(targets, list) and targets:
        if gpu.compute_capability not in targets:
            return [
                f'targets: the plan needs compute capability {" or ".join(map(str, targets))}, '
                f'the GPU has {gpu.compute_capability}'
            ]
        return []
    level = key.options.get('hardware_compatibility')
    if key.flavour == 'rtx' or level == 'ampere+':
        if here < _AMPERE:
            return [
                f'compute_capability: the plan needs 8.0 or later, the GPU has '
                f'{gpu.compute_capability}'
            ]
        return []
    lines = []
    if key.compute_capability != gpu.compute_capability:
        lines.append(
            f'compute_capability: the plan needs {key.compute_capability}, the GPU has '
            f'{gpu.compute_capability}'
        )
    if key.gpu != gpu.name and level != 'same_capability':
        lines.append(f'gpu: the plan needs {key.gpu}, the GPU is {gpu.name}')
    return lines


def key_of(
    *, onnx_sha256: str, flavour: str, version: str, precision: str, options: BuildOptions,
    gpu: Gpu | None,
) -> PlanKey:  # fmt: skip
    """Make the key of a plan that is to be built.

    Args:
        onnx_sha256: of the bundle's graph.
        flavour: of the library.
        version: of the library.
        precision: 'int8', 'fp16' or 'fp32'.
        options: all of them.
        gpu: the GPU of this machine. A plan of TensorRT-RTX is not bound to it.
    """
    bound = gpu if flavour == 'tensorrt' else None
    return PlanKey(
        onnx_sha256=onnx_sha256,
        flavour=flavour,
        version=version,
        gpu=None if bound is None else bound.name,
        compute_capability=None if bound is None else bound.compute_capability,
        precision=precision,
        options=options.for_key(),
    )
