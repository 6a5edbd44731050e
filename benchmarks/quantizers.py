"""Our quantization against NVIDIA's modelopt on the same network, images and metric.

modelopt needs setuptools >= 80, with which colcon --symlink-install cannot build this package, so
it lives in an environment of its own:

    python3 -m venv /tmp/modelopt
    /tmp/modelopt/bin/pip install torch==2.13.0
    /tmp/modelopt/bin/pip install nvidia-modelopt==0.47.0 requests huggingface_hub -e '.[train]'

Run it as:

    /tmp/modelopt/bin/python benchmarks/quantizers.py runs/default/checkpoint.pt --data DATASETS
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from harness import RESULTS
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import nn

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg.machine import machine_info
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config_file import load_config
from lane_seg_train.onnx_from_checkpoint import OPSET, DeployedNet, onnx_from_checkpoint
from lane_seg_train.quantization.calibration import calibration_images
from lane_seg_train.quantization.calibrators import CALIBRATORS
from lane_seg_train.quantization.gate import Gate, monitor_of
from lane_seg_train.quantization.ptq import agreement, logits_of, post_training

Images = Sequence[NDArray[np.uint8]]


def ours(checkpoint: Checkpoint, images: Images, calibrator: str) -> tuple[nn.Module, int]:
    """Quantize; returns the network that rounds, and the size of its ONNX file in bytes."""
    fresh = dataclasses.replace(checkpoint, net=deepcopy(checkpoint.net))
    quantized, _ = post_training(fresh, images, images[:8], calibrator)
    return quantized.net, onnx_from_checkpoint(quantized).ByteSize()


def modelopt(checkpoint: Checkpoint, images: Images, algorithm: str) -> tuple[nn.Module, int]:
    """The same by modelopt's INT8_DEFAULT_CFG."""
    import modelopt.torch.quantization as mtq

    net = deepcopy(checkpoint.net)
    config = {**mtq.INT8_DEFAULT_CFG, 'algorithm': algorithm}
    net = mtq.quantize(net, config, lambda model: logits_of(model, images))
    example = torch.zeros((1, checkpoint.height, checkpoint.width, 3), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        deployed = DeployedNet(net, len(checkpoint.classes)).eval()
        torch.onnx.export(deployed, (example,), path, opset_version=OPSET, dynamo=False)
        return net.eval(), path.stat().st_size


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path, help='of `lane-seg train`, in float')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--images', type=int, default=64, help='calibration images (default: 64)')
    parser.add_argument('--json', nargs='?', type=Path, const=RESULTS / 'quantizers.json')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    try:
        checkpoint = Checkpoint.load(args.checkpoint)
        config = load_config(args.checkpoint.parent / 'config.yaml')
        images = calibration_images(config, args.data, args.images)
        labelled = Gate(config, args.data, monitor_of(config, args.data), 0.5).labelled()
    except LaneSegError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    pictures = [image for image, _ in labelled.examples]
    reference = [logits.argmax(dim=1) for logits in logits_of(checkpoint.net, pictures)]
    contenders: dict[str, Callable[[], tuple[nn.Module, int]]] = {
        f'ours, {name}': lambda name=name: ours(checkpoint, images, name) for name in CALIBRATORS
    }
    contenders['modelopt, max'] = lambda: modelopt(checkpoint, images, 'max')
    rows: list[dict[str, object]] = [
        {'contender': 'float', 'iou': labelled.iou(reference), 'agreement': 1.0}
    ]
    for name, quantize in contenders.items():
        start = time.perf_counter()
        net, size = quantize()
        seconds = time.perf_counter() - start
        masks = [logits.argmax(dim=1) for logits in logits_of(net, pictures)]
        rows.append(
            {
                'contender': name,
                'iou': labelled.iou(masks),
                'agreement': agreement(reference, masks),
                'onnx_mb': size / 1e6,
                'seconds': seconds,
            }
        )
    table = Table('contender', 'IoU', 'pixels as in float', 'ONNX MB', 'seconds')
    for row in rows:
        table.add_row(*(f'{v:.4f}' if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=100).print(table)
    machine = machine_info()
    print(machine)
    if args.json is not None:
        from importlib.metadata import version

        content = {
            'benchmark': 'quantizers',
            'time': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'settings': {
                'model': checkpoint.name,
                'metric': f'{labelled.data.name}/{labelled.classes}',
                'images': len(pictures),
                'calibration images': len(images),
                'modelopt': version('nvidia-modelopt'),
            },
            'machine': dataclasses.asdict(machine),
            'rows': rows,
        }
        write_text(args.json, json.dumps(content, indent=2) + '\n')
        print(f'wrote {args.json}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
