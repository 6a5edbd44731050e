"""TensorRT in int8, fp16 and fp32 next to PyTorch in fp16, on an NVIDIA GPU.

Run it as: python benchmarks/gpu_engines.py --float DIR --checkpoint CKPT [--json]

Plans that are missing are built, with TensorRT or else TensorRT-RTX, whichever is there. Each
contender lives in a process of its own and they take turns. Two times are taken: that of the
network alone on the GPU (CUDA events), and that of a frame end to end, with both copies (host
clock around `infer`). Whatever cannot run is a row with its reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from gpu_contenders import TENSORRT, TORCH, Contender, Process
from gpu_report import Row, show, verdict, write
from harness import RESULTS
from numpy.typing import NDArray

from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
from lane_seg.errors import LaneSegError
from lane_seg.machine import machine_info
from lane_seg.plans.gpu import gpu_info
from lane_seg.plans.options import FLOAT_TYPES
from lane_seg.preprocess import tensor_from_image
from lane_seg.timing import summarize
from lane_seg_scene import RoadScene

WINDOW, LEAD_IN, WARMUP_WINDOWS = 20, 5, 10
PICTURES = 8
PATIENCE_S = 30
# Times are compared with the first of these that ran.
REFERENCES = ('torch fp16', 'tensorrt fp32', 'tensorrt fp16', 'tensorrt int8')
CLOCKS = ('driver_version', 'clocks.sm', 'clocks.max.sm', 'clocks.mem', 'temperature.gpu')


class Asked(Protocol):
    """A contender that is open; `gpu_contenders.Process` is one."""

    facts: dict[str, Any]

    def ask(self, what: str, frames: int = 0, lead_in: int = 0) -> dict[str, Any]:
        """See `gpu_contenders.answer`."""


def pictures(bundle: ModelBundle) -> NDArray[np.uint8]:
    """Frames of the built-in road, (N, H, W, 3) uint8 BGR, as the model takes them."""
    scene = RoadScene(0)
    size = (bundle.height, bundle.width)
    return np.stack(
        [
            tensor_from_image(scene.frame(0.7 * index).image, size, bundle.fit).copy()
            for index in range(PICTURES)
        ]
    )


def openvino_masks(bundle: ModelBundle, tensors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What OpenVINO makes of them, (N, H, W) uint8."""
    with open_engine(bundle, 'openvino') as engine:
        return np.stack([engine.infer(tensor).copy() for tensor in tensors])


