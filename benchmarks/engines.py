"""Engines against each other: OpenVINO, ONNX Runtime, threads, and the int8 rewrite at load.

Run it as: python benchmarks/engines.py [--model DIR] [--json]
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
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


def _agreement(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float((one == other).mean())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='default', metavar='DIR', help='bundle: folder or name')
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2], help='(default: 1 2)')
    add_common_arguments(parser, repeats=100, warmup=10)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        bundle = ModelBundle.load(args.model)
        # Loads the libraries, so that their versions are known; the load is that of the start.
        for name in ENGINES:
            open_engine(bundle, name).close()
        machine = machine_info()
        rows = rows_of(bundle, args.threads, repeats=args.repeats, warmup=args.warmup)
    except LaneSegError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    settings = {
        'model': f'{bundle.name} {bundle.version}', 'precision': bundle.precision,
        'input': f'{bundle.width}x{bundle.height}', 'sha256': bundle.onnx_sha256,
        'rounds': args.repeats, 'warm-up rounds': args.warmup,
    }  # fmt: skip
    report('engines', rows, machine, settings=settings, json_path=args.json)
    return 0


if __name__ == '__main__':
    sys.exit(main())
