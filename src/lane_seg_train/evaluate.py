"""`lane-seg evaluate`: a model on labelled images, through the same path as in the car."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.engines import ENGINES
from lane_seg.errors import LaneSegError
from lane_seg_train.evaluation.scores import Score

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.console import Console

    from lane_seg.pipeline import LanePipeline
    from lane_seg_train.datasets import LaneData
    from lane_seg_train.evaluation.clip import ClipScore
    from lane_seg_train.evaluation.models import OpenModel
    from lane_seg_train.evaluation.scores import DataScore

__all__ = ['DESCRIPTION', 'EPILOG', 'Score', 'add_arguments', 'evaluate', 'run']

DESCRIPTION = (
    'Measure a model on the validation sets of a recipe, at the size of the images.\n\n'
    'A bundle runs in its engine, a checkpoint in PyTorch; images go the same way in and masks\n'
    'the same way back as in the car. IoU, Dice, precision and the like are of the pixels of all\n'
    'images of a data set together. Where a label allows several classes, each of them is right.'
)
EPILOG = """examples:
  lane-seg evaluate --data ~/datasets
  lane-seg evaluate --model models/mine --recipe mine.yaml --data ~/datasets --json iou.json
  lane-seg evaluate --model runs/mine --data ~/datasets --lanes --boundary --csv images.csv
  lane-seg evaluate --model runs/mine --data ~/datasets --worst 10 --output worst
  lane-seg evaluate --clip drive.mp4

Ctrl-C keeps the rows of the images that were measured in the CSV file."""

LANE_MARKING = 'lane_marking'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        '--model', default='default', help='bundle (folder or name), checkpoint.pt or run folder'
    )
    parser.add_argument(
        '--recipe', type=Path, help='YAML with the validation sets (default: that of the model)'
    )
    parser.add_argument('--data', type=Path, help='folder that holds the data sets')
    parser.add_argument('--engine', choices=ENGINES, default='auto', help='of a bundle')
    parser.add_argument('--json', type=Path, help='also write all figures to this file')
    parser.add_argument('--csv', type=Path, help='also write a row for each image to this file')
    parser.add_argument(
        '--lanes', nargs='?', const=LANE_MARKING, metavar='CLASS',
        help=f'compare lane lines, painted in this class ({LANE_MARKING})',
    )  # fmt: skip
    parser.add_argument('--boundary', action='store_true', help='compare outlines')
    parser.add_argument(
        '--clip', type=Path, metavar='VIDEO', help='measure flicker on a video or folder of frames'
    )
    parser.add_argument(
        '--worst', type=int, default=0, metavar='N',
        help='draw the N images of each data set with the lowest IoU',
    )  # fmt: skip
    parser.add_argument('--output', type=Path, metavar='DIR', help='folder of these pictures')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    _check(args)

    from rich.console import Console

    from lane_seg_train.evaluation.clip import measure_clip
    from lane_seg_train.evaluation.models import open_model
    from lane_seg_train.evaluation.tables import tables

    console = Console()
    with open_model(args.model, args.engine) as model:
        scores = _measure_data(args, model, console) if args.data else []
        clip = measure_clip(model.pipeline, args.clip) if args.clip else None
        title = model.title
        if args.json:
            _write_json(args.json, model, scores, clip)
    # As wide as it needs: a table that is cut in a pipe is of no use.
    wide = Console(width=max(120, console.width))
    for table in tables(title, scores, clip):
        wide.print(table)
    return 0


def evaluate(pipeline: LanePipeline, sets: Sequence[LaneData]) -> list[Score]:
    """Score a pipeline on data sets, at the images' own size.

    Args:
        pipeline: model and engine.
        sets: labelled images.

    Returns:
        One score for each label set of each data set that is labelled or predicted there.
    """
    from lane_seg_train.evaluation.measure import measure

    return [score for data in sets for score in measure(pipeline, data).scores]


def _check(args: argparse.Namespace) -> None:
    if not args.data and not args.clip:
        raise LaneSegError('expected --data with the data sets, or --clip, found neither')
    of_data = {'--csv': args.csv, '--worst': args.worst, '--lanes': args.lanes}
    of_data['--boundary'] = args.boundary
    for option, value in of_data.items():
        if value and not args.data:
            raise LaneSegError(f'{option}: expected --data with the data sets, found none')
    if args.worst < 0 or bool(args.worst) != bool(args.output):
        raise LaneSegError(
            'expected --worst N, at least 1, together with --output DIR for the pictures, found '
            f'--worst {args.worst} and --output {args.output}'
        )


def _measure_data(args: argparse.Namespace, model: OpenModel, console: Console) -> list[DataScore]:
    """Measure every validation set; the CSV is written also if it ends early."""
    from lane_seg_train.colours import class_colours
    from lane_seg_train.config_file import load_config
    from lane_seg_train.datasets import open_data
    from lane_seg_train.evaluation.image_csv import ImageCsv
    from lane_seg_train.evaluation.measure import Measures, measure
    from lane_seg_train.evaluation.worst import WorstImages

    bundle = model.pipeline.bundle
    classes = [info.name for info in bundle.classes]
    recipe = args.recipe or model.recipe
    if not recipe.is_file():
        raise LaneSegError(
            f'expected a recipe that names the validation sets, found no file {recipe}; name one '
            'with --recipe'
        )
    if args.lanes and args.lanes not in classes:
        raise LaneSegError(f'--lanes: expected a class out of {classes}, found {args.lanes!r}')
    measures = Measures(args.boundary, args.lanes or '')
    config = load_config(recipe)
    own = [info.colour_bgr for info in bundle.classes]
    colours = class_colours(classes, config) if config.colours else own
    sets = open_data(config.val, classes, (bundle.height, bundle.width), args.data)
    scores = []
    pictures: list[Path] = []
    with contextlib.ExitStack() as stack:
        rows = [stack.enter_context(ImageCsv(args.csv))] if args.csv else []
        for data in sets:
            worst = WorstImages(args.worst)
            scores.append(measure(model.pipeline, data, measures, [*rows, worst]))
            if args.worst:
                pictures += worst.write(args.output, data.table, colours)
    for path in pictures:
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    return scores


def _write_json(
    path: Path, model: OpenModel, scores: Sequence[DataScore], clip: ClipScore | None
) -> None:
    import dataclasses
    import json

    from lane_seg.files import write_text
    from lane_seg_train.evaluation.scores import plain

    report: dict[str, object] = {
        'model': f'{model.pipeline.bundle.name} {model.pipeline.bundle.version}',
        'model_sha256': model.sha256,
        'engine': model.engine,
        'scores': plain([score for data in scores for score in data.scores]),
        # Already in the list above.
        'data': [plain(dataclasses.replace(data, scores=())) for data in scores],
        'clip': plain(clip),
    }
    write_text(path, json.dumps(report, indent=2) + '\n')
