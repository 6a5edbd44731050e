"""`lane-seg benchmark`: how long each stage takes on this machine, and with what."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_cli.engine_arguments import add_bundle_argument, add_engine_arguments
from lane_seg_ros.camera_player import parse_size

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg.engines import EngineName
    from lane_seg.machine import MachineInfo
    from lane_seg.pipeline import LanePipeline
    from lane_seg.timing import TimingSummary

__all__ = ['DESCRIPTION', 'EPILOG', 'Report', 'add_arguments', 'measure', 'run', 'time_stages']

DESCRIPTION = (
    'Time preprocess, inference, postprocess and overlay, one frame after the other as in the '
    'node. The table names the engine that really ran; if it is not the one asked for, the '
    'command fails.'
)
EPILOG = """examples:
  lane-seg benchmark
  lane-seg benchmark --engine onnxruntime --threads 2 --size 640x360
  lane-seg benchmark --model models/mine --input photo.jpg --json benchmark.json"""

STAGES = ('preprocess', 'inference', 'postprocess', 'overlay', 'total')
_DEFAULT_SIZE = (720, 1280)
_SCENE = 'built-in road scene, seed 0'


@dataclass(frozen=True)
class Report:
    """What --json writes.

    Attributes:
        time: UTC, ISO 8601.
        model: name of the bundle.
        model_version: its version.
        model_sha256: of its model.onnx.
        model_height: height of the model's input in pixels.
        model_width: width of the model's input in pixels.
        precision: of the model.
        engine: the engine that ran.
        engine_version: its version.
        engine_asked: what --engine said.
        threads: CPU threads of the engine, 0: its own choice.
        image: where the image came from.
        height: of the image in pixels.
        width: of the image in pixels.
        frames: number of frames that were timed.
        warmup: number of frames before those.
        stages: {stage: count, median, 99th percentile and largest in ms}.
        machine: on which this ran; its load is that of the start.
    """

    time: str
    model: str
    model_version: str
    model_sha256: str
    model_height: int
    model_width: int
    precision: str
    engine: str
    engine_version: str
    engine_asked: str
    threads: int
    image: str
    height: int
    width: int
    frames: int
    warmup: int
    stages: dict[str, TimingSummary]
    machine: MachineInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_bundle_argument(parser)
    add_engine_arguments(parser)
    parser.add_argument(
        '--input', type=Path, metavar='IMAGE', help='an image (default: the built-in road scene)'
    )
    parser.add_argument(
        '--size',
        type=parse_size,
        metavar='WxH',
        help="size of the image (default: the file's own, or 1280x720)",
    )
    parser.add_argument('--frames', type=int, default=300, metavar='N', help='(default: 300)')
    parser.add_argument('--warmup', type=int, default=30, metavar='N', help='(default: 30)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the numbers here')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from lane_seg.files import write_text

    report = measure(
        args.model,
        args.engine,
        threads=args.threads,
        image=args.input,
        size_hw=args.size,
        frames=args.frames,
        warmup=args.warmup,
    )
    _print(report)
    if args.json:
        write_text(args.json, json.dumps(dataclasses.asdict(report), indent=2) + '\n')
    return 0


def measure(
    model: str,
    engine: EngineName = 'auto',
    *,
    threads: int = 0,
    image: Path | None = None,
    size_hw: tuple[int, int] | None = None,
    frames: int = 300,
    warmup: int = 30,
    on_frame: Callable[[int], None] | None = None,
) -> Report:
    """Time a model on this machine.

    Args:
        model: name of a bundle, or a path.
        engine: that must run.
        threads: CPU threads of the engine, 0: its own choice.
        image: to measure with; None: the built-in road scene.
        size_hw: (height, width) of the image in pixels; None: its own, or 720 x 1280.
        frames: number of frames to time, at least 1.
        warmup: number of frames to run before.
        on_frame: is told, between two frames, how many were timed.

    Raises:
        LaneSegError: bundle, engine or image cannot be had, or another engine runs.
    """
    import cv2

    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import open_engine
    from lane_seg.machine import machine_info
    from lane_seg.pipeline import LanePipeline

    if frames < 1 or warmup < 0:
        raise LaneSegError(
            f'expected --frames >= 1 and --warmup >= 0, found {frames} and {warmup}'
        )
    # As in the node, where OpenCV's threads would compete with those of the engine.
    cv2.setNumThreads(1)
    pixels = _image(image, size_hw)
    bundle = ModelBundle.load(model)
    with open_engine(bundle, engine, threads=threads) as opened:
        if engine not in ('auto', opened.name):
            raise LaneSegError(
                f'expected to measure engine {engine}, found that {opened.name} runs; '
                'nothing was measured'
            )
        machine = machine_info()
        pipeline = LanePipeline(bundle, opened)
        stages = time_stages(pipeline, pixels, frames=frames, warmup=warmup, on_frame=on_frame)
        return Report(
            time=datetime.now(timezone.utc).isoformat(timespec='seconds'),
            model=bundle.name,
            model_version=bundle.version,
            model_sha256=bundle.onnx_sha256,
            model_height=bundle.height,
            model_width=bundle.width,
            precision=bundle.precision,
            engine=opened.name,
            engine_version=opened.version,
            engine_asked=engine,
            threads=opened.threads,
            image=str(image or _SCENE),
            height=pixels.shape[0],
            width=pixels.shape[1],
            frames=frames,
            warmup=warmup,
            stages=stages,
            machine=machine,
        )


def time_stages(
    pipeline: LanePipeline,
    image: NDArray[np.uint8],
    *,
    frames: int,
    warmup: int,
    on_frame: Callable[[int], None] | None = None,
) -> dict[str, TimingSummary]:
    """Time the stages of a pipeline.

    Args:
        pipeline: bundle and engine.
        image: (H, W, 3) uint8 BGR; the same for every frame.
        frames: number of frames to time.
        warmup: number of frames to run before.
        on_frame: as of `measure`.

    Returns:
        {stage: summary} of STAGES; 'total' is measured around all others.
    """
    from lane_seg.timing import summarize

    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for number in range(-warmup, frames):
        start = time.perf_counter()
        result = pipeline.process(image)
        found = time.perf_counter()
        pipeline.draw(image, result.mask)
        drawn = time.perf_counter()
        if number < 0:
            continue
        times['preprocess'].append(result.preprocess_ms)
        times['inference'].append(result.inference_ms)
        times['postprocess'].append(result.postprocess_ms)
        times['overlay'].append((drawn - found) * 1e3)
        times['total'].append((drawn - start) * 1e3)
        if on_frame is not None:
            on_frame(number + 1)
    return {stage: summarize(values) for stage, values in times.items()}


def _image(path: Path | None, size_hw: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The image to measure with, (H, W, 3) uint8 BGR."""
    import cv2
    import numpy as np

    from lane_seg.sources import image_from_file

    if path is None:
        return _scene_image(size_hw or _DEFAULT_SIZE)
    image = image_from_file(path)
    if size_hw is None:
        return image
    return np.asarray(cv2.resize(image, (size_hw[1], size_hw[0])), np.uint8)


