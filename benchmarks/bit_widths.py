"""Fewer bits than 8, and scales found while running: what they would cost or bring.

Both are outside of TensorRT's path for convolutions; docs/quantization.md says why. Fewer bits are
computed in float, so this tells their accuracy and nothing of their speed. Dynamic quantization
is that of ONNX Runtime, timed against its float and its static int8 in the same run.

Run it as: python benchmarks/bit_widths.py runs/default/checkpoint.pt --data DATASETS [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from harness import RESULTS, add_common_arguments, interleaved
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lane_seg.engines.graph import narrow_weights
from lane_seg.engines.unsigned import unsigned_activations
from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg.machine import int8_sums_saturate, machine_info
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import TrainConfig
from lane_seg_train.config_file import load_config
from lane_seg_train.fake_quantization.quantized_net import QuantizedNet
from lane_seg_train.onnx_from_checkpoint import onnx_from_checkpoint
from lane_seg_train.quantization.calibration import calibration_images, histograms, set_ranges
from lane_seg_train.quantization.gate import Gate, monitor_of
from lane_seg_train.quantization.ptq import agreement, logits_of, post_training
from lane_seg_train.quantization.sensitivity import Labelled

Images = list[NDArray[np.uint8]]
WIDTHS = ((8, 8), (7, 7), (6, 6), (5, 5), (4, 8), (4, 4), (3, 8), (2, 8))


def fewer_bits(
    checkpoint: Checkpoint, images: Images, labelled: Labelled
) -> list[dict[str, object]]:
    """PTQ at each width: IoU, and pixels that keep their class; 'mse' fits ranges to the width."""
    size = (checkpoint.height, checkpoint.width)
    pictures = [image for image, _ in labelled.examples]
    reference = [logits.argmax(dim=1) for logits in logits_of(checkpoint.net, pictures)]
    rows = [{'weights': 32, 'activations': 32, 'iou': labelled.iou(reference), 'agreement': 1.0}]
    for weights, activations in WIDTHS:
        net = QuantizedNet(
            deepcopy(checkpoint.net), size, weight_bits=weights, activation_bits=activations
        ).eval()
        set_ranges(net, histograms(net, images), 'mse')
        masks = [logits.argmax(dim=1) for logits in logits_of(net, pictures)]
        rows.append(
            {
                'weights': weights,
                'activations': activations,
                'iou': labelled.iou(masks),
                'agreement': agreement(reference, masks),
            }
        )
    return rows


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Open a graph with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )


def dynamic_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights in int8, scales of activations found anew in every run."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / 'float.onnx', Path(folder) / 'dynamic.onnx'
        onnx.save(model, source)
        # ConvInteger of ONNX Runtime takes uint8 weights only.
        quantize_dynamic(
            source, result, weight_type=QuantType.QUInt8, op_types_to_quantize=['Conv']
        )
        return onnx.load(result)


def tensorrt_verdict(model: onnx.ModelProto) -> str:
    """What NVIDIA's own parser says of a graph."""
    from lane_seg.plans.libraries import open_library
    from lane_seg.plans.options import BuildOptions
    from lane_seg_engine.builder import parse

    try:
        library = open_library()
    except LaneSegError as error:
        return f'not asked: {str(error).splitlines()[0]}'
    name = f'{library.flavour} {library.version}'
    try:
        parse(library, model.SerializeToString(), BuildOptions())
    except LaneSegError as error:
        return f'{name} refuses it: {error}'
    return f'{name} parses it'


def dynamic_rows(
    checkpoint: Checkpoint, images: Images, labelled: Labelled, *, repeats: int, warmup: int
) -> tuple[list[dict[str, object]], str]:
    """Float, static and dynamic int8 in ONNX Runtime with one thread."""
    quantized, _ = post_training(
        dataclasses.replace(checkpoint, net=deepcopy(checkpoint.net)), images, images[:8], 'mse'
    )
    exact, static = onnx_from_checkpoint(checkpoint), onnx_from_checkpoint(quantized)
    unsigned_activations(static)
    if int8_sums_saturate():
        narrow_weights(static)
    models = {'float': exact, 'static int8': static, 'dynamic int8': dynamic_model(exact)}
    sessions = {name: session_of(model) for name, model in models.items()}
    pictures = [image for image, _ in labelled.examples]
    tensor = pictures[0][None]
    timings = interleaved(
        {
            name: lambda session=session: session.run(None, {'image': tensor})
            for name, session in sessions.items()
        },
        repeats=repeats,
        warmup=warmup,
    )
    rows = []
    for name, session in sessions.items():
        masks = [torch.from_numpy(session.run(None, {'image': i[None]})[0]) for i in pictures]
        rows.append(
            {
                'contender': name,
                'ratio': timings['float'].median_ms / timings[name].median_ms,
                'median_ms': timings[name].median_ms,
                'p99_ms': timings[name].p99_ms,
                'file_mb': models[name].ByteSize() / 1e6,
                'iou': labelled.iou(masks),
            }
        )
    return rows, tensorrt_verdict(models['dynamic int8'])


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Print rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f'{v:.4g}' if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=120).print(table)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path, help='of `lane-seg train`, in float')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--images', type=int, default=64, help='calibration images (default: 64)')
    add_common_arguments(parser, repeats=60, warmup=5)
    args = parser.parse_args()
    try:
        checkpoint = Checkpoint.load(args.checkpoint)
        config: TrainConfig = load_config(args.checkpoint.parent / 'config.yaml')
        images = calibration_images(config, args.data, args.images)
        labelled = Gate(config, args.data, monitor_of(config, args.data), 0.5).labelled()
        machine = machine_info()
        bits = fewer_bits(checkpoint, images, labelled)
        dynamic, verdict = dynamic_rows(
            checkpoint, images, labelled, repeats=args.repeats, warmup=args.warmup
        )
    except LaneSegError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    monitor = f'{labelled.data.name}/{labelled.classes}'
    show(f'bits of weights and activations: {monitor}', bits)
    show('scales found while running (ONNX Runtime, 1 thread)', dynamic)
    print(f'dynamic int8 in TensorRT: {verdict}')
    print(machine)
    if args.json is not None:
        path = (
            args.json / 'bit_widths.json'
            if args.json.is_dir() or args.json == RESULTS
            else args.json
        )
        content = {
            'benchmark': 'bit_widths',
            'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'settings': {
                'model': checkpoint.name, 'metric': monitor, 'images': len(labelled.examples),
                'calibration images': len(images), 'rounds': args.repeats, 'threads': 1,
            },
            'machine': dataclasses.asdict(machine),
            'bits': bits,
            'dynamic': dynamic,
            'dynamic_in_tensorrt': verdict,
        }  # fmt: skip
        write_text(path, json.dumps(content, indent=2) + '\n')
        print(f'wrote {path}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
