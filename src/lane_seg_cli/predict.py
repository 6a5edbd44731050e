"""`lane-seg predict`: masks and overlays of images, an overlay film of a video."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg_cli.engine_arguments import add_engine_arguments
from lane_seg_cli.errors import UsageError
from lane_seg_cli.predict_summary import Tally, print_summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lane_seg.engines import EngineName
    from lane_seg.pipeline import LanePipeline
    from lane_seg_cli.predict_plan import ImageJob, VideoJob
    from lane_seg_cli.predict_table import ShareTable

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'predict', 'run']

DESCRIPTION = (
    'Find lanes in images, in folders of images (with their sub-folders), or in a video.\n\n'
    "Image X.jpg gives X.png: 8-bit grey, each pixel a class id, at the image's own size.\n"
    'Video Y.avi gives Y.mp4: the video with the classes drawn over it.'
)
EPILOG = """examples:
  lane-seg predict photo.jpg --output masks
  lane-seg predict ~/drive/ --output masks --overlay --csv shares.csv --metadata gps.json
  lane-seg predict photos/ --output masks --model runs/mine/checkpoint.pt
  lane-seg predict drive.mp4 --output films --model models/mine --engine onnxruntime --threads 2

Files that cannot be read are named and left out; the exit code is then 1.
Photos with an EXIF orientation are turned upright first, as cv2.imread and viewers do."""

# Where a video does not say how fast it runs.
_DEFAULT_FPS = 30.0
_JPEG_QUALITY = 92
_FFMPEG_QUIET = -8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'inputs', type=Path, nargs='+', metavar='INPUT', help='image, folder of images, or video'
    )
    parser.add_argument('--output', type=Path, required=True, metavar='DIR', help='result folder')
    parser.add_argument(
        '--model',
        default='default',
        metavar='DIR',
        help='bundle, or checkpoint.pt of a run (default: the shipped bundle)',
    )
    parser.add_argument(
        '--overlay', action='store_true', help='also write X_overlay.jpg, classes drawn over X'
    )
    parser.add_argument(
        '--confidence', action='store_true',
        help='also write X_confidence.png, 255 where the model is certain (if it tells)',
    )  # fmt: skip
    parser.add_argument(
        '--csv', type=Path, metavar='FILE', help='also write the share of each class of each image'
    )
    parser.add_argument(
        '--metadata',
        type=Path,
        metavar='FILE',
        help='JSON {image name: {key: value}}, joined as columns of --csv',
    )
    add_engine_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from lane_seg.confidence import no_confidence
    from lane_seg.opencv_log import silence_opencv
    from lane_seg_cli.predict_plan import plan
    from lane_seg_cli.predict_table import ShareTable, metadata_from_file

    if args.metadata and not args.csv:
        raise UsageError('--metadata adds columns to --csv, found no --csv; name the file')
    metadata = metadata_from_file(args.metadata) if args.metadata else {}
    # Files that cannot be decoded are named by us; lines of libraries would tear the bar.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', str(_FFMPEG_QUIET))
    silence_opencv()
    work = plan(args.inputs, args.output, overlay=args.overlay, confidence=args.confidence)
    for error in work.errors:
        print(f'error: {error}', file=sys.stderr)
    if not work.jobs:
        return 1
    with _open_pipeline(args.model, args.engine, args.threads) as pipeline:
        if args.confidence and not pipeline.bundle.confidence:
            raise no_confidence(pipeline.bundle.name)
        with ShareTable(args.csv, pipeline.bundle, metadata) as table:
            tally = predict(work.jobs, pipeline, table)
        tally.failed += len(work.errors)
        print_summary(tally, pipeline.bundle, pipeline.engine, args.output)
    return 1 if tally.failed else 0


@contextmanager
def _open_pipeline(model: str, engine: EngineName, threads: int) -> Iterator[LanePipeline]:
    """Open a bundle, or the checkpoint of a run that was not exported yet."""
    if model.endswith('.pt'):
        import torch

        from lane_seg_train.evaluation.models import open_model

        if threads:
            torch.set_num_threads(threads)
        with open_model(model, engine) as opened:
            yield opened.pipeline
        return
    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import open_engine
    from lane_seg.pipeline import LanePipeline

    bundle = ModelBundle.load(model)
    with open_engine(bundle, engine, threads=threads) as runner:
        yield LanePipeline(bundle, runner)


def predict(
    jobs: Sequence[ImageJob | VideoJob], pipeline: LanePipeline, table: ShareTable
) -> Tally:
    """Work off the jobs. A file that cannot be used is named on stderr and counted."""
    from lane_seg_cli.predict_plan import ImageJob, VideoJob

    tally = Tally()
    start = time.monotonic()
    _predict_images([job for job in jobs if isinstance(job, ImageJob)], pipeline, tally, table)
    for job in jobs:
        if isinstance(job, VideoJob):
            _predict_video(job, pipeline, tally, table)
    tally.seconds = time.monotonic() - start
    return tally


def _predict_images(
    jobs: Sequence[ImageJob], pipeline: LanePipeline, tally: Tally, table: ShareTable
) -> None:
    from lane_seg.errors import ImageError
    from lane_seg.sources import image_from_file
    from lane_seg_cli.progress import Progress

    if not jobs:
        return
    with Progress('predicting', unit='images', total=len(jobs)) as progress:
        for job in jobs:
            try:
                image = image_from_file(job.source)
            except ImageError as error:
                tally.failed += 1
                progress.say(f'error: {error}')
            else:
                result = pipeline.process(image)
                _write_image(job.mask, result.mask)
                if job.overlay is not None:
                    _write_image(job.overlay, pipeline.draw(image, result.mask))
                if job.confidence is not None:
                    _write_image(job.confidence, pipeline.confidence_of(result))
                tally.add(result.mask, result.inference_ms)
                table.add(job.name, result.mask, result.inference_ms)
                tally.images += 1
            progress.advance()


def _predict_video(job: VideoJob, pipeline: LanePipeline, tally: Tally, table: ShareTable) -> None:
    from lane_seg.video_writer import new_video
    from lane_seg_cli.progress import Progress

    video = job.video
    name = video.path.name
    with (
        Progress(name, unit='frames', total=video.length) as progress,
        new_video(
            job.overlay, fps=video.fps or _DEFAULT_FPS, size_hw=(video.height, video.width)
        ) as film,
    ):
        if video.fps is None:
            progress.say(f'{video.path} does not state its rate: taking {_DEFAULT_FPS:g} Hz')
        for frame in video:
            if frame.error is not None:
                tally.failed += 1
                progress.say(f'error: {frame.error}')
                continue
            result = pipeline.process(frame.image)
            film.add(pipeline.draw(frame.image, result.mask))
            tally.add(result.mask, result.inference_ms)
            table.add(frame.name, result.mask, result.inference_ms)
            tally.frames += 1
            progress.advance()


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (H, W) or (H, W, 3) BGR uint8, whole or not at all."""
    import cv2

    from lane_seg.files import atomic_path

    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == '.jpg' else []
    encoded = cv2.imencode(path.suffix, image, settings)[1]
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
