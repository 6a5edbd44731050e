"""Engines against each other: OpenVINO, ONNX Runtime, threads, and the int8 rewrite at load.

Run it as: python benchmarks/engines.py [--model DIR] [--json]
With --confidence: each engine with the output `confidence` against itself without it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from harness import Row, add_common_arguments, interleaved, report
from numpy.typing import NDArray

from lane_seg.bundle import ModelBundle
from lane_seg.engines import Engine, EngineName, open_engine
from lane_seg.errors import LaneSegError
from lane_seg.machine import machine_info
from lane_seg.preprocess import tensor_from_image
from lane_seg_engine.add_confidence import bundle_with_confidence
from lane_seg_scene import RoadScene

ENGINES: tuple[EngineName, ...] = ('openvino', 'onnxruntime')
AS_STORED, REWRITTEN = 's8 as stored', 'u8 rewritten'


def stored_graph(bundle: ModelBundle) -> bytes:
    """The graph as it lies in the bundle, in place of `lane_seg.engines.graph.cpu_graph`."""
    return bundle.onnx_path.read_bytes()


def open_contender(bundle: ModelBundle, name: EngineName, threads: int, graph: str) -> Engine:
    """Open an engine, with or without the rewrite that it does at load."""
    with ExitStack() as stack:
        if graph == AS_STORED:
            stack.enter_context(mock.patch(f'lane_seg.engines.{name}.cpu_graph', stored_graph))
        return open_engine(bundle, name, threads=threads)


def rows_of(bundle: ModelBundle, threads: list[int], *, repeats: int, warmup: int) -> list[Row]:
    """Measure all combinations; the first one of each number of threads is the reference."""
    image = RoadScene(0).frame(0.0).image
    tensor = tensor_from_image(image, (bundle.height, bundle.width), bundle.fit)
    rows = []
    for count in threads:
        with ExitStack() as stack:
            engines = {
                f'{name}, {graph}': stack.enter_context(open_contender(bundle, name, count, graph))
                for name in ENGINES
                for graph in (AS_STORED, REWRITTEN)
            }
            contenders = {
                name: lambda engine=engine: engine.infer(tensor)
                for name, engine in engines.items()
            }
            timings = interleaved(contenders, repeats=repeats, warmup=warmup)
            masks = {name: engine.infer(tensor).copy() for name, engine in engines.items()}
        reference = next(iter(timings))
        for name, timing in timings.items():
            ratio = timings[reference].median_ms / timing.median_ms
            note = f'{100 * _agreement(masks[reference], masks[name]):.2f} % same pixels'
            rows.append(Row(f'{count} threads', name, ratio, reference, timing, note))
    return rows


def confidence_rows(
    bundle: ModelBundle, threads: list[int], *, repeats: int, warmup: int
) -> list[Row]:
    """Measure each engine with the second output against itself without it."""
    image = RoadScene(0).frame(0.0).image
    tensor = tensor_from_image(image, (bundle.height, bundle.width), bundle.fit)
    rows = []
    for count in threads:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'confidence'
            bundle_with_confidence(bundle, folder)
            sure = ModelBundle.load(folder)
            pairs = {
                name: tuple(
                    stack.enter_context(open_engine(each, name, threads=count))
                    for each in (bundle, sure)
                )
                for name in ENGINES
            }
            contenders = {}
            for name, (one, both) in pairs.items():
                contenders[name] = lambda one=one: one.infer(tensor)
                contenders[f'{name}, confidence'] = lambda both=both: both.infer_both(tensor)
            timings = interleaved(contenders, repeats=repeats, warmup=warmup)
            for name, (one, both) in pairs.items():
                masks = one.infer(tensor).copy(), both.infer_both(tensor)[0].copy()
                note = f'{100 * _agreement(*masks):.2f} % same pixels'
                for contender in (name, f'{name}, confidence'):
                    timing = timings[contender]
                    ratio = timings[name].median_ms / timing.median_ms
                    rows.append(Row(f'{count} threads', contender, ratio, name, timing, note))
    return rows


def _agreement(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float((one == other).mean())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='default', metavar='DIR', help='bundle: folder or name')
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2], help='(default: 1 2)')
    parser.add_argument(
        '--confidence', action='store_true', help='what the output `confidence` costs'
    )
    add_common_arguments(parser, repeats=100, warmup=10)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        bundle = ModelBundle.load(args.model)
        # Loads the libraries, so that their versions are known; the load is that of the start.
        for name in ENGINES:
            open_engine(bundle, name).close()
        machine = machine_info()
        measure = confidence_rows if args.confidence else rows_of
        rows = measure(bundle, args.threads, repeats=args.repeats, warmup=args.warmup)
    except LaneSegError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    settings = {
        'model': f'{bundle.name} {bundle.version}', 'precision': bundle.precision,
        'input': f'{bundle.width}x{bundle.height}', 'sha256': bundle.onnx_sha256,
        'rounds': args.repeats, 'warm-up rounds': args.warmup,
    }  # fmt: skip
    name = 'engines_confidence' if args.confidence else 'engines'
    report(name, rows, machine, settings=settings, json_path=args.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