def _scene_image(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        from lane_seg_scene import RoadScene
    except ImportError as error:
        raise LaneSegError(
            f'expected the built-in road scene to measure with, found none ({error}); '
            'give an image: --input IMAGE'
        ) from error
    try:
        scene = RoadScene(0, height=size_hw[0], width=size_hw[1])
    except ValueError as error:
        raise LaneSegError(
            f'--size: the road scene cannot be made: {error}; give an image: --input IMAGE'
        ) from error
    return scene.frame(0.0).image


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column('stage')
    for column in ('median ms', 'p99 ms', 'largest ms'):
        table.add_column(column, justify='right')
    for stage, summary in report.stages.items():
        values = (summary.median_ms, summary.p99_ms, summary.max_ms)
        table.add_row(stage, *(f'{value:.2f}' for value in values))
    threads = f'{report.threads} threads' if report.threads else 'threads by its own choice'
    Console().print(table)
    print(
        f'engine   {report.engine} {report.engine_version}, {threads}; OpenCV on 1 thread\n'
        f'model    {report.model} {report.model_version}, {report.precision}, '
        f'{report.model_width}x{report.model_height}, sha256 {report.model_sha256}\n'
        f'image    {report.width}x{report.height}, {report.image}\n'
        f'frames   {report.frames} after {report.warmup} to warm up; '
        f'{1e3 / report.stages["total"].median_ms:.1f} frames/s at the median\n'
        'machine  ' + str(report.machine).replace('\n', '\n         ')
    )
