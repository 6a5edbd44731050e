"""`lane-seg engine-info`: what is in a plan, and whether it fits this machine and the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import BundleError, EngineError

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from lane_seg.plans.gpu import Gpu
    from lane_seg.plans.key import PlanKey, PlanRecord
    from lane_seg.plans.libraries import Library
    from lane_seg_engine.plan_layers import Layer

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'List the layers of a TensorRT plan with their precisions and sizes, and compare its key\n'
    'with the model, the library and the GPU that are here. Exit code 1 if something differs.'
)
EPILOG = """examples:
  lane-seg engine-info models/default/model.int8.tensorrt-10.3.0.orin-sm87.plan
  lane-seg engine-info plans/model.int8.rtx-1.7.1.116.portable.plan --model models/mine

Plans of TensorRT need their library and GPU to list layers; those of TensorRT-RTX do not."""

_MIB = 1 << 20
_DIFFERS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('plan', type=Path, metavar='PLAN', help='made by `lane-seg build-engine`')
    parser.add_argument(
        '--model', metavar='DIR', help="bundle to compare with (default: the plan's folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg.plans.key import build_command, read_record

    console = Console(highlight=False, markup=False, soft_wrap=True)
    record = read_record(args.plan)
    library, no_library = _library(record.key.flavour)
    gpu, no_gpu = _gpu()
    _print_record(console, args.plan, record)
    try:
        _print_layers(console, _layers(args.plan, library))
    except EngineError as error:
        console.print(f'layers       not listed: {error}')
    differences = _differences(console, record.key, args, library, gpu)
    for missing in (no_library, no_gpu):
        if missing:
            console.print(f'not compared {missing}')
    for line in differences:
        console.print(f'differs      {line}')
    if differences:
        model = args.model or str(args.plan.resolve().parent)
        console.print(f'build it     {build_command(record.key, model)}')
        return _DIFFERS
    console.print('fits         in all that was compared')
    return 0


def _library(flavour: str) -> tuple[Library | None, str]:
    from lane_seg.plans.libraries import open_library

    try:
        return open_library(flavour), ''
    except EngineError as error:
        return None, f'library: {error}'


def _gpu() -> tuple[Gpu | None, str]:
    from lane_seg.plans.gpu import gpu_info

    try:
        return gpu_info(), ''
    except EngineError as error:
        return None, f'GPU: {error}'


def _layers(path: Path, library: Library | None) -> list[Layer]:
    from lane_seg_engine.plan_layers import layers_of_plan

    return layers_of_plan(path.read_bytes(), library)


def _differences(
    console: Console,
    key: PlanKey,
    args: argparse.Namespace,
    library: Library | None,
    gpu: Gpu | None,
) -> list[str]:
    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.key import key_differences

    onnx_sha256 = None
    try:
        bundle = ModelBundle.load(args.model or args.plan.resolve().parent)
        onnx_sha256 = bundle.onnx_sha256
    except BundleError as error:
        if args.model is not None:
            raise
        console.print(f'not compared model: {error}')
    return key_differences(
        key,
        onnx_sha256=onnx_sha256,
        flavour=None if library is None else library.flavour,
        version=None if library is None else library.version,
        gpu=gpu,
    )


def _print_record(console: Console, path: Path, record: PlanRecord) -> None:
    key = record.key
    where = 'any GPU that its targets allow' if key.gpu is None else key.gpu
    if key.compute_capability is not None:
        where += f' ({key.compute_capability})'
    set_options = {name: value for name, value in key.options.items() if value}
    console.print(
        f'plan         {path}, {record.plan_bytes / _MIB:.1f} MiB\n'
        f'model        {record.built.get("model")}, sha256 {key.onnx_sha256}\n'
        f'library      {key.flavour} {key.version}\n'
        f'GPU          {where}\n'
        f'precision    {key.precision}\n'
        f'options      {", ".join(f"{k} {v}" for k, v in set_options.items()) or "none"}\n'
        f'built        {record.built.get("time")} in {record.built.get("seconds")} s',
    )


def _print_layers(console: Console, layers: list[Layer]) -> None:
    from rich.table import Table

    table = Table()
    for column in ('layer', 'kind', 'precision', 'output'):
        table.add_column(column, overflow='fold')
    table.add_column('weights KiB', justify='right')
    for layer in layers:
        size = f'{layer.weight_bytes / 1024:.1f}' if layer.weight_bytes else ''
        table.add_row(layer.name, layer.kind, layer.precision, layer.output, size)
    console.print(table)
