"""`lane-seg build-engine`: a TensorRT plan of a bundle, for this machine's GPU."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError
from lane_seg.plans.libraries import FLAVOURS
from lane_seg.plans.options import COMPATIBILITY, FLOAT_TYPES, PRECISIONS, BuildOptions

if TYPE_CHECKING:
    from rich.console import Console

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans.gpu import Gpu
    from lane_seg.plans.libraries import Library
    from lane_seg_engine.prepare import PreparedGraph

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Build a TensorRT engine (a plan) of a model, on the machine whose GPU will run it.\n\n'
    'Works with TensorRT 8.5 to 11 and with TensorRT-RTX. The plan lies beside the model, with a\n'
    'JSON file that says what it was built from and for; it runs on nothing else. Graphs that\n'
    'TensorRT would refuse, or compute wrongly, are refused here, with the reason.'
)
EPILOG = """examples:
  lane-seg build-engine
  lane-seg build-engine --model models/mine --precision fp16
  lane-seg build-engine --model models/mine --dry-run          check only, on any machine
  lane-seg build-engine --flavour rtx --target 8.6 --target 8.9 --target 12.0
  lane-seg build-engine --timing-cache ~/.cache/lane_seg.timing

On a Jetson a build takes minutes; with --timing-cache the next one is shorter. Plans of
TensorRT-RTX are built in a second, without a GPU too; the GPU's own code is made when the plan is
first run. An fp16 or fp32 engine of an int8 model is for comparison: its weights stay rounded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        '--model', default='default', metavar='DIR', help='bundle (default: the shipped one)'
    )
    parser.add_argument(
        '--flavour', choices=('auto', *FLAVOURS), default='auto',
        help='TensorRT, or TensorRT-RTX (default: what is installed, TensorRT first)',
    )  # fmt: skip
    parser.add_argument('--precision', choices=PRECISIONS, help="(default: the model's own)")
    parser.add_argument(
        '--output', type=Path, metavar='DIR', help="where the plan goes (default: the model's)"
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='check and parse the graph, build nothing'
    )
    parser.add_argument(
        '--force', action='store_true', help='build even if the same plan is there'
    )
    parser.add_argument(
        '--float-type', choices=FLOAT_TYPES, default='fp32',
        help='of what is not int8 in an int8 engine (default: fp32)',
    )  # fmt: skip
    parser.add_argument('--tf32', action='store_true', help='let fp32 be rounded to TF32')
    parser.add_argument(
        '--workspace', type=_whole, metavar='MIB', help='limit of scratch memory on the GPU'
    )
    parser.add_argument(
        '--optimization-level', type=int, choices=range(6), metavar='0..5',
        help='how long the builder may search (from TensorRT 8.6)',
    )  # fmt: skip
    parser.add_argument(
        '--timing-cache', type=Path, metavar='FILE', help='read and written: faster next time'
    )
    parser.add_argument(
        '--dla-core', type=int, choices=range(8), metavar='N',
        help="use a Jetson's accelerator; what it cannot do runs on the GPU",
    )  # fmt: skip
    parser.add_argument(
        '--version-compatible', action='store_true', help='later TensorRT may run it (from 8.6)'
    )
    parser.add_argument(
        '--hardware-compatibility', choices=tuple(COMPATIBILITY), default='none',
        help='other GPUs that may run it (TensorRT from 8.6, not on a Jetson)',
    )  # fmt: skip
    parser.add_argument(
        '--target', action='append', default=[], type=_capability, metavar='X.Y',
        help='compute capability to build for, may be repeated (TensorRT-RTX)',
    )  # fmt: skip
    parser.add_argument(
        '--calibration-images', type=Path, metavar='DIR',
        help='quantize a model in float inside TensorRT (up to 10); `lane-seg quantize` is better',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg.bundle import ModelBundle
    from lane_seg.plans import libraries
    from lane_seg.plans.options import check_options
    from lane_seg_engine import build_console
    from lane_seg_engine.calibrator import calibration_hash, calibration_images
    from lane_seg_engine.engine_from_onnx import engine_from_onnx, graph_for_engine
    from lane_seg_engine.graph_rules import has_quantization
    from lane_seg_engine.prepare import load_graph

    console = Console(highlight=False, markup=False, soft_wrap=True)
    bundle = ModelBundle.load(args.model)
    precision = args.precision or bundle.precision
    images = calibration_images(args.calibration_images) if args.calibration_images else []
    options = _options(args, calibration_hash(images) if images else None)
    try:
        library = libraries.open_library(args.flavour)
    except EngineError as error:
        if not args.dry_run:
            raise
        build_console.report_rules(console, bundle, load_graph(bundle), precision, str(error))
        return 0
    check_options(options, library, precision, quantized=has_quantization(load_graph(bundle)))
    gpu, reason = _gpu()
    if gpu is None and library.flavour == 'tensorrt' and not args.dry_run:
        raise EngineError(reason)
    graph = graph_for_engine(bundle, library, precision, options)
    build_console.report_graph(console, bundle, graph, precision, library, gpu)
    if args.dry_run:
        _dry_run(console, bundle, graph, library, options, reason)
        return 0
    with build_console.BuildBar() as bar:
        engine = engine_from_onnx(
            bundle,
            library,
            precision,
            options,
            gpu=gpu,
            graph=graph,
            output=args.output,
            images=images,
            timing_cache=args.timing_cache,
            force=args.force,
            on_progress=bar.update,
        )
    build_console.report_engine(console, engine)
    return 0


def _options(args: argparse.Namespace, calibration: str | None) -> BuildOptions:
    return BuildOptions(
        float_type=args.float_type,
        tf32=args.tf32,
        workspace_mib=args.workspace,
        optimization_level=args.optimization_level,
        dla_core=args.dla_core,
        version_compatible=args.version_compatible,
        hardware_compatibility=args.hardware_compatibility,
        targets=tuple(dict.fromkeys(args.target)),
        calibration=calibration,
    )


def _gpu() -> tuple[Gpu | None, str]:
    from lane_seg.plans.gpu import gpu_info

    try:
        return gpu_info(), ''
    except EngineError as error:
        return None, str(error)


def _dry_run(
    console: Console,
    bundle: ModelBundle,
    graph: PreparedGraph,
    library: Library,
    options: BuildOptions,
    no_gpu: str,
) -> None:
    from lane_seg_engine.builder import parse
    from lane_seg_engine.prepare import check_signature

    if no_gpu and library.flavour == 'tensorrt':
        console.print(f'parser       not run: {no_gpu}')
        return
    parsed = parse(library, graph.data, options)
    check_signature(parsed, bundle)
    for warning in parsed.warnings:
        console.print(f'warning      {warning}')
    console.print(f'parser       {parsed.layers} layers; nothing was built (--dry-run)')


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of MiB >= 1, found {text!r}')
    return int(text)


def _capability(text: str) -> str:
    major, dot, minor = text.partition('.')
    if not (dot and major.isdigit() and minor.isdigit() and len(minor) == 1):
        raise argparse.ArgumentTypeError(
            f'expected a compute capability such as 8.6, found {text!r}'
        )
    return f'{int(major)}.{minor}'
