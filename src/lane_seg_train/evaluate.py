"""`lane-seg evaluate`: IoU of a bundle on labelled images, through the same path as in the car."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.engines import ENGINES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lane_seg.pipeline import LanePipeline
    from lane_seg_train.datasets import LaneData

__all__ = ['DESCRIPTION', 'EPILOG', 'Score', 'add_arguments', 'evaluate', 'run']

DESCRIPTION = 'Measure the IoU of a model bundle on the validation sets of a recipe.'
EPILOG = """examples:
  lane-seg evaluate --data ~/datasets
  lane-seg evaluate --model models/mine --recipe mine.yaml --data ~/datasets --json iou.json"""


@dataclass(frozen=True)
class Score:
    """IoU of one label set on one data set.

    Attributes:
        data: name of the data set.
        classes: what is compared: 'lane_marking', or 'road+lane_marking' where the data marks
            road and paint as one.
        iou: intersection over union over all pixels of all images, 0..1.
        images: number of images.
    """

    data: str
    classes: str
    iou: float
    images: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('--model', default='default', help='bundle: folder or name')
    parser.add_argument(
        '--recipe',
        type=Path,
        help='YAML with the validation sets (default: recipe.yaml of the model)',
    )
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument('--engine', choices=ENGINES, default='auto')
    parser.add_argument('--json', type=Path, help='also write the scores to this file')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import dataclasses
    import json

    from rich.console import Console
    from rich.table import Table

    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import open_engine
    from lane_seg.files import write_text
    from lane_seg.pipeline import LanePipeline
    from lane_seg_train.config import load_config
    from lane_seg_train.datasets import open_data

    bundle = ModelBundle.load(args.model)
    config = load_config(args.recipe or bundle.directory / 'recipe.yaml')
    classes = [info.name for info in bundle.classes]
    sets = open_data(config.val, classes, (bundle.height, bundle.width), args.data)
    with open_engine(bundle, args.engine) as engine:
        scores = evaluate(LanePipeline(bundle, engine), sets)
        name = f'{engine.name} {engine.version}'
    table = Table(title=f'{bundle.name} {bundle.version} on {name}')
    for column in ('data', 'classes', 'IoU', 'images'):
        table.add_column(column, justify='left' if column in ('data', 'classes') else 'right')
    for score in scores:
        table.add_row(score.data, score.classes, f'{score.iou:.4f}', str(score.images))
    Console().print(table)
    if args.json:
        rows = [dataclasses.asdict(score) for score in scores]
        report = {'model_sha256': bundle.onnx_sha256, 'engine': name, 'scores': rows}
        write_text(args.json, json.dumps(report, indent=2) + '\n')
    return 0


def evaluate(pipeline: LanePipeline, sets: Sequence[LaneData]) -> list[Score]:
    """Score a pipeline on data sets, at the images' own size.

    Args:
        pipeline: bundle and engine.
        sets: labelled images.

    Returns:
        One score for each label set of each data set.
    """
    from rich.progress import track

    from lane_seg_train.metrics import SetConfusion

    scores = []
    for data in sets:
        confusion = SetConfusion(data.table)
        count = 0
        for image, bits in track(data.originals(), f'evaluating {data.name}', total=len(data)):
            confusion.add(bits, pipeline.process(image).mask)
            count += 1
        scores += [Score(data.name, name, iou, count) for name, iou in confusion.iou().items()]
    return scores