def measure(
    asked: dict[str, Asked], frames: int, failed: Callable[[str, LaneSegError], None]
) -> tuple[dict[str, dict[str, list[float]]], str]:
    """Time contenders in turn, a window of frames each, in another order every round.

    Args:
        asked: {label: open contender}; those that fail are taken out.
        frames: of each.
        failed: told of each that fails.

    Returns:
        {label: {'gpu_ms': [...], 'whole_ms': [...]}}, and what nvidia-smi said meanwhile.
    """
    times: dict[str, dict[str, list[float]]] = {
        label: {'gpu_ms': [], 'whole_ms': []} for label in asked
    }
    rounds = -(-frames // WINDOW)
    clocks: subprocess.Popen[str] | None = None
    # The last round does not count: nvidia-smi looks at the GPU meanwhile.
    for number in range(-WARMUP_WINDOWS, rounds + 1):
        if number == rounds:
            clocks = start_nvidia_smi()
        labels = list(asked)
        turn = number % max(len(labels), 1)
        for label in labels[turn:] + labels[:turn]:
            try:
                found = asked[label].ask('times', WINDOW, LEAD_IN)
            except LaneSegError as error:
                failed(label, error)
                del asked[label], times[label]
                continue
            if 0 <= number < rounds:
                for kind, values in times[label].items():
                    values += found[kind]
    return times, said_by(clocks)


def said_by(nvidia_smi: subprocess.Popen[str] | None) -> str:
    """What it printed, or why nothing."""
    if nvidia_smi is None:
        return 'expected nvidia-smi, found none'
    with nvidia_smi:
        try:
            return nvidia_smi.communicate(timeout=PATIENCE_S)[0].strip()
        except subprocess.TimeoutExpired:
            nvidia_smi.kill()
            return f'expected an answer of nvidia-smi, found none within {PATIENCE_S} s'


def start_nvidia_smi() -> subprocess.Popen[str] | None:
    """Ask nvidia-smi for driver and clocks; None where there is none."""
    if shutil.which('nvidia-smi') is None:
        return None
    query = ['nvidia-smi', f'--query-gpu={",".join(CLOCKS)}', '--format=csv', '-i', '0']
    return subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def contenders_of(args: argparse.Namespace, folder: Path) -> tuple[list[Contender], list[Row]]:
    """Who takes part, in copies of the bundles under `folder`; and rows of who was not named."""
    listed, absent = [], []
    named = {'int8': ('int8',), 'float': ('fp16', 'fp32')}
    for kind, precisions in named.items():
        model = {'int8': args.int8, 'float': args.floating}[kind]
        if model is None:
            absent += [Row(f'{TENSORRT} {one}', f'--{kind} was not given') for one in precisions]
            continue
        bundle = ModelBundle.load(model)
        if (bundle.precision == 'int8') != (kind == 'int8'):
            raise LaneSegError(f'--{kind}: expected such a bundle, found {bundle.precision}')
        shutil.copytree(bundle.directory, folder / kind, dirs_exist_ok=True)
        listed += [Contender(TENSORRT, one, folder / kind, args.float_type) for one in precisions]
    if args.checkpoint is None:
        absent.append(Row(f'{TORCH} fp16', '--checkpoint was not given'))
    else:
        listed.append(Contender(TORCH, 'fp16', args.checkpoint))
    return listed, absent


def rows_of(
    contenders: Sequence[Contender],
    tensors: NDArray[np.uint8],
    masks: dict[str, NDArray[np.uint8]],
    frames: int,
    opened: Callable[[Contender, NDArray[np.uint8]], Any],
) -> tuple[list[Row], str]:
    """Open, check and measure all.

    Args:
        contenders: who takes part.
        tensors: the pictures.
        masks: what OpenVINO gives, of the bundle 'int8' and of the bundle 'float'.
        frames: to time of each.
        opened: opens one; a context manager that is an `Asked`.

    Returns:
        A row of each, and what nvidia-smi said.
    """
    rows = {one.label: Row(one.label) for one in contenders}
    asked: dict[str, Asked] = {}

    def failed(label: str, error: LaneSegError) -> None:
        rows[label].missing = str(error)
        print(f'{label}: {error}', file=sys.stderr)

    with ExitStack() as stack:
        for one in contenders:
            print(f'{one.label}: opening', file=sys.stderr)
            try:
                process = stack.enter_context(opened(one, tensors))
                found = process.ask('masks')['masks']
            except LaneSegError as error:
                failed(one.label, error)
                continue
            asked[one.label] = process
            rows[one.label].facts = process.facts
            wanted = masks.get('int8' if one.precision == 'int8' else 'float')
            if wanted is not None:
                rows[one.label].agreement = float(np.mean(found == wanted))
        times, clocks = measure(asked, frames, failed)
    for label, values in times.items():
        rows[label].gpu = summarize(values['gpu_ms'])
        rows[label].whole = summarize(values['whole_ms'])
    reference = next((rows[label] for label in REFERENCES if label in times), None)
    for label in times:
        row = rows[label]
        row.faster_gpu = reference.gpu.median_ms / row.gpu.median_ms
        row.faster_whole = reference.whole.median_ms / row.whole.median_ms
    return list(rows.values()), clocks


def parser_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--int8', default='default', metavar='DIR', help='quantized bundle')
    parser.add_argument('--float', dest='floating', metavar='DIR', help='the same in float')
    parser.add_argument('--checkpoint', type=Path, metavar='CKPT', help='in float, for PyTorch')
    parser.add_argument('--plans', type=Path, metavar='DIR', help='keep plans (default: do not)')
    parser.add_argument(
        '--float-type', choices=FLOAT_TYPES, default='fp32',
        help='of what is not int8 in the int8 engine (default: fp32)',
    )  # fmt: skip
    parser.add_argument('--frames', type=int, default=1000, help='of each (default: 1000)')
    parser.add_argument(
        '--patience', type=float, default=900.0, metavar='S',
        help='give up a contender that does not answer, building included (default: 900)',
    )  # fmt: skip
    parser.add_argument(
        '--json', nargs='?', type=Path, const=RESULTS, metavar='FILE',
        help='also write the numbers, without FILE into benchmarks/results/',
    )  # fmt: skip
    return parser


def main() -> int:
    """Measure, print and write."""
    parser = parser_of()
    args = parser.parse_args()
    if args.frames < 1:
        parser.error(f'expected --frames of at least 1, found {args.frames}')
    masks: dict[str, NDArray[np.uint8]] = {}
    unchecked = ''
    with tempfile.TemporaryDirectory() as scratch:
        try:
            gpu = gpu_info()
            folder = args.plans or Path(scratch)
            contenders, absent = contenders_of(args, folder)
            bundle = ModelBundle.load(args.int8)
            tensors = pictures(bundle)
            try:
                masks['int8'] = openvino_masks(bundle, tensors)
                if args.floating is not None:
                    masks['float'] = openvino_masks(ModelBundle.load(args.floating), tensors)
            except LaneSegError as error:
                unchecked = str(error)
            machine = machine_info()
            opened = partial(Process, patience_s=args.patience)
            rows, clocks = rows_of(contenders, tensors, masks, args.frames, opened)
        except LaneSegError as error:
            print(f'error: {error}', file=sys.stderr)
            return 1
    rows += absent
    show(rows)
    print(f'{gpu.name}, compute capability {gpu.compute_capability}, CUDA {gpu.driver}\n{clocks}')
    print(machine)
    if unchecked:
        print(f'masks were not compared: {unchecked}')
    if args.json is not None:
        settings = {
            'model': f'{bundle.name} {bundle.version}', 'sha256': bundle.onnx_sha256,
            'input': f'{bundle.width}x{bundle.height}', 'frames': args.frames,
            'window': WINDOW, 'frames before each window': LEAD_IN,
            'warm-up windows': WARMUP_WINDOWS, 'pictures': PICTURES,
            'not int8 in the int8 engine': args.float_type,
            'masks compared with': unchecked or 'OpenVINO of the same bundle',
        }  # fmt: skip
        about_gpu = {**dataclasses.asdict(gpu), 'nvidia-smi while busy': clocks}
        write(rows, args.json, settings=settings, gpu=about_gpu, machine=machine)
    return verdict(rows)


if __name__ == '__main__':
    sys.exit(main())
